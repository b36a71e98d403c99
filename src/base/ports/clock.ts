/** Milliseconds, passed in so that tests can move them. */
export interface Clock {
  now(): number
  /** True while a time server is expected to set it and has not yet; absent where nobody can tell. */
  isDoubtful?(): boolean
}

/** Wall time: it jumps when somebody sets it, back as well as forth. */
export const systemClock: Clock = { now: () => Date.now() }

/** Time since the process began, for ages and pauses: nobody sets it. */
export const steadyClock: Clock = { now: () => performance.now() }
