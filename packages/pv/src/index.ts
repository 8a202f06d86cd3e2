// Empty yet. It will hold PV guests on the Xen host: their trap tables, the bounce frames that Xen builds for them, their hypercalls.
export {}
