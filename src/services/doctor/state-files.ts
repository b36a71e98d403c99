/** Walks over the state: whose files are whose, and a few of the many. */
import { randomInt } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

const MAX_FILES = 20_000
const SHA256 = /^[0-9a-f]{64}$/
/** Where the files of the store are: as many as there are bytes of a card, and made by the daemon alone. */
const STORE = 'store'

async function* walk(folder: string, signal: AbortSignal, skip?: string): AsyncGenerator<string> {
  yield folder
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    signal.throwIfAborted()
    const path = join(folder, entry.name)
    if (entry.name === skip) yield path
    else if (entry.isDirectory()) yield* walk(path, signal)
    else yield path
  }
}

/** Paths in the state, without those in the store, whose owner is not that of the folder itself. */
export async function strangersOf(stateDir: string, signal: AbortSignal): Promise<string[]> {
  const { uid, gid } = await lstat(stateDir)
  const strangers: string[] = []
  // Root reads them all; and a folder that was named by mistake, like /srv, keeps its owners.
  if (uid === 0) return strangers
  let seen = 0
  for await (const path of walk(stateDir, signal, STORE)) {
    // In the making, by whoever looks at the disk in this moment.
    if (basename(path).startsWith('.tmp-')) continue
    if (++seen > MAX_FILES) break
    const stat = await lstat(path).catch(() => undefined)
    if (stat && (stat.uid !== uid || (stat.gid !== gid && stat.uid !== uid))) strangers.push(path)
  }
  return strangers
}

/** Key files that somebody else may read, and folders of keys that others may enter. */
export async function openSecrets(
  stateDir: string,
  keys: string,
  signal: AbortSignal,
): Promise<string[]> {
  const open: string[] = []
  let seen = 0
  for (const folder of [keys, join(stateDir, 'pki'), join(stateDir, 'acme')]) {
    for await (const path of walk(folder, signal)) {
      if (++seen > MAX_FILES) break
      const stat = await lstat(path).catch(() => undefined)
      // A link has no mode of its own, and what it leads to may be anybody's.
      if (!stat || stat.isSymbolicLink()) continue
      const isSecret =
        path.endsWith('.key') || path === keys || (folder.endsWith('acme') && stat.isFile())
      if (isSecret && (stat.mode & 0o077) !== 0) open.push(path)
    }
  }
  return open
}

export interface Sampled {
  path: string
  sha256: string
}

/** `most` blobs from a random place on; all of them where they are fewer. */
export async function sampleBlobs(
  blobs: string,
  most: number,
  signal: AbortSignal,
): Promise<Sampled[]> {
  const shelves = (await readdir(blobs).catch(() => [])).filter((one) => /^[0-9a-f]{2}$/.test(one))
  const first = shelves.length > 0 ? randomInt(shelves.length) : 0
  const sampled: Sampled[] = []
  for (let i = 0; i < shelves.length && sampled.length < most; i++) {
    signal.throwIfAborted()
    const shelf = shelves[(first + i) % shelves.length] ?? ''
    for (const name of await readdir(join(blobs, shelf))) {
      if (SHA256.test(name) && sampled.length < most) {
        sampled.push({ path: join(blobs, shelf, name), sha256: name })
      }
    }
  }
  return sampled
}
