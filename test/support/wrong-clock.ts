/**
 * Programs whose clock is wrong, by libfaketime. Preloaded, not by its command: that one ends where
 * another machine or a killed run has left a semaphore with its process number.
 */
import { globSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { missing } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'

const [LIBRARY = '/usr/lib/faketime/libfaketimeMT.so.1'] = globSync(
  '/usr/lib/*/faketime/libfaketimeMT.so.1',
)

/** Why clocks cannot be wrong here, or false. */
export const withoutWrongClocks = (): string | false => missing(LIBRARY)

// The kernel's monotonic clock is set by nobody.
const PRELOADED = { LD_PRELOAD: LIBRARY, FAKETIME_DONT_FAKE_MONOTONIC: '1' }

/** The environment of a program that starts at `time` (`@1970-01-01 00:00:20`, UTC). */
export const startsAt = (time: string) => ({ ...PRELOADED, FAKETIME: time, TZ: 'UTC' })

export interface WrongClock {
  env: Record<string, string>
  /** To `@YYYY-MM-DD hh:mm:ss`, from where it goes on; `+0` is the right time. */
  set: (time: string) => Promise<void>
}

/** A clock that is set while the program runs. */
export async function createWrongClock(t: Cleanup, time: string): Promise<WrongClock> {
  const file = join(await tempFolder(t, 'clock'), 'time')
  const set = (to: string) => writeFile(file, `${to}\n`)
  await set(time)
  return { env: { ...PRELOADED, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' }, set }
}
