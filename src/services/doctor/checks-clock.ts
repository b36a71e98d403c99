/** The clock: certificates, backups and updates go by it. */
import { isIP } from 'node:net'
import { dayOf, soundTime } from '../../base/sound-time.ts'
import { isAppliance } from './appliance.ts'
import { type Check, failed, ok, unknown, warning } from './check.ts'
import type { Machine } from './ports.ts'
import { clockOffset } from './sntp.ts'
import { statusOf } from './status.ts'

const DRIFT_WARN_MS = 30_000
const DRIFT_FAIL_MS = 10 * 60_000
const MAX_SERVERS = 3
/** docs/first-boot.md */
const ON_CARD =
  'locale.timezone in rpi-preseed.toml on the card (docs/first-boot.md), taken at the next start'

/** Value by property of a `show` of systemd. */
export function propertiesIn(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line))
  return Object.fromEntries(
    lines.flatMap((found) => (found ? [[found[1] ?? '', found[2] ?? '']] : [])),
  )
}

/** Addresses of the time servers that this machine goes by, the one in use first. */
async function timeServers(machine: Machine, signal: AbortSignal): Promise<string[]> {
  const shown = await machine.run('timedatectl', ['show-timesync'], signal)
  const {
    ServerAddress: inUse,
    SystemNTPServers: configured,
    LinkNTPServers: handedOut,
  } = propertiesIn(shown?.stdout ?? '')
  const written = await machine.read('/etc/systemd/timesyncd.conf')
  const fromFile = /^NTP=(.*)$/m.exec(written ?? '')?.[1] ?? ''
  const all = [inUse, handedOut, configured, fromFile].join(' ').split(/\s+/)
  return all.filter((one) => isIP(one) !== 0 || /^[\d.]+:\d+$/.test(one)).slice(0, MAX_SERVERS)
}

/** Name in the tz database; undefined where nothing says so. */
async function timeZone(machine: Machine, signal: AbortSignal): Promise<string | undefined> {
  // localtime(5): the name is in the link. On the image it leads on to the data partition, where timedated is lost.
  const led = await machine.run('readlink', ['-m', machine.path('/etc/localtime')], signal)
  const linked = /\/zoneinfo\/(.+)$/m.exec(led?.stdout ?? '')?.[1]
  if (linked !== undefined) return linked
  const written = (await machine.read('/etc/timezone'))?.trim()
  if (written !== undefined && written !== '') return written
  const shown = await machine.run('timedatectl', ['show', '-p', 'Timezone'], signal)
  const { Timezone: told = '' } = propertiesIn(shown?.stdout ?? '')
  return told === '' ? undefined : told
}

export const clockChecks: readonly Check[] = [
  {
    id: 'clock',
    asks: 'Does the box know what time it is?',
    severity: 'some',
    why: 'With a wrong clock, certificates are refused and encrypted DNS does not work.',
    remedy:
      'Let the box reach a time server (UDP port 123), or set the clock: `date -s "2026-12-31 12:00"`.',
    fix: 'clock',
    view: 'machine',
    async look({ clock, box, machine }, signal) {
      const { isSound } = soundTime(clock)
      if (!isSound) return failed(`the clock says ${dayOf(clock.now())}, which cannot be`)
      const state = (await statusOf(box))?.clock
      if (state === 'unset') return failed('the clock was never set since the power came back')
      if (state === 'synced') return ok('a time server confirmed the clock')
      const shown = await machine.run(
        'timedatectl',
        ['show', '-p', 'NTPSynchronized', '-p', 'NTP'],
        signal,
      )
      const { NTPSynchronized: isSynced } = propertiesIn(shown?.stdout ?? '')
      if (isSynced === 'yes') return ok('a time server confirmed the clock')
      if (isSynced === undefined && state === undefined)
        return unknown('nothing here says whether the clock was confirmed')
      return warning('no time server has confirmed the clock')
    },
  },
  {
    id: 'clock-drift',
    asks: "Does the box's clock agree with a time server?",
    severity: 'some',
    why: 'Minutes are enough to refuse logins and fresh certificates.',
    remedy: 'Let the box reach a time server (UDP port 123).',
    fix: 'clock',
    view: 'machine',
    async look({ machine, clock }, signal) {
      for (const server of await timeServers(machine, signal)) {
        const offset = await clockOffset(server, () => clock.now(), signal)
        if (offset === undefined) continue
        const seconds = Math.round(Math.abs(offset) / 1000)
        const line = `${seconds} s ${offset > 0 ? 'behind' : 'ahead of'} ${server}`
        if (Math.abs(offset) > DRIFT_FAIL_MS) return failed(`the clock is ${line}`)
        return Math.abs(offset) > DRIFT_WARN_MS ? warning(`the clock is ${line}`) : ok(line)
      }
      return unknown('no time server is known by address, or none answers')
    },
  },
  {
    id: 'time-zone',
    asks: 'Does the box know its time zone?',
    severity: 'later',
    why: 'Restarts after updates are meant for the night.',
    remedy: 'Say where you live: `timedatectl set-timezone Europe/Berlin`.',
    view: 'machine',
    async look({ machine }, signal) {
      const isImage = await isAppliance(machine)
      const zone = (await timeZone(machine, signal)) ?? (isImage ? 'UTC' : undefined)
      if (zone === undefined) return unknown('nothing here says so')
      try {
        new Date(0).toLocaleString('en', { timeZone: zone })
      } catch {
        const line = `there is no time zone "${zone.slice(0, 40)}"`
        return warning(line, isImage ? `Say where you live: ${ON_CARD}.` : undefined)
      }
      if (!/^(?:Etc\/)?(?:UTC|UCT|Universal|Zulu|GMT)$/.test(zone)) return ok(zone)
      const nights = 'UTC: nights are those of Greenwich'
      return ok(isImage ? `${nights}, unless you set another: ${ON_CARD}` : nights)
    },
  },
]
