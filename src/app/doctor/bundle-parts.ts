/** What goes into the support bundle, a file a part; everything is scrubbed after it was read. */
import { join } from 'node:path'
import type { BundlePart, Machine } from '../../services/doctor/index.ts'
import { ask } from '../cli/admin-client.ts'
import { effectiveYaml } from '../config/pages.ts'
import { configSchema } from '../config/schema.ts'
import type { Schema } from '../config/validate.ts'
import { readListeners } from '../roles/listeners.ts'
import { isRunning } from '../run-folder.ts'
import { version } from '../version.ts'
import { askText } from './box.ts'
import { doctorAtRest, type Readable } from './at-rest.ts'

const LOG_LINES = '3000'
const LOG_FILES = ['/var/log/btlinkd.log', '/var/log/btlinkd/btlinkd.log']
/** What the house has and visits, where it stands alone. */
const PRIVATE_FIELDS = new Set([
  'name',
  'title',
  'folder',
  'files',
  'keyName',
  'peers',
  'infoHash',
  'publicKey',
  'magnet',
])

/** Without fields that name content; a list of torrents becomes how many and how large. */
function withoutContent(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 200).map(withoutContent)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).flatMap(([key, below]): [string, unknown][] => {
    if (!PRIVATE_FIELDS.has(key)) return [[key, withoutContent(below)]]
    return Array.isArray(below)
      ? [[`${key} (count)`, below.length]]
      : typeof below === 'number'
        ? [[key, below]]
        : []
  })
  return Object.fromEntries(entries)
}

const asJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** Names of keys as messages have them (`dns.port`), and hosts that every box is configured with. */
export function wordsOfConfig(schema: Schema = configSchema, at = ''): string[] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([key, below]) => {
      const path = at === '' ? key : `${at}.${key}`
      return [path.toLowerCase(), ...wordsOfConfig(below, path)]
    })
  }
  const text = JSON.stringify(schema.default ?? '')
  return [...text.matchAll(/[a-z0-9-]+(?:\.[a-z0-9-]+)+/gi)].map(([host]) => host.toLowerCase())
}

export interface PartsOptions {
  readable: Readable
  machine: Machine
  withNames: boolean
}

export function bundleParts({ readable, machine, withNames }: PartsOptions): BundlePart[] {
  const { config, source } = readable
  const stateDir = config.state_dir

  const command = (name: string, program: string, args: string[]): BundlePart => ({
    name,
    async read(signal) {
      const ran = await machine.run(program, args, signal)
      if (!ran) return `${program} is not installed\n`
      return `$ ${program} ${args.join(' ')}\n${ran.stdout}${ran.stderr}`
    },
  })
  const file = (name: string, path: string): BundlePart => ({
    name,
    read: () => machine.read(path),
  })
  const api = (name: string, path: string): BundlePart => ({
    name,
    async read() {
      if (!(await isRunning(stateDir))) return 'no daemon runs\n'
      const answer = await ask<unknown>(stateDir, 'GET', path)
      return asJson(withNames ? answer : withoutContent(answer))
    },
  })

  return [
    {
      name: 'README.txt',
      async read() {
        return `Facts for whoever helps with this box, made by btlinkd support-bundle.
Secrets are taken out, addresses are shortened${withNames ? '' : ', names are replaced: the same mark is the same name'}.
Read through it before you hand it on: it is all text.\n`
      },
    },
    {
      name: 'versions.txt',
      read: async () =>
        `btlinkd ${version()}\nnode ${process.version}\n${process.platform} ${process.arch}\n`,
    },
    {
      name: 'doctor.json',
      async read(signal) {
        const report = await (await doctorAtRest(readable)).report(undefined, signal)
        return asJson(report)
      },
    },
    {
      name: 'config.txt',
      async read() {
        const faults = source.mistakes.map((line) => `# mistake: ${line}\n`).join('')
        return `# ${source.file ?? 'no file'}\n${faults}${effectiveYaml(config)}`
      },
    },
    api('status.json', '/api/status'),
    api('health.json', '/api/health'),
    api('daemon-doctor.json', '/api/doctor'),
    {
      name: 'metrics.txt',
      read: async () =>
        (await isRunning(stateDir)) ? askText(stateDir, '/metrics') : 'no daemon runs\n',
    },
    { name: 'listeners.json', read: async () => asJson(await readListeners(stateDir)) },
    {
      name: 'log.txt',
      async read(signal) {
        const args = [
          '-u',
          'btlinkd*',
          '-u',
          'unbound',
          '-n',
          LOG_LINES,
          '-o',
          'short-iso',
          '--no-pager',
          '-q',
        ]
        const journal = await machine.run('journalctl', args, signal)
        if (journal?.code === 0 && journal.stdout !== '') return journal.stdout
        for (const path of [...LOG_FILES, join(stateDir, 'btlinkd.log')]) {
          const text = await machine.read(path)
          if (text !== undefined) return text
        }
        return 'there is neither a journal nor a log file\n'
      },
    },
    file('os-release.txt', '/etc/os-release'),
    file('resolv.conf.txt', '/etc/resolv.conf'),
    file('memory.txt', '/proc/meminfo'),
    file('pressure.txt', '/proc/pressure/memory'),
    command('kernel.txt', 'uname', ['-srvm']),
    command('addresses.txt', 'ip', ['-brief', 'address']),
    command('routes.txt', 'ip', ['route', 'show', 'table', 'all']),
    command('sockets.txt', 'ss', ['-lntup']),
    command('disks.txt', 'df', ['-hT']),
    command('inodes.txt', 'df', ['-iT']),
    command('block-devices.txt', 'lsblk', ['-o', 'NAME,SIZE,TYPE,FSTYPE,PARTLABEL,RO,MOUNTPOINTS']),
    command('units.txt', 'systemctl', [
      'list-units',
      '--all',
      '--no-pager',
      '--plain',
      'btlinkd*',
      'unbound*',
      'systemd-timesyncd*',
      'nftables*',
      'avahi*',
    ]),
    command('failed-units.txt', 'systemctl', [
      'list-units',
      '--state=failed',
      '--no-pager',
      '--plain',
    ]),
    command('unit-states.txt', 'systemctl', [
      'show',
      '--no-pager',
      '-p',
      'Id,ActiveState,SubState,Result,NRestarts,MemoryCurrent,TasksCurrent',
      'btlinkd-dns.service',
      'btlinkd-swarm.service',
      'btlinkd-web.service',
      'unbound.service',
    ]),
    command('clock.txt', 'timedatectl', ['show']),
    command('firewall.txt', 'nft', ['list', 'ruleset']),
    command('kernel-log.txt', 'dmesg', ['--level=err,warn', '--time-format=iso']),
  ]
}
