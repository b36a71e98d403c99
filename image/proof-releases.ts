/**
 * What `npm run proof:update` gives to the box: images that are well or broken in one way, as signed
 * releases, and the web server where the box finds them. Everything is kept for the next run, until the
 * image it was made for is another.
 */
import { createReadStream, existsSync } from 'node:fs'
import {
  chmod,
  cp,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { Cleanup } from '../test/support/temp.ts'
import { FLAVOURS } from './flavours.ts'
import { buildImage } from './image.ts'
import { developmentKeys, type SigningKeys } from './keys.ts'
import { makeReleaseFolder } from './release-folder.ts'

export const RUNS = '0.1.0'
export const GOOD = '0.2.0'
const SLOT_FILE = /\.(root|verity)\.[0-9a-f-]+\.raw$|\.efi$/

export interface Workshop {
  work: string
  /** Folder of the image that the box begins with. */
  first: string
  /** Our Debian package, the one of that image. */
  package: string
  /** The pair whose public half is in that image. */
  keys: SigningKeys
  say: (line: string) => void
}

/** Empties `work` where it belongs to another image: the name of a root partition has its hash. */
export async function openWorkshop({ work, first }: Workshop): Promise<void> {
  const root = (await readdir(first)).find((name) => name.includes('.root.'))
  if (root === undefined) throw new Error(`${first} has no files of an update: build with --raw`)
  const stamp = join(work, 'image')
  const before = await readFile(stamp, 'utf8').catch(() => undefined)
  if (before !== undefined && before !== root) await rm(work, { recursive: true })
  await mkdir(join(work, 'site'), { recursive: true })
  await writeFile(stamp, root)
}

/** An image with files put over its own. */
async function variant(
  { work, package: deb, keys, say }: Workshop,
  version: string,
  files: Record<string, string | Uint8Array>,
): Promise<string> {
  const out = join(work, version)
  if (existsSync(out)) return out
  const overlay = join(work, `overlay-${version}`)
  await rm(overlay, { recursive: true, force: true })
  for (const [path, content] of Object.entries(files)) {
    const file = join(overlay, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    await chmod(file, 0o755)
  }
  await buildImage({
    facts: FLAVOURS.pc,
    version,
    out,
    overlay,
    package: deb,
    key: keys.secretKey,
    fresh: false,
    raw: true,
    lock: false,
    say,
  })
  return out
}

/** PE/COFF specification, section table: where a section of a unified kernel image lies in its file. */
async function sectionOf(path: string, name: string): Promise<{ at: number; bytes: number }> {
  const file = await open(path, 'r')
  try {
    const head = Buffer.alloc(8192)
    await file.read(head, 0, head.length, 0)
    const coff = head.readUInt32LE(0x3c) + 4
    const table = coff + 20 + head.readUInt16LE(coff + 16)
    for (let index = 0; index < head.readUInt16LE(coff + 2); index++) {
      const entry = table + index * 40
      const found = head.toString('latin1', entry, entry + 8).replace(/\0+$/, '')
      if (found === name)
        return { bytes: head.readUInt32LE(entry + 16), at: head.readUInt32LE(entry + 20) }
    }
  } finally {
    await file.close()
  }
  throw new Error(`${path} has no section ${name}`)
}

type Damage = (kernel: string) => Promise<void>

/** Writes over a section: what `change` makes of it may be shorter, never longer. */
async function rewrite(kernel: string, name: string, change: (old: Buffer) => Buffer) {
  const { at, bytes } = await sectionOf(kernel, name)
  const file = await open(kernel, 'r+')
  try {
    const old = Buffer.alloc(bytes)
    await file.read(old, 0, bytes, at)
    const made = change(old)
    await file.write(made, 0, Math.min(made.length, bytes), at)
  } finally {
    await file.close()
  }
}

/** The kernel finds nothing to start, and panics. */
const withoutInitrd: Damage = async (kernel) =>
  rewrite(kernel, '.initrd', () => randomBytes(65_536))

/** The initrd waits for a root file system that no disk has, as it would without the disk's driver. */
const withoutRoot: Damage = async (kernel) =>
  rewrite(kernel, '.cmdline', (old) => {
    const key = 'roothash='
    const from = old.indexOf(key) + key.length
    if (from < key.length) throw new Error(`${kernel} names no root file system`)
    old.write(randomBytes(16).toString('hex'), from)
    return old
  })

/** One role ends as soon as it begins, by a drop-in of its unit in the place of the one that is there. */
const withoutDaemon: Damage = async (kernel) =>
  rewrite(kernel, '.cmdline', (old) => {
    const given = /systemd\.set_credential_binary=\S+/.exec(old.toString('latin1'))?.[0] ?? ''
    const dropIn = Buffer.from('[Service]\nExecStart=\nExecStart=/bin/false\n').toString('base64')
    const ours = `systemd.set_credential_binary=systemd.unit-dropin.btlinkd-web.service:${dropIn}`
    if (given.length < ours.length) throw new Error(`${kernel} has no room for a credential`)
    old.write(ours.padEnd(given.length), old.indexOf(given))
    return old
  })

/** By what it says there the boot loader sorts. */
const called =
  (version: string): Damage =>
  async (kernel) =>
    rewrite(kernel, '.osrel', (old) =>
      Buffer.from(old.toString('latin1').replaceAll(GOOD, version), 'latin1'),
    )

/** The files of `from`, under another version where that is said, its kernel damaged. */
async function altered(
  { work }: Workshop,
  from: string,
  { name, version }: { name: string; version: string },
  damage?: Damage,
): Promise<string> {
  const out = join(work, `${name}-${version}`)
  if (existsSync(out)) return out
  const half = `${out}.half`
  await rm(half, { recursive: true, force: true })
  await mkdir(half)
  for (const file of await readdir(from)) {
    if (!SLOT_FILE.test(file)) continue
    const to = join(half, file.replace(GOOD, version))
    await cp(join(from, file), to)
    if (!file.endsWith('.efi')) continue
    await called(version)(to)
    await damage?.(to)
  }
  await rename(half, out)
  return out
}

/** A folder of the channel each. */
export const RELEASES = ['good', 'daemon', 'kernel', 'stuck', 'forged', 'older'] as const
export type ReleaseName = (typeof RELEASES)[number]

/** Makes the folder of a release in `work/site`, unless it is there. */
export async function makeRelease(shop: Workshop, name: ReleaseName): Promise<void> {
  const { work, first, say } = shop
  const to = join(work, 'site', name)
  if (existsSync(to)) return
  const good = await variant(shop, GOOD, { 'usr/share/proof/blob': randomBytes(3_000_000) })
  const kinds: Record<ReleaseName, () => Promise<string>> = {
    good: async () => good,
    forged: async () => good,
    // It comes so far that its root says which version it is: that has to be the one of the kernel.
    daemon: async () => altered(shop, good, { name, version: GOOD }, withoutDaemon),
    kernel: async () => altered(shop, good, { name, version: '0.4.0' }, withoutInitrd),
    stuck: async () => altered(shop, good, { name, version: '0.5.0' }, withoutRoot),
    older: async () => altered(shop, good, { name, version: '0.0.9' }),
  }
  const keys = name === 'forged' ? await developmentKeys(join(work, 'stranger')) : shop.keys
  const half = `${to}.half`
  await makeReleaseFolder({
    from: await kinds[name](),
    to: half,
    earlier: name === 'older' ? [] : [first],
    secretKey: keys.secretKey,
    architecture: 'amd64',
    flavour: 'pc',
    isFast: true,
    packsOnly: true,
    say,
  })
  await rename(half, to)
}

/** Serves `folder` on loopback, with ranges; gives the port. */
export async function channel(cleanup: Cleanup, folder: string): Promise<number> {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(request.url ?? '/').replaceAll('..', ''))
    void stat(path).then(
      ({ size }) => {
        const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
        const head = from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {}
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': size - from, ...head })
        const body = createReadStream(path, { start: from })
        // A machine that loses its power hangs up in the middle.
        response.on('close', () => body.destroy())
        body.on('error', () => response.destroy()).pipe(response)
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  cleanup.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
