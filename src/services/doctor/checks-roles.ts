/** The processes of the box, and the units that keep them. */
import { readdir } from 'node:fs/promises'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { propertiesIn } from './checks-clock.ts'
import type { Machine, Ports } from './ports.ts'
import { statusOf } from './status.ts'

const MANY_RESTARTS = 3
const MAX_PROCESSES = 5000
const UNITS = ['btlinkd-dns.service', 'btlinkd-swarm.service', 'btlinkd-web.service']

async function oursAmong(machine: Machine): Promise<{ pid: string; role: string }[]> {
  const found: { pid: string; role: string }[] = []
  for (const pid of (await machine.list('/proc'))
    .filter((one) => /^\d+$/.test(one))
    .slice(0, MAX_PROCESSES)) {
    const words = ((await machine.read(`/proc/${pid}/cmdline`)) ?? '').split('\0')
    const role = words[words.indexOf('--role') + 1]
    if (words.includes('serve') && words.includes('--role') && role !== undefined)
      found.push({ pid, role })
  }
  return found
}

export interface UnitState {
  unit: string
  active: string
  restarts: number
}

/** Undefined where there is no systemd that knows our units. */
export async function unitStates(
  { machine }: Ports,
  signal: AbortSignal,
): Promise<UnitState[] | undefined> {
  const told = await machine.run(
    'systemctl',
    ['show', '--property=Id,LoadState,ActiveState,NRestarts', ...UNITS],
    signal,
  )
  if (!told || told.code !== 0) return undefined
  const known = told.stdout
    .split('\n\n')
    .map(propertiesIn)
    .filter(({ LoadState }) => LoadState === 'loaded')
  if (known.length === 0) return undefined
  return known.map(({ Id = '', ActiveState = '', NRestarts = '0' }) => ({
    unit: Id,
    active: ActiveState,
    restarts: Number(NRestarts),
  }))
}

export async function failedUnits(
  { machine }: Ports,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const told = await machine.run(
    'systemctl',
    ['list-units', '--state=failed', '--plain', '--no-legend', '--no-pager'],
    signal,
  )
  if (!told || told.code !== 0) return undefined
  return told.stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => unit !== '')
}

export const roleChecks: readonly Check[] = [
  {
    id: 'roles',
    asks: 'Do all parts of the daemon run?',
    severity: 'house',
    why: 'dns: the house is offline; web: no pages; swarm: nothing new is found.',
    remedy: 'Start the daemon: `systemctl start btlinkd.target`, or `btlinkd serve`.',
    fix: 'units',
    view: 'machine',
    async look({ box }) {
      const roles = Object.entries(await box.roles())
      const down = roles.filter(([, isUp]) => !isUp).map(([name]) => name)
      if (down.length === 0) return ok(`${few(roles.map(([name]) => name))} run`)
      return failed(
        down.length === roles.length ? 'the daemon does not run' : `${few(down)} does not run`,
      )
    },
  },
  {
    id: 'health',
    asks: 'Is every part of the daemon well, by its own word?',
    severity: 'some',
    why: 'What a part says of itself comes before what a household notices.',
    remedy: 'See `btlinkd health`.',
    view: 'machine',
    async look({ box }) {
      const status = await statusOf(box)
      if (!status) return unknown('no daemon answers')
      const bad = Object.entries(status.components).filter(([, { status: one }]) => one !== 'ok')
      const lines = bad.map(([name, { detail }]) => `${name}: ${detail ?? 'not well'}`)
      if (bad.some(([, { status: one }]) => one === 'down')) return failed(few(lines, 3))
      return bad.length > 0
        ? warning(few(lines, 3))
        : ok(`${Object.keys(status.components).length} parts are well`)
    },
  },
  {
    id: 'restarts',
    asks: 'Do all parts of the daemon stay up?',
    severity: 'some',
    why: 'A part that dies again and again drops whatever it was doing.',
    remedy: 'Read why: `journalctl -u "btlinkd-*" -p warning`.',
    view: 'machine',
    async look(ports, signal) {
      const units = await unitStates(ports, signal)
      if (!units) return unknown('systemd does not keep this daemon')
      const often = units.filter(({ restarts }) => restarts >= MANY_RESTARTS)
      return often.length > 0
        ? warning(few(often.map(({ unit, restarts }) => `${unit} was restarted ${restarts} times`)))
        : ok('they do')
    },
  },
  {
    id: 'units',
    asks: 'Did every service of the machine start?',
    severity: 'some',
    why: 'Time, network or the resolver in front may be what is missing.',
    remedy: 'Read why: `systemctl status NAME`.',
    fix: 'units',
    view: 'machine',
    async look(ports, signal) {
      const bad = await failedUnits(ports, signal)
      if (!bad) return unknown('there is no systemd')
      return bad.length > 0 ? warning(`failed: ${few(bad)}`) : ok('all did')
    },
  },
  {
    id: 'files-open',
    asks: 'Have the parts of the daemon room for more open files?',
    severity: 'some',
    why: 'Without it no connection is taken, and no file opened.',
    remedy: 'Raise LimitNOFILE of the unit, or lower swarm and proxy connections.',
    view: 'machine',
    async look({ machine }) {
      const ours = await oursAmong(machine)
      if (ours.length === 0) return unknown('no part of the daemon is seen')
      let most = { share: 0, line: '' }
      for (const { pid, role } of ours) {
        const limits = (await machine.read(`/proc/${pid}/limits`)) ?? ''
        const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1])
        const open = (await readdir(machine.path(`/proc/${pid}/fd`)).catch(() => undefined))?.length
        if (open === undefined || !Number.isFinite(limit)) continue
        if (open / limit >= most.share)
          most = { share: open / limit, line: `${role}: ${open} of ${limit}` }
      }
      if (most.line === '') return unknown('only root and the user of the daemon may count them')
      if (most.share > 0.95) return failed(most.line)
      return most.share > 0.8 ? warning(most.line) : ok(most.line)
    },
  },
  {
    id: 'gateway-page',
    asks: 'Does the box serve pages?',
    severity: 'house',
    why: 'Nothing of .btlink opens.',
    remedy: 'See the checks `roles` and `ports`.',
    view: 'machine',
    async look({ box, facts }, signal) {
      const port = (await box.listeners())['http']?.port ?? 0
      if (port === 0) return failed('nobody listens for browsers')
      const url = `http://127.0.0.1:${port}/.btlink/proxy.pac`
      const answer = await fetch(url, { signal }).catch(() => undefined)
      if (!answer) return failed(`nobody answers at port ${port}`)
      await answer.body?.cancel()
      return answer.status < 500
        ? ok(`port ${port} answers for .${facts.tld}`)
        : failed(`port ${port} answers ${answer.status}`)
    },
  },
]
