import type { SearchProgress } from '@trapframe/explore'
import type { SearchJob } from './job.js'

/** The line that says how far a search is. @param left seconds that it will still take, about; null where nobody knows */
export function progressText({ cell, plan }: SearchJob, sample: SearchProgress, left: number | null): string {
  const { states, passed, events, waiting, violations, seconds } = sample
  const rate = seconds > 0 ? (states + passed) / seconds : 0
  return [
    ...(cell === '' ? [] : [cell]),
    `event ${events} of ${plan.depth}`,
    `${grouped(states + passed)} states`,
    `${grouped(Math.round(rate))}/s`,
    `${grouped(waiting)} waiting`,
    ...(violations === 0 ? [] : [`${violations} violated`]),
    ...(left === null ? [] : [`about ${duration(left)} left`]),
  ].join(', ')
}

/** A number with thin groups of three digits: `12 345`. */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ' ')

/** Seconds as people say them: `41 ms`, `3.2 s`, `5 min`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
