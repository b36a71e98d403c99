/** What time it may be: a box without a battery wakes up in 1970, and must not say so in certificates. */
import type { Clock } from './ports/clock.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** No copy of this program ran before. Raised now and then, never beyond the day of the commit. */
export const EARLIEST = Date.UTC(2026, 7, 1)
/** Nor does it run that much later: such a clock is as wrong as one that says 1970. */
const LATEST = EARLIEST + 25 * 365 * DAY_MS

/** `2036-11-18`, in UTC. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

export interface SoundTime {
  /** Unix time in ms; `EARLIEST` where the clock cannot be right. */
  now: number
  isSound: boolean
  /** Sound, but it may be a year behind: nothing has confirmed it since the machine woke up. */
  isDoubtful: boolean
}

export function soundTime(clock: Clock): SoundTime {
  const now = clock.now()
  const isSound = now >= EARLIEST && now < LATEST
  return { now: isSound ? now : EARLIEST, isSound, isDoubtful: clock.isDoubtful?.() === true }
}
