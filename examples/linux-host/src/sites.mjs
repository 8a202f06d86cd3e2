/** @import { Cpu, ProgramSite, SegmentNumber } from '@trapframe/core' */
import {
  ACCESS_UNUSABLE,
  CS,
  codeAccess64,
  DS,
  dataAccess,
  ES,
  FS,
  GS,
  HALTED,
  IF,
  PAGE_SIZE,
  RFLAGS_FIXED,
  SS,
  STATUS,
} from '@trapframe/core'
import { CONFIG_CSL, IA32_FRED_CONFIG } from '@trapframe/fred'
import { endOf, GUEST_CODE, guestStack, HOST_CODE, perCpuPage, taskStack } from './memory.mjs'
import { offsetOf, userRegsAddress } from './pt-regs.mjs'
import { KERNEL_CS, KERNEL_DS, USER_CS, USER_DS } from './selectors.mjs'

const FLAGS = BigInt(IF | RFLAGS_FIXED)

/** A user program. @type {ProgramSite} */
export const GUEST_SITE = {
  origin: GUEST_CODE.linear,
  capacity: GUEST_CODE.pages * PAGE_SIZE,
  cpl: 3,
  enter(cpu) {
    enter(cpu, 3, USER_CS, USER_DS)
    cpu.rip = GUEST_CODE.linear
    cpu.rsp = endOf(guestStack(cpu.id))
    cpu.rflags = FLAGS
    cpu.gsBase = 0n
    cpu.kernelGsBase = perCpuPage(cpu.id).linear
  },
}

/**
 * Code of the kernel, a module's say, on behalf of the user program: the program's registers lie at the upper end of the
 * task's stack, as after a system call, and a RET leads to the way back to it. Interrupts are off.
 *
 * @param {(label: string) => bigint} addressOf
 * @returns {ProgramSite}
 */
export const hostSite = (addressOf) => ({
  origin: HOST_CODE.linear,
  capacity: HOST_CODE.pages * PAGE_SIZE,
  cpl: 0,
  enter(cpu) {
    enter(cpu, 0, KERNEL_CS, KERNEL_DS)
    cpu.rip = HOST_CODE.linear
    cpu.rsp = pushUserRegisters(cpu) - 8n
    cpu.rflags = BigInt(RFLAGS_FIXED)
    cpu.gsBase = perCpuPage(cpu.id).linear
    cpu.kernelGsBase = 0n
    const wayBack = cpu.mechanism?.name === 'fred' ? 'fred_return_to_user' : 'idt_return_to_user'
    cpu.space.write64(cpu.rsp, addressOf(wayBack))
  },
})

/** The registers of a program that is about to begin. Returns their address. @param {Cpu} cpu */
function pushUserRegisters(cpu) {
  const regs = userRegsAddress(endOf(taskStack(cpu.id)))
  const values = /** @type {const} */ ([
    ['rip', GUEST_CODE.linear],
    ['cs', BigInt(USER_CS)],
    ['rflags', FLAGS],
    ['rsp', endOf(guestStack(cpu.id))],
    ['ss', BigInt(USER_DS)],
  ])
  for (const [field, value] of values) cpu.space.write64(regs + BigInt(offsetOf(field)), value)
  return regs
}

/** @param {Cpu} cpu @param {0 | 3} cpl @param {number} cs @param {number} ss */
function enter(cpu, cpl, cs, ss) {
  cpu.words[STATUS] = (cpu.words[STATUS] ?? 0) & ~HALTED
  const config = cpu.machine.msrs.get(IA32_FRED_CONFIG)
  if (config !== undefined) cpu.words[config.slot] = (cpu.words[config.slot] ?? 0) & ~CONFIG_CSL
  const flat = { base: 0n, limit: 0xffff_ffff }
  cpu.setSegment(CS, { ...flat, selector: cs, access: codeAccess64(cpl) })
  cpu.setSegment(SS, { ...flat, selector: ss, access: dataAccess(cpl) })
  /** @type {readonly SegmentNumber[]} */
  const unused = [DS, ES, FS, GS]
  for (const n of unused) cpu.setSegment(n, { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  cpu.setCpl(cpl)
}
