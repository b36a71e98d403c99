/** A store in memory: the port's promises without disk. With `folder`, contents are also plain files there. */
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  sign,
} from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nameKey } from '../../src/base/bep44.ts'
import { concatBytes, fromHex, toHex } from '../../src/base/bytes.ts'
import { declareError } from '../../src/base/errors.ts'
import {
  type InfoHash,
  type PublicKey,
  publicKey,
  type Sha256,
  sha256,
} from '../../src/base/hashes.ts'
import {
  blobPath,
  type StoreLayout,
  torrentFilePath,
  torrentFolder,
  torrentInfoPath,
} from '../../src/base/layout.ts'
import type {
  BlobStore,
  KeyStore,
  Site,
  SiteStore,
  SiteVersion,
  Store,
  StoredBlob,
  TorrentFolders,
} from '../../src/base/ports/store.ts'

const NoBlob = declareError('BTL_ERR_STORE_NO_BLOB', 'no blob %s in the store', 404)
const NoKey = declareError('BTL_ERR_STORE_NO_KEY', 'there is no key named "%s"', 404)
const KeyExists = declareError('BTL_ERR_STORE_KEY_EXISTS', 'a key named "%s" exists already', 409)
const TooLarge = declareError('BTL_ERR_STORE_TOO_LARGE', 'content is larger than %s bytes', 413)

export interface FakeStore extends Store {
  /** Every blob's bytes. */
  contents: Map<Sha256, Uint8Array>
  /** Sha256 of every file of the linked torrents; undefined for a pad file. */
  linked: Map<InfoHash, readonly (Sha256 | undefined)[]>
}

export interface FakeStoreOptions {
  /** Blobs and torrents are written below it, laid out as `fakeLayout(folder)` says. */
  folder?: string
}

export const fakeLayout = (folder: string): StoreLayout => ({
  blobs: join(folder, 'blobs'),
  torrents: join(folder, 'torrents'),
})

interface Shelf {
  contents: FakeStore['contents']
  linked: FakeStore['linked']
  layout: StoreLayout | undefined
}

function createFakeBlobs({ contents, linked, layout }: Shelf): BlobStore {
  const stored = (hash: Sha256, length: number): StoredBlob => ({
    sha256: hash,
    length,
    path: layout ? blobPath(layout, hash) : `memory:${hash}`,
  })

  async function keep(bytes: Uint8Array): Promise<StoredBlob> {
    const hash = sha256(createHash('sha256').update(bytes).digest('hex'))
    contents.set(hash, bytes)
    const blob = stored(hash, bytes.length)
    if (layout) {
      await mkdir(join(layout.blobs, hash.slice(0, 2)), { recursive: true })
      await writeFile(blob.path, bytes)
    }
    return blob
  }

  return {
    async put(source, options = {}) {
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of source) {
        options.signal?.throwIfAborted()
        length += chunk.length
        if (length > (options.maxBytes ?? Infinity)) throw new TooLarge(options.maxBytes)
        options.observe?.(chunk)
        chunks.push(Uint8Array.from(chunk))
      }
      return keep(concatBytes(...chunks))
    },
    async get(hash) {
      const bytes = contents.get(hash)
      return bytes && stored(hash, bytes.length)
    },
    async adopt(path) {
      return keep(await readFile(path))
    },
    async discard(hash) {
      if ([...linked.values()].some((blobs) => blobs.includes(hash))) return
      contents.delete(hash)
    },
  }
}

function createFakeTorrents({ contents, linked, layout }: Shelf): TorrentFolders {
  const infos = new Map<InfoHash, Uint8Array>()

  async function write(path: string, bytes: Uint8Array): Promise<void> {
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, bytes)
  }

  return {
    async link(infoHash, info, blobs) {
      for (const [index, hash] of blobs.entries()) {
        if (hash === undefined) continue
        const bytes = contents.get(hash)
        if (!bytes) throw new NoBlob(hash)
        if (layout) await write(torrentFilePath(layout, infoHash, index), bytes)
      }
      if (layout) await write(torrentInfoPath(layout, infoHash), info)
      infos.set(infoHash, info)
      linked.set(infoHash, [...blobs])
    },
    async info(infoHash) {
      return infos.get(infoHash)
    },
    async saveInfo(infoHash, info) {
      infos.set(infoHash, info)
    },
    async adopt(infoHash) {
      if (!linked.has(infoHash)) linked.set(infoHash, [])
    },
    async remove(infoHash) {
      infos.delete(infoHash)
      linked.delete(infoHash)
      if (layout) await rm(torrentFolder(layout, infoHash), { recursive: true, force: true })
    },
  }
}

