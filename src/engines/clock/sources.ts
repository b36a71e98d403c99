/** What the machine knows of the time besides its clock: how late it is at least, and whether a server confirmed it. */
import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { promisify } from 'node:util'

export interface Places {
  /** systemd sets a clock without battery to the time of this file: systemd(1), "System clock". */
  epoch: string
  /** Touched by timesyncd now and then: systemd-timesyncd.service(8), FILES. */
  saved: string
  /** There once timesyncd has synchronized the clock of this boot, same page. */
  synchronized: string
  /** There where timesyncd runs. */
  timesync: string
  /** There where systemd is the manager: sd_booted(3). */
  booted: string
  /** timedatectl(1), for other programs that keep the time. */
  timedatectl: string
}

export const PLACES: Places = {
  epoch: '/usr/lib/clock-epoch',
  saved: '/var/lib/systemd/timesync/clock',
  synchronized: '/run/systemd/timesync/synchronized',
  timesync: '/run/systemd/timesync',
  booted: '/run/systemd/system',
  timedatectl: '/usr/bin/timedatectl',
}

const ASK_TIMEOUT_MS = 2000

/** When a file was last written, in Unix ms; 0 where there is none. */
export const writtenAt = (file: string): number =>
  statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Whether timesyncd has set the clock; undefined where something else keeps the time. */
export function timesyncSays({ synchronized, timesync }: Places): boolean | undefined {
  if (existsSync(synchronized)) return true
  return existsSync(timesync) ? false : undefined
}

/** What the kernel says of its clock (adjtimex(2)); undefined where nobody can be asked. */
export async function kernelSays(places: Places): Promise<boolean | undefined> {
  if (!existsSync(places.booted)) return undefined
  try {
    const { stdout } = await promisify(execFile)(
      places.timedatectl,
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: ASK_TIMEOUT_MS },
    )
    return { yes: true, no: false }[stdout.trim()]
  } catch {
    // Not installed, or not for a sandboxed process to ask.
    return undefined
  }
}
