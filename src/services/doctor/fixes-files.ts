/** What can be mended in the state folder. */
import { randomBytes } from 'node:crypto'
import {
  chmod,
  copyFile,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../base/durable-file.ts'
import { formatSize } from '../../base/units.ts'
import { damagedDhtFiles, hashOf } from './checks-state.ts'
import { addressFile } from './checks-network.ts'
import type { Fix } from './check.ts'
import { writeWhole } from './durable.ts'
import { CannotFix } from './errors.ts'
import { goodConfigFile } from './good-config.ts'
import { sweepable } from './leftovers.ts'
import { houseAddress } from './network-facts.ts'
import { staleSockets } from './stale-sockets.ts'
import { openSecrets, sampleBlobs, strangersOf } from './state-files.ts'

const MAX_BLOBS = 1_000_000
const SECRET_BITS = 0o077

const stamp = (now: number): string => new Date(now).toISOString().replace(/[:.]/g, '-')

/** Files of torrents that are the same file as the blob: the store links them. */
async function linksOf(torrents: string, inode: number, signal: AbortSignal): Promise<string[]> {
  const found: string[] = []
  for (const torrent of await readdir(torrents).catch(() => [])) {
    const folder = join(torrents, torrent)
    for (const entry of await readdir(folder, { recursive: true }).catch(() => [])) {
      signal.throwIfAborted()
      const path = join(folder, entry)
      const file = await lstat(path).catch(() => undefined)
      if (file?.isFile() === true && file.ino === inode) found.push(path)
    }
  }
  return found
}

/** What root makes belongs to the user of the daemon like everything else there. */
async function giveTo(stateDir: string, path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = await stat(stateDir)
  await lchown(path, uid, gid)
}

/** A file of its own in the place of a link, so that nothing takes it for verified. */
async function unlinkFrom(path: string): Promise<void> {
  const { uid, gid } = await stat(path)
  const own = join(dirname(path), `.old-${randomBytes(9).toString('base64url')}`)
  try {
    await copyFile(path, own)
    if (process.geteuid?.() === 0) await lchown(own, uid, gid)
    await chmod(own, 0o644)
    await rename(own, path)
  } catch (error) {
    await rm(own, { force: true })
    throw error
  }
}

export const fileFixes: readonly Fix[] = [
  {
    id: 'state-modes',
    does: 'gives every file of the state folder to the user of the daemon, and closes keys to others',
    view: 'machine',
    async mend({ facts: { stateDir, keys } }, signal) {
      const strangers = await strangersOf(stateDir, signal)
      const { uid, gid } = await stat(stateDir)
      if (strangers.length > 0 && process.geteuid?.() !== 0) {
        throw new CannotFix('only root may give files to another user: run this with sudo')
      }
      for (const path of strangers) await lchown(path, uid, gid)
      const open = await openSecrets(stateDir, keys, signal)
      for (const path of open) await chmod(path, (await stat(path)).mode & 0o777 & ~SECRET_BITS)
      return `gave ${strangers.length} files to their user, closed ${open.length} to others`
    },
  },
  {
    id: 'leftovers',
    does: 'removes unfinished files of crashes that are a day old at least',
    view: 'machine',
    async mend({ facts, clock }, signal) {
      const left = await sweepable(facts, clock.now(), signal)
      for (const { path } of left) await rm(path, { recursive: true, force: true })
      const bytes = left.reduce((sum, one) => sum + one.bytes, 0)
      return `removed ${left.length} unfinished files, ${formatSize(bytes)}`
    },
  },
  {
    id: 'sockets',
    does: 'removes sockets at which nobody listens',
    view: 'machine',
    async mend({ facts: { stateDir } }, signal) {
      const dead = await staleSockets(stateDir, signal)
      for (const path of dead) await rm(path, { force: true })
      return `removed ${dead.length} dead sockets`
    },
  },
  {
    id: 'dht-state',
    does: 'puts what the DHT remembers and cannot be read aside; the network gives it back',
    view: 'machine',
    async mend({ facts: { stateDir } }) {
      const damaged = await damagedDhtFiles(stateDir)
      const folder = join(stateDir, 'dht')
      // One copy is enough to look at.
      for (const name of damaged) await rename(join(folder, name), join(folder, `${name}.damaged`))
      if (damaged.length > 0) await syncFolder(folder)
      return `put ${damaged.length} files aside as *.damaged`
    },
  },
  {
    id: 'config',
    does: 'puts the last valid configuration in the place of the broken one, which is kept beside it',
    view: 'machine',
    async mend({ facts, clock }) {
      const { configFile, mistakes, stateDir } = facts
      if (mistakes.length === 0 || configFile === undefined) return 'the configuration is valid'
      const good = await readFile(goodConfigFile(stateDir), 'utf8').catch(() => undefined)
      if (good === undefined) {
        throw new CannotFix('no valid configuration was kept: correct the mistakes by hand')
      }
      if (!(await facts.isValidConfig(goodConfigFile(stateDir)))) {
        throw new CannotFix('the kept configuration is not valid for this version either')
      }
      const { mode } = await stat(configFile)
      const broken = `${configFile}.broken-${stamp(clock.now())}`
      await copyFile(configFile, broken)
      await writeWhole(configFile, good, mode & 0o777)
      return `${configFile} is the last valid one again; the broken one is ${broken}`
    },
  },
  {
    id: 'store',
    does: 'takes files whose bits changed out of the store; after a restart they are fetched again from others',
    view: 'machine',
    async mend({ facts: { blobs, torrents, stateDir } }, signal) {
      const taken: string[] = []
      let copies = 0
      for (const { path, sha256 } of await sampleBlobs(blobs, MAX_BLOBS, signal)) {
        if ((await hashOf(path, signal)) === sha256) continue
        const { ino } = await lstat(path)
        for (const link of await linksOf(torrents, ino, signal)) {
          await unlinkFrom(link)
          copies++
        }
        // What no torrent has may be the only copy: somebody may still want what is left of it.
        const aside = join(stateDir, 'damaged')
        await mkdir(aside, { recursive: true, mode: 0o750 })
        await giveTo(stateDir, aside)
        await rename(path, join(aside, sha256)).catch(async () => {
          await copyFile(path, join(aside, sha256))
          await rm(path)
        })
        await giveTo(stateDir, join(aside, sha256))
        taken.push(sha256)
      }
      return `took ${taken.length} damaged files out (kept in damaged/), ${copies} files of torrents will be checked`
    },
  },
  {
    id: 'address',
    does: 'accepts the present address of the box as its lasting one',
    view: 'machine',
    async mend({ machine, facts: { stateDir } }) {
      const own = await houseAddress(machine)
      if (!own) throw new CannotFix('the box has no address to accept')
      await writeWhole(addressFile(stateDir), `${own.address}\n`, 0o640)
      return `${own.address} is the address of the box`
    },
  },
]
