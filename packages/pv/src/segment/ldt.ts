import {
  encodeSystemDescriptor,
  loadLdt,
  PAGE_SIZE,
  PAGE_WRITABLE,
  TYPE_LDT,
  VECTOR_GP,
  VECTOR_PF,
} from '@trapframe/core'
import { gdtBase, LDT_PAGES, LDT_SELECTOR, ldtBase } from '@trapframe/xen'
import { injectException } from '../bounce/inject.js'
import type { PvContext } from '../context.js'
import { takeDescriptorPage } from './descriptor-page.js'

/**
 * A guest's LDT. The CPU sees it in Xen's own range, where its pages appear when they are first used: a fault there is Xen's
 * to fix, and the access is made again.
 */

const PAGE = BigInt(PAGE_SIZE)
const DESCRIPTOR_BYTES = 8n

/** load_LDT: tells the CPU where the LDT is and how long, or that there is none. None of its pages is there yet. */
export function setLdt(context: PvContext, base: bigint, entries: bigint): void {
  const { cpu, vcpu } = context
  vcpu.set('ldt_base', base)
  vcpu.set('ldt_ents', entries)
  const linear = ldtBase(cpu.id)
  cpu.space.unmap(linear, LDT_PAGES)
  if (entries === 0n) return loadLdt(cpu, 0)
  const limit = Number(entries * DESCRIPTOR_BYTES - 1n)
  const [low, high] = encodeSystemDescriptor({ type: TYPE_LDT, base: linear, limit })
  const descriptor = gdtBase(cpu.id) + BigInt(LDT_SELECTOR)
  cpu.space.write64(descriptor, low)
  cpu.space.write64(descriptor + DESCRIPTOR_BYTES, high)
  loadLdt(cpu, LDT_SELECTOR)
}

/**
 * handle_gdt_ldt_mapping_fault: a page fault of the guest's at `address`, should that be in the range of the LDT. The page is
 * mapped if the guest has one there that can hold descriptors; else the fault is the guest's, at the address that it has
 * the LDT at. Whether the fault was of that kind.
 */
export function fixUpLdtFault(context: PvContext, errorCode: number, address: bigint): boolean {
  const { cpu, vcpu } = context
  const linear = ldtBase(cpu.id)
  const offset = address - linear
  if (offset < 0n || offset >= BigInt(LDT_PAGES) * PAGE) return false
  if (mapLdtPage(context, offset)) return true
  const guests = BigInt.asUintN(64, vcpu.get('ldt_base') + offset)
  if (!context.checks.canonical(cpu, guests)) {
    injectException(context, VECTOR_GP, Number((offset & ~7n) | 4n))
  } else {
    injectException(context, VECTOR_PF, errorCode, guests)
  }
  return true
}

/** Brings in the page of the LDT at `address` for an access of Xen's own; whether the access can be made again. */
export function mapLdtPageAt(context: PvContext, address: bigint): boolean {
  const offset = address - ldtBase(context.cpu.id)
  return offset >= 0n && offset < BigInt(LDT_PAGES) * PAGE && mapLdtPage(context, offset)
}

/** pv_map_ldt_shadow_page: whether the guest has a page of descriptors there. */
function mapLdtPage(context: PvContext, offset: bigint): boolean {
  const { cpu, vcpu } = context
  if (offset >= vcpu.get('ldt_ents') * DESCRIPTOR_BYTES) return false
  const page = offset & ~(PAGE - 1n)
  const physical = cpu.space.physicalAt(BigInt.asUintN(64, vcpu.get('ldt_base') + page))
  if (physical === null || !takeDescriptorPage(context, physical)) return false
  cpu.space.map(ldtBase(cpu.id) + page, PAGE_WRITABLE, 1, physical)
  return true
}
