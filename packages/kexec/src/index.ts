// Empty yet. It will hold the NMI shootdown of a crashing host, its crash notes and the way out into the next kernel.
export {}
