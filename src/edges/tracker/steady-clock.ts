/** Time that goes on evenly: a wall clock that is set would keep peers for ever, or expire all at once. */

export interface SteadyClock {
  ms: () => number
  seconds: () => number
}

// Peers of the last run were seen before this one began.
const START_SECONDS = 10_000_000

/** @param ticks milliseconds that only go forward */
export function createSteadyClock(ticks: () => number): SteadyClock {
  const began = ticks()
  const ms = (): number => START_SECONDS * 1000 + ticks() - began
  return { ms, seconds: () => Math.floor(ms() / 1000) }
}
