import type { Observer } from './observer.js'

const CALLS = [
  'instruction',
  'delivering',
  'delivered',
  'fault',
  'returned',
  'stackSwitch',
  'stored',
  'loaded',
  'msrWritten',
  'ipi',
  'shutdown',
  'dispatched',
  'log',
] as const satisfies readonly (keyof Observer)[]

type AnyCall = (...args: unknown[]) => void

/** One observer that tells all of `observers`, in order; null for none. It has only the calls that somebody wants. */
export function composeObservers(observers: readonly Observer[]): Observer | null {
  if (observers.length <= 1) return observers[0] ?? null
  const composed: Record<string, AnyCall> = {}
  for (const call of CALLS) {
    const interested = observers.filter((observer) => observer[call] !== undefined)
    if (interested.length === 0) continue
    composed[call] = (...args) => {
      for (const observer of interested) (observer[call] as AnyCall)(...args)
    }
  }
  return composed as Observer
}
