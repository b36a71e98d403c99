/** So many at once, and so many a second from then on. */
export interface Allowance {
  /** False where there is nothing left. */
  take(): boolean
}

export function createAllowance(burst: number, perSecond: number): Allowance {
  let left = burst
  let at = performance.now()
  return {
    take() {
      const now = performance.now()
      left = Math.min(left + ((now - at) / 1000) * perSecond, burst)
      at = now
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}
