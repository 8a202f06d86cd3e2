// Empty yet. It will hold the local APIC: IPIs, the NMI latch, its modes.
export {}
