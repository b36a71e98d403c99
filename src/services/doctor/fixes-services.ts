/** What can be mended by asking services: of the box, and of the machine. */
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '../../base/units.ts'
import { few, type Fix } from './check.ts'
import { failedUnits, unitStates } from './checks-roles.ts'
import { writeWhole } from './durable.ts'
import { CannotFix } from './errors.ts'
import { compareFront, FRONT_FILE } from './front-file.ts'
import type { Machine, Ports } from './ports.ts'
import { statusOf } from './status.ts'

/**
 * Units that a restart cannot harm, and that a household misses. A start of the others resets the box,
 * starts the machine anew, or counts as an attempt of this version.
 */
const RESTARTABLE =
  /^(?:btlinkd-(?!factory-reset|healthy|boot-)[a-z-]+|unbound|systemd-(?:timesyncd|resolved|networkd)|chrony|avahi-daemon|nftables|NetworkManager)\.service$/
/** Of the image: writes what is asked for, and notes in the file what it was made of. */
const FRONT_UNIT = 'btlinkd-dns-front-changed.service'
const FRONT_MADE = '/var/lib/btlinkd-front/seen'
const TIME_UNITS = ['systemd-timesyncd.service', 'chrony.service', 'chronyd.service']

async function systemctl(machine: Machine, args: string[], signal: AbortSignal): Promise<void> {
  const done = await machine.run('systemctl', args, signal)
  if (!done) throw new CannotFix('there is no systemd here')
  if (done.code === 0) return
  const [line = ''] = done.stderr.trim().split('\n')
  const isDenied = /denied|authentication|polkit/i.test(done.stderr) || !machine.isRoot
  throw new CannotFix(
    isDenied ? 'only root may restart services: run this with sudo' : line.slice(0, 200),
  )
}

async function endedCertificates({ facts, clock }: Ports): Promise<string[]> {
  const folder = join(facts.stateDir, 'acme')
  const files = await readdir(folder, { recursive: true }).catch(() => [])
  const ended: string[] = []
  for (const name of files.filter((one) => one.endsWith('.pem'))) {
    const path = join(folder, name)
    // A file that this user may not read, or a disk that fails, says nothing of the certificate.
    const bytes = await readFile(path).catch(() => undefined)
    if (!bytes) continue
    try {
      if (Date.parse(new X509Certificate(bytes).validTo) > clock.now()) continue
    } catch {
      // What is no certificate is as good as ended.
    }
    ended.push(path)
  }
  return ended
}

export const serviceFixes: readonly Fix[] = [
  {
    id: 'units',
    does: 'restarts the parts of the daemon, and services that it needs, that failed',
    view: 'machine',
    async mend(ports, signal) {
      const own = await unitStates(ports, signal)
      const bad = await failedUnits(ports, signal)
      if (!own && !bad)
        throw new CannotFix('there is no systemd here: start the daemon with `btlinkd serve`')
      const down = (own ?? []).filter(({ active }) => active === 'inactive' || active === 'failed')
      const wanted = new Set(
        [...down.map(({ unit }) => unit), ...(bad ?? [])].filter((unit) => RESTARTABLE.test(unit)),
      )
      if (wanted.size === 0) return 'no such unit has failed'
      await systemctl(ports.machine, ['reset-failed', ...wanted], signal)
      await systemctl(ports.machine, ['restart', '--no-block', ...wanted], signal)
      return `restarted ${few([...wanted])}`
    },
  },
  {
    id: 'clock',
    does: 'asks the time servers again at once',
    view: 'machine',
    async mend({ machine }, signal) {
      for (const unit of TIME_UNITS) {
        const known = await machine.run('systemctl', ['is-enabled', unit], signal)
        if (known?.code !== 0) continue
        await systemctl(machine, ['restart', unit], signal)
        return `restarted ${unit}, which asks at once`
      }
      throw new CannotFix('no program here keeps the clock: install systemd-timesyncd')
    },
  },
  {
    id: 'front',
    does: `writes ${FRONT_FILE} anew from the configuration, if unbound takes it, and reloads unbound`,
    view: 'machine',
    async mend({ facts, machine }, signal) {
      if (!facts.front) return 'there is no resolver in front'
      const unit = await machine.run('systemctl', ['is-enabled', FRONT_UNIT], signal)
      if (unit?.code === 0) {
        // The unit of the image leaves a file that it made of this configuration as it is.
        await rm(machine.path(FRONT_MADE), { force: true }).catch(() => {
          throw new CannotFix('only root may have it made anew: run this with sudo')
        })
        await systemctl(machine, ['restart', FRONT_UNIT], signal)
        const made = (await machine.read(FRONT_FILE)) ?? ''
        if (!compareFront(made, await facts.front(made)).isAsAsked)
          throw new CannotFix(`it stayed as it was: \`journalctl -u ${FRONT_UNIT}\` says why`)
        return 'made the configuration of unbound anew, and restarted it where that is another'
      }
      const file = machine.path(FRONT_FILE)
      const before = await machine.read(FRONT_FILE)
      const text = await facts.front(before)
      if (before === text) return `${FRONT_FILE} is as it should be`
      await writeWhole(file, text, 0o644)
      const verdict = await machine.run('unbound-checkconf', [file], signal)
      if (verdict && verdict.code !== 0) {
        if (before !== undefined) await writeWhole(file, before, 0o644)
        throw new CannotFix(
          `unbound does not take it: ${verdict.stderr.trim().split('\n')[0]?.slice(0, 160)}`,
        )
      }
      const reloaded = await machine.run(
        'systemctl',
        ['reload-or-restart', 'unbound.service'],
        signal,
      )
      return reloaded?.code === 0
        ? `wrote ${FRONT_FILE} and reloaded unbound`
        : `wrote ${FRONT_FILE}; unbound takes it with its next start`
    },
  },
  {
    id: 'announce',
    does: 'puts the records of all own sites into the DHT again',
    view: 'machine',
    async mend({ box }, signal) {
      if ((await box.ask('/api/sites')) === undefined) {
        throw new CannotFix('no daemon runs that could: start it, and it does so by itself')
      }
      return `put ${await box.announce(signal)} records again`
    },
  },
  {
    id: 'certificates',
    does: 'puts certificates of public hosts that ended aside, so that they are ordered anew',
    view: 'machine',
    async mend(ports, signal) {
      const { clock } = (await statusOf(ports.box)) ?? {}
      if (clock !== undefined && clock !== 'synced') {
        throw new CannotFix('no time server has confirmed the clock: what seems ended may be good')
      }
      const ended = await endedCertificates(ports)
      for (const path of ended) await rename(path, `${path}.ended`)
      if (ended.length === 0) return 'none has ended'
      const states = await unitStates(ports, signal)
      if (states) await systemctl(ports.machine, ['restart', 'btlinkd-web.service'], signal)
      return `put ${ended.length} aside; they are ordered ${states ? 'now' : 'with the next start'}`
    },
  },
  {
    id: 'database',
    does: 'packs the database, which gives unused room back to the disk',
    view: 'daemon',
    async mend({ box }, signal) {
      if (!box.database) throw new CannotFix('the daemon alone can do that')
      return `gave ${formatSize(await box.database.compact(signal))} back`
    },
  },
]
