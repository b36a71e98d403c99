/** Time that never goes back, from a wall clock that may: peers set into the future would never expire. */
import type { Clock } from '../../base/ports/clock.ts'

export interface SteadyClock {
  ms: () => number
  seconds: () => number
}

// Peers of the last run were seen before this one began.
const START_SECONDS = 10_000_000

export function createSteadyClock(clock: Clock): SteadyClock {
  let last = clock.now()
  let elapsed = START_SECONDS * 1000
  const ms = (): number => {
    const now = clock.now()
    if (now > last) elapsed += now - last
    last = now
    return elapsed
  }
  return { ms, seconds: () => Math.floor(ms() / 1000) }
}