export function createFakeSites(): SiteStore {
  const sites = new Map<string, Site>()
  const history = new Map<string, SiteVersion[]>()
  const reserved = new Map<string, number>()
  const pins = new Map<InfoHash, { infoHash: InfoHash; title?: string; addedAt: number }>()
  const versions = (key: PublicKey, salt: Uint8Array) => history.get(nameKey(key, salt)) ?? []

  return {
    site: (key, salt) => sites.get(nameKey(key, salt)),
    sites: () => [...sites.values()],
    saveSite(site) {
      sites.set(nameKey(site.publicKey, site.salt), { ...site })
    },
    removeSite(key, salt) {
      sites.delete(nameKey(key, salt))
      history.delete(nameKey(key, salt))
    },
    visited(key, salt, at) {
      const known = sites.get(nameKey(key, salt))
      const site = known ?? { publicKey: key, salt, watched: false, pinned: false }
      sites.set(nameKey(key, salt), { ...site, lastVisitedAt: at })
    },
    latest: (key, salt) => versions(key, salt)[0],
    versions: (key, salt) => [...versions(key, salt)],
    remember(version) {
      const name = nameKey(version.publicKey, version.salt)
      const known = history.get(name) ?? []
      if (known.some(({ seq }) => seq === version.seq)) return false
      history.set(
        name,
        [...known, { ...version }].sort((a, b) => b.seq - a.seq),
      )
      return true
    },
    confirmed(key, salt, seq, at) {
      const version = versions(key, salt).find((each) => each.seq === seq)
      if (version) version.confirmedAt = Math.max(version.confirmedAt, at)
    },
    reserveSeq(key, salt, seen) {
      const name = nameKey(key, salt)
      const known = versions(key, salt)[0]?.seq ?? 0
      const seq = Math.max(known, reserved.get(name) ?? 0, seen) + 1
      reserved.set(name, seq)
      return seq
    },
    pinTorrent(infoHash, title, addedAt) {
      const known = pins.get(infoHash)
      pins.set(infoHash, {
        infoHash,
        ...(title === undefined ? {} : { title }),
        addedAt: known?.addedAt ?? addedAt,
      })
    },
    unpinTorrent: (infoHash) => void pins.delete(infoHash),
    pinnedTorrents: () => [...pins.values()],
  }
}

// RFC 8410: the 16 bytes before the seed of an Ed25519 key in PKCS #8.
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')

export function createFakeKeys(): KeyStore {
  const keys = new Map<string, KeyObject>()
  const publicOf = (key: KeyObject): PublicKey =>
    publicKey(toHex(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)))

  function add(name: string, key: KeyObject): PublicKey {
    if (keys.has(name)) throw new KeyExists(name)
    keys.set(name, key)
    return publicOf(key)
  }

  function needed(name: string): KeyObject {
    const key = keys.get(name)
    if (!key) throw new NoKey(name)
    return key
  }

  const create = (name: string) => add(name, generateKeyPairSync('ed25519').privateKey)
  return {
    async list() {
      return [...keys].map(([name, key]) => ({ name, publicKey: publicOf(key) }))
    },
    async ensure(name) {
      const key = keys.get(name)
      return key ? publicOf(key) : create(name)
    },
    async create(name) {
      return create(name)
    },
    async publicKey(name) {
      const key = keys.get(name)
      return key && publicOf(key)
    },
    async importSeed(name, seed) {
      const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed))
      return add(name, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    },
    async exportSeed(name) {
      return needed(name).export({ format: 'der', type: 'pkcs8' }).subarray(-32)
    },
    async sign(name, message) {
      return sign(null, message, needed(name))
    },
  }
}

export function createFakeStore(options: FakeStoreOptions = {}): FakeStore {
  const contents: FakeStore['contents'] = new Map()
  const linked: FakeStore['linked'] = new Map()
  const layout = options.folder === undefined ? undefined : fakeLayout(options.folder)
  const shelf = { contents, linked, layout }
  return {
    name: 'store',
    contents,
    linked,
    blobs: createFakeBlobs(shelf),
    torrents: createFakeTorrents(shelf),
    sites: createFakeSites(),
    keys: createFakeKeys(),
    async start() {},
    async stop() {},
    snapshot: async () => 'memory:snapshot',
    health: () => ({ status: 'ok', score: 100 }),
  }
}
