/** What the box must not lose: its configuration, keys, database, and the files of the store. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decode } from '../../base/bencode.ts'
import { formatSize } from '../../base/units.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { backupFile } from './good-config.ts'
import { openSecrets, sampleBlobs, strangersOf } from './state-files.ts'
import { staleSockets } from './stale-sockets.ts'

const BLOATED_BYTES = 16 * 1024 * 1024
const MAX_KEYS = 1000

export async function hashOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

export const stateChecks: readonly Check[] = [
  {
    id: 'config',
    asks: 'Is the configuration valid?',
    severity: 'house',
    why: 'The daemon does not start on a configuration with mistakes.',
    remedy: 'Correct the line that is named; `btlinkd config check` says when it is well.',
    fix: 'config',
    view: 'machine',
    async look({ facts: { mistakes, configFile } }) {
      const [first] = mistakes
      if (first === undefined) return ok(`${configFile ?? 'the defaults'}: no mistakes`)
      const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more)` : ''
      return failed(`${first}${more}`)
    },
  },
  {
    id: 'state-owner',
    asks: 'Does everything in the state folder belong to the user of the daemon?',
    severity: 'house',
    why: 'What root made by hand, the daemon cannot write.',
    remedy: 'As root: `btlinkd doctor --fix`.',
    fix: 'state-modes',
    view: 'machine',
    async look({ facts: { stateDir } }, signal) {
      const strangers = await strangersOf(stateDir, signal)
      return strangers.length === 0
        ? ok('everything belongs to the user of the daemon')
        : failed(`${strangers.length} files belong to another user: ${few(strangers, 2)}`)
    },
  },
  {
    id: 'secrets-closed',
    asks: 'Can only the daemon read its keys?',
    severity: 'some',
    why: 'Who can read a publishing key can publish in its name, for ever.',
    remedy:
      'Let `btlinkd doctor --fix` close them; if a stranger may have read them, publish under new keys.',
    fix: 'state-modes',
    view: 'machine',
    async look({ facts: { stateDir, keys } }, signal) {
      const open = await openSecrets(stateDir, keys, signal)
      return open.length === 0
        ? ok('keys are readable for their owner alone')
        : failed(`others can read ${few(open, 2)}`)
    },
  },
  {
    id: 'keys',
    asks: 'Is every publishing key whole?',
    severity: 'some',
    why: 'A site whose key is lost can never be changed again.',
    remedy:
      'Bring the key back: `btlinkd backup restore FILE`, or `btlinkd key import NAME` with the seed on paper.',
    view: 'machine',
    async look({ facts: { keys } }) {
      const names = (await readdir(keys).catch(() => [])).filter((name) => name.endsWith('.key'))
      const damaged: string[] = []
      for (const name of names.slice(0, MAX_KEYS)) {
        const text = await readFile(join(keys, name), 'utf8')
        if (!/^[0-9a-fA-F]{64}\s*$/.test(text)) damaged.push(name.slice(0, -4))
      }
      if (damaged.length > 0) return failed(`no longer a key: ${few(damaged)}`)
      return ok(`${names.length} publishing keys are whole`)
    },
  },
  {
    id: 'database',
    asks: 'Is the database of sites whole?',
    severity: 'house',
    why: 'It holds names, versions, and the numbers that own records are signed with.',
    remedy: 'Stop the daemon and restore the last backup: `btlinkd backup restore FILE`.',
    view: 'daemon',
    async look({ box: { database } }, signal) {
      if (!database) return unknown('the daemon alone can look')
      const state = await database.check(signal)
      if (!state) return unknown('there is none yet')
      const [fault] = state.faults
      return fault === undefined
        ? ok(`${formatSize(state.bytes)}, every page is whole`)
        : failed(`damaged: ${fault.slice(0, 120)}`)
    },
  },
  {
    id: 'database-size',
    asks: 'Is the database as small as it can be?',
    severity: 'later',
    why: 'Room on the disk that nothing uses.',
    remedy: 'Let `btlinkd doctor --fix` pack it.',
    fix: 'database',
    view: 'daemon',
    async look({ box: { database } }, signal) {
      const state = await database?.check(signal)
      if (!state) return unknown('the daemon alone can look, and where there is one')
      const isBloated = state.freeBytes > BLOATED_BYTES && state.freeBytes > state.bytes / 4
      const line = `${formatSize(state.freeBytes)} of ${formatSize(state.bytes)} unused`
      return isBloated ? warning(line) : ok(line)
    },
  },
  {
    id: 'store',
    asks: 'Are the files of the store what they were?',
    severity: 'some',
    why: 'Cards forget bits: pages and downloads come out damaged.',
    remedy:
      'Let `btlinkd doctor --fix` take them out, and restart: they are fetched again from others. Replace the card if more appear.',
    fix: 'store',
    view: 'machine',
    async look({ facts: { blobs }, config: { sample } }, signal) {
      const files = await sampleBlobs(blobs, sample, signal)
      const damaged: string[] = []
      for (const { path, sha256 } of files) {
        if ((await hashOf(path, signal)) !== sha256) damaged.push(sha256.slice(0, 12))
      }
      return damaged.length > 0
        ? failed(`bits changed in ${damaged.length} of ${files.length} files: ${few(damaged, 3)}`)
        : ok(`${files.length} files read again, all as they were`)
    },
  },
  {
    id: 'dht-state',
    asks: "Is the DHT's memory readable?",
    severity: 'later',
    why: 'Without it the box has to find its way into the network anew at each start.',
    remedy: 'Let `btlinkd doctor --fix` put it aside: the network gives it back.',
    fix: 'dht-state',
    view: 'machine',
    async look({ facts: { stateDir } }) {
      const damaged = await damagedDhtFiles(stateDir)
      return damaged.length === 0
        ? ok('what the DHT remembers is readable')
        : warning(`cannot be read: ${few(damaged)}`)
    },
  },
  {
    id: 'sockets',
    asks: 'Is the run folder free of dead sockets?',
    severity: 'later',
    why: 'Programs that talk to the daemon wait at a door that nobody opens.',
    remedy: 'Let `btlinkd doctor --fix` remove them.',
    fix: 'sockets',
    view: 'machine',
    async look({ facts: { stateDir } }, signal) {
      const dead = await staleSockets(stateDir, signal)
      return dead.length === 0
        ? ok('no dead sockets')
        : warning(`nobody answers at ${few(dead, 2)}`)
    },
  },
  {
    id: 'backup',
    asks: 'Is there a backup, and is it recent?',
    severity: 'later',
    why: 'Keys that are lost with a card are lost for ever, and with them the names of your sites.',
    remedy: 'Make one: `btlinkd backup create FILE`, and keep it on another machine.',
    view: 'machine',
    async look({ facts: { stateDir, keys }, clock, config: { backup_age: oldMs } }) {
      const owned = (await readdir(keys).catch(() => [])).filter((one) => one.endsWith('.key'))
      if (owned.length === 0) return ok('there is nothing yet that a backup would save')
      const stat = await lstat(backupFile(stateDir)).catch(() => undefined)
      if (!stat) return warning(`${owned.length} publishing keys, and no backup was ever made`)
      const days = Math.floor((clock.now() - stat.mtimeMs) / 86_400_000)
      if (clock.now() - stat.mtimeMs > oldMs) return warning(`the last backup is ${days} days old`)
      for (const name of owned.slice(0, MAX_KEYS)) {
        const { mtimeMs } = await lstat(join(keys, name))
        if (mtimeMs > stat.mtimeMs)
          return warning(`the key ${name.slice(0, -4)} is newer than the last backup`)
      }
      return ok(`the last backup is ${days} days old`)
    },
  },
]

export const DHT_FILES = ['nodes.benc', 'items.benc']

export async function damagedDhtFiles(stateDir: string): Promise<string[]> {
  const damaged: string[] = []
  for (const name of DHT_FILES) {
    const bytes = await readFile(join(stateDir, 'dht', name)).catch(() => undefined)
    if (!bytes) continue
    try {
      if (decode(bytes, { maxDepth: 4 }) instanceof Map) continue
    } catch {
      // Told below, as one that is something else.
    }
    damaged.push(name)
  }
  return damaged
}
