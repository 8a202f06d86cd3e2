/** Where a CPU goes that has nothing to run, looking for softirqs whenever it was woken; and where it goes after a panic. */
export const IDLE_SOURCE = `
idle_loop:
    sti
    hlt
    cli
    mov rdi, rsp
    call idle_softirq
    jmp idle_loop
panic_stop:
    cli
    hlt
    jmp panic_stop`
