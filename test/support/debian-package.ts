/** The Debian package of this tree for this machine, built once for all test files that ask. */
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { output } from './processes.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What the package is made of, as far as it can change while a machine stands. */
const SOURCES = ['src', 'image/deb', 'systemd', 'docs', '.ci/assets.mjs', 'package-lock.json']
const MORE = ['package.json', 'CHANGELOG.md', 'LICENSE', 'image/deb.ts', '.git/HEAD']

/** Names, sizes and times: reading it all would take longer than building. */
async function state(): Promise<string> {
  const sum = createHash('sha256').update(process.env['SOURCE_DATE_EPOCH'] ?? '')
  sum.update(await output('/usr/bin/git', ['log', '-1', '--format=%H'], { cwd: ROOT }))
  for (const source of [...SOURCES, ...MORE]) {
    const path = join(ROOT, source)
    if (!existsSync(path)) continue
    const below = statSync(path).isDirectory() ? await readdir(path, { recursive: true }) : ['']
    for (const one of below.sort()) {
      const { size, mtimeMs } = statSync(join(path, one))
      sum.update(`${source}/${one} ${size} ${mtimeMs}\n`)
    }
  }
  return sum.digest('hex').slice(0, 12)
}

const HOUR_MS = 3_600_000

/** Packages of earlier states: nobody asks for them again. */
async function dropOld(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const path = join(tmpdir(), name)
    if (!name.startsWith('btl-package-') || statSync(path).mtimeMs > Date.now() - HOUR_MS) continue
    await rm(path, { recursive: true, force: true })
  }
}

/** Path of the .deb. It stays below the system's temporary folder. */
export async function builtPackage(): Promise<string> {
  const folder = join(tmpdir(), `btl-package-${await state()}`)
  if (!existsSync(folder)) {
    await dropOld()
    const half = await mkdtemp(join(tmpdir(), 'btl-package-new-'))
    try {
      const args = [join(ROOT, 'image/deb.ts'), '--out', half]
      await output(process.execPath, args, { timeoutMs: 200_000 })
      await rename(half, folder)
    } catch (error) {
      await rm(half, { recursive: true, force: true })
      if (!existsSync(folder)) throw error
    }
  }
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.deb'))
  if (file === undefined) throw new Error(`${folder} has no package`)
  return join(folder, file)
}

/** A module for `/usr/lib/btlinkd`: loads what is native, uses it, prints architecture and SQLite's version. */
export const NATIVE_PROBE = `
import Database from 'better-sqlite3'
import { createRequire } from 'node:module'
const db = new Database(':memory:')
const { PeerConnection, cleanup } = await import('node-datachannel')
const peer = new PeerConnection('a', { iceServers: [] })
peer.close()
cleanup()
createRequire(import.meta.url)('fs-native-extensions')
console.log(process.arch, db.prepare('select sqlite_version() as v').get().v)
`
