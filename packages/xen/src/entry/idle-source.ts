/** Where a CPU goes that has nothing to run, and where it goes after a panic. */
export const IDLE_SOURCE = `
idle_loop:
    sti
    hlt
    jmp idle_loop
panic_stop:
    cli
    hlt
    jmp panic_stop`
