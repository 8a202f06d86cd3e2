import type { Cpu } from '../cpu/cpu.js'
import { UserError } from '../error.js'
import { pendNmi } from '../event/pending.js'
import { checkedStep } from '../machine/check.js'
import type { Boot, BootRequest, HostKind, ProgramSite } from '../machine/host.js'
import type { Machine } from '../machine/machine.js'
import { packSnapshot, unpackSnapshot } from '../machine/portable-snapshot.js'
import { PAGE_EXECUTABLE, PAGE_USER } from '../memory/access.js'
import { PAGE_SIZE } from '../memory/physical.js'
import { HOSTS } from '../plugin/plugin.js'
import { type ContractCheck, type ContractOptions, contract, hexOf, must } from './contract.js'
import { stackMapProblems } from './stack-map-problems.js'

/** What the contract of a host is checked on. */
export interface HostContract extends ContractOptions {
  /** Its name in the slot `HOSTS`. */
  readonly host: string
  /** Makes a machine with the host's plugins, two CPUs and a decoder. Called several times: each is equal to the first. */
  machine(): Machine
  /** Boots to judge; left out, one for each of the host's deliveries. */
  readonly requests?: readonly BootRequest[]
  /**
   * A program without effect, as bytes that repeat, for the host's sites; left out, NOP (90h).
   */
  readonly idle?: Uint8Array
}

/** Steps of a program and of what interrupts it. */
const STEPS = 400
/** Sites whose programs are a scenario's; `boot` holds the host's own. */
const PROGRAM_SITES = ['guest', 'host']

/**
 * What a host owes: it boots what it says it can, refuses what it does not know in words, and tells the truth about its
 * labels, sites and stacks; it keeps nothing outside of the machine's state.
 */
