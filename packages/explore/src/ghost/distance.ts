/** `a - b` for addresses in signed halves: exact as far as frames and stacks are concerned, and merely far otherwise. */
export function distance(aLo: number, aHi: number, bLo: number, bHi: number): number {
  return (aHi - bHi) * 0x1_0000_0000 + ((aLo >>> 0) - (bLo >>> 0))
}