export function hostContract(options: HostContract): readonly ContractCheck[] {
  const kindOf = (machine: Machine): HostKind => {
    const found = machine.contributions(HOSTS).find(({ name }) => name === options.host)
    must(found !== undefined, `no plugin contributes the host "${options.host}"`)
    return found.value
  }
  const requests = (): readonly BootRequest[] =>
    options.requests ?? kindOf(options.machine()).deliveries.map((delivery) => ({ delivery }))

  /** Every boot, on a machine of its own. */
  const eachBoot = (visit: (one: Booted) => void): void => {
    for (const request of requests()) {
      const again = (): Booted => {
        const machine = options.machine()
        return { machine, boot: machine.boot(options.host, request), request, name: JSON.stringify(request), again }
      }
      visit(again())
    }
  }
  const eachProgram = (visit: (one: Booted, site: ProgramSite, name: string) => void): void =>
    eachBoot((one) => {
      const booted = one.machine.snapshot()
      for (const [name, site] of Object.entries(one.boot.sites)) {
        if (!PROGRAM_SITES.includes(name)) continue
        one.machine.restore(booted)
        fill(one.machine, site, options.idle ?? Uint8Array.of(0x90))
        visit(one, site, `${one.name}, site ${name}`)
      }
    })

  return contract(
    [
      [
        'listed',
        'the host says in its listing what it is, and what it can run on',
        () => {
          const kind = kindOf(options.machine())
          must(kind.name === options.host, `it is in the slot as "${options.host}", and calls itself "${kind.name}"`)
          must(kind.summary.trim() !== '', 'it has no summary')
          must(kind.deliveries.length > 0, 'it names no delivery')
          for (const [name, sentence] of Object.entries(kind.options))
            must(sentence.trim() !== '', `option "${name}" has no sentence`)
        },
      ],
      [
        'boots',
        'it boots each of its deliveries: the mechanism that it names is active on every CPU, and it says why',
        () =>
          eachBoot(({ machine, boot, request, name }) => {
            if (request.delivery !== undefined)
              must(boot.delivery === request.delivery, `${name}: it booted for "${boot.delivery}"`)
            must(boot.reasons.length > 0, `${name}: it gives no reason for "${boot.delivery}"`)
            for (const { id, mechanism } of machine.cpus)
              must(mechanism?.name === boot.delivery, `${name}: on CPU ${id} "${mechanism?.name}" is active`)
          }),
      ],
      [
        'refuses',
        'what it does not know it refuses with an error that a person can mend',
        () => {
          const wrong: BootRequest[] = [{ delivery: 'no-such-delivery' }, { options: { 'no-such-option': true } }]
          for (const request of wrong) {
            const what = JSON.stringify(request)
            try {
              options.machine().boot(options.host, request)
            } catch (error) {
              must(error instanceof UserError, `${what} is refused with ${String(error)}, which is no UserError`)
              continue
            }
            must(false, `${what} is accepted`)
          }
        },
      ],
      [
        'labels',
        'its labels are addresses that the CPU can have',
        () =>
          eachBoot(({ machine, boot, name }) => {
            must(boot.labels.size > 0, `${name}: it has no labels`)
            const bits = machine.model.linearAddressBits
            for (const [label, address] of boot.labels) {
              const canonical = BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address
              must(canonical, `${name}: label "${label}" is ${hexOf(address)}`)
              must(
                /^[A-Za-z_.$#][\w.$#-]*$/.test(label),
                `${name}: the label "${label}" cannot be written in a program`,
              )
            }
          }),
      ],
      [
        'sites',
        'each site can be entered: the CPU is at its first byte, at its CPL, in memory that it may execute, with a stack',
        () =>
          eachBoot(({ machine, boot, name }) => {
            must(boot.sites.guest !== undefined, `${name}: there is no site "guest"`)
            for (const [siteName, site] of Object.entries(boot.sites)) {
              const where = `${name}, site ${siteName}`
              const before = machine.snapshot()
              // A boot begins on the boot CPU; the others wait for it.
              const isProgram = PROGRAM_SITES.includes(siteName)
              for (const cpu of isProgram ? machine.cpus : [machine.cpu]) checkEntry(cpu, site, where, isProgram)
              machine.restore(before)
            }
          }),
      ],
      [
        'areas',
        'its areas of memory are somewhere, and no byte belongs to two owners',
        () =>
          eachBoot(({ boot, name }) => {
            const all = Object.entries(boot.areas).flatMap(([owner, areas]) =>
              areas.map((area) => ({ owner, ...area })),
            )
            for (const { owner, address, bytes } of all)
              must(bytes > 0, `${name}: an area of "${owner}" at ${hexOf(address)} has ${bytes} bytes`)
            for (const a of all)
              for (const b of all) {
                const meet = a.address < b.address + BigInt(b.bytes) && b.address < a.address + BigInt(a.bytes)
                must(a.owner === b.owner || !meet, `${name}: ${hexOf(a.address)} is "${a.owner}"'s and "${b.owner}"'s`)
              }
          }),
      ],
      [
        'stack-map',
        'its stack maps agree with the page tables and with themselves, and no two CPUs share a stack',
        () =>
          eachBoot(({ machine, boot, name }) => {
            const problems = stackMapProblems(machine, boot)
            must(problems.length === 0, `${name}: ${problems.join('; ')}`)
          }),
      ],
      [
        'reads',
        'to read its stack maps and facts changes nothing',
        () =>
          eachBoot(({ machine, boot, name }) => {
            const before = machine.snapshot()
            for (const cpu of machine.cpus) {
              boot.stackMap(cpu)
              boot.facts?.(cpu)
              boot.hostGsBases?.(cpu)
              boot.owner?.(cpu)
            }
            must(machine.equals(before), `${name}: the machine is another after it was read`)
          }),
      ],
      [
        'delivers',
        'an NMI at each site is delivered, its frame on a stack that the stack map knows, and does not shut the CPU down',
        () =>
          eachProgram(({ machine, boot }, site, where) => {
            const { cpu } = machine
            site.enter(cpu)
            const stacks = boot.stackMap(cpu).regions.filter(({ kind }) => kind === 'stack')
            let frame: bigint | undefined
            const unobserve = machine.observe({
              delivered: ({ rsp }) => {
                frame ??= rsp
              },
            })
            pendNmi(cpu)
            machine.step()
            unobserve()
            must(!cpu.isShutdown, `${where}: the CPU shut down`)
            must(frame !== undefined, `${where}: nothing was delivered`)
            const known = stacks.some(({ address, bytes }) => frame! >= address && frame! < address + BigInt(bytes))
            must(known, `${where}: the frame is at ${hexOf(frame)}, which no stack of the map holds`)
          }),
      ],
      [
        'same-boot',
        'two boots of the same request are the same, byte for byte',
        () =>
          eachBoot(({ machine, again, name }) =>
            must(again().machine.hash() === machine.hash(), `${name}: they differ`),
          ),
      ],
      [
        'repeatable',
        'a program and an NMI in it go on identically from a snapshot, and on another machine: nothing is kept outside of the state',
        () =>
          eachProgram(({ machine, again }, site, where) => {
            const { cpu } = machine
            must(machine.decoder !== null, 'the machine has no decoder: add isa() to its plugins')
            site.enter(cpu)
            const other = again().machine
            other.restore(unpackSnapshot(other, packSnapshot(machine, machine.snapshot())))
            for (let n = 0; n < STEPS && !cpu.isShutdown; n++) {
              if (n === 3) {
                pendNmi(cpu)
                pendNmi(other.cpu)
              }
              checkedStep(machine, cpu)
              other.step()
            }
            must(!cpu.isShutdown, `${where}: the CPU shut down`)
            must(other.hash() === machine.hash(), `${where}: on another machine it went on otherwise`)
          }),
      ],
    ],
    options,
  )
}

interface Booted {
  readonly machine: Machine
  readonly boot: Boot
  readonly request: BootRequest
  readonly name: string
  /** The same on another machine. */
  again(): Booted
}

function checkEntry(cpu: Cpu, site: ProgramSite, where: string, isProgram: boolean): void {
  site.enter(cpu)
  const once = cpu.words.slice()
  must(cpu.rip === site.origin, `${where}: RIP is ${hexOf(cpu.rip)}, and the site begins at ${hexOf(site.origin)}`)
  must(cpu.cpl === site.cpl, `${where}: CPL is ${cpu.cpl}, and the site says ${site.cpl}`)
  must(site.capacity > 0 || !isProgram, `${where}: it has room for ${site.capacity} bytes`)
  const flags = cpu.space.flagsAt(site.origin)
  const wanted = PAGE_EXECUTABLE | (site.cpl === 3 ? PAGE_USER : 0)
  must((flags & wanted) === wanted, `${where}: the CPU may not execute ${hexOf(site.origin)}`)
  must(!isProgram || cpu.space.flagsAt(cpu.rsp - 8n) !== 0, `${where}: nothing is mapped below RSP ${hexOf(cpu.rsp)}`)
  site.enter(cpu)
  const changed = once.findIndex((word, slot) => word !== cpu.words[slot])
  must(changed < 0, `${where}: entered twice, word ${changed} of the CPU is another`)
}

/** Fills the first pages of a site with a program that repeats. */
function fill(machine: Machine, site: ProgramSite, idle: Uint8Array): void {
  const bytes = new Uint8Array(Math.min(site.capacity, PAGE_SIZE))
  for (let i = 0; i < bytes.length; i++) bytes[i] = idle[i % idle.length]!
  site.enter(machine.cpu)
  machine.cpu.space.write(site.origin, bytes)
}
