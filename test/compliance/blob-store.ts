/** What every BlobStore does, with the TorrentFolders that hold its blobs. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { toHex } from '../../src/base/bytes.ts'
import { infoHash, sha256 } from '../../src/base/hashes.ts'
import { encodeInfo } from '../../src/base/metainfo/encode.ts'
import { createPieceHasher } from '../../src/base/metainfo/piece-hasher.ts'
import type { Store, StoredBlob } from '../../src/base/ports/store.ts'
import type { Cleanup } from '../support/temp.ts'

export async function* chunksOf(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export const sha256Of = (bytes: Uint8Array) =>
  sha256(createHash('sha256').update(bytes).digest('hex'))

/** A torrent of files named by their number. */
export function torrentOf(...contents: Uint8Array[]) {
  const hasher = createPieceHasher(16_384)
  for (const content of contents) hasher.push(content)
  const info = encodeInfo({
    name: 'torrent',
    files: contents.map((content, index) => ({ path: [`f${index}`], length: content.length })),
    isSingleFile: false,
    pieceLength: 16_384,
    pieces: hasher.finish(),
  })
  return { info, infoHash: infoHash(toHex(createHash('sha1').update(info).digest())) }
}

export function blobStoreCompliance(what: string, open: (t: Cleanup) => Promise<Store>): void {
  const bytes = Buffer.from('hello blob '.repeat(1000))

  describe(`${what} as a blob store`, () => {
    it('gives the same bytes the same blob, and finds it by sha256', async (t) => {
      const { blobs } = await open(t)
      const one = await blobs.put(chunksOf(bytes))
      const two = await blobs.put(chunksOf(bytes, 7))
      assert.equal(one.sha256, sha256Of(bytes))
      assert.deepEqual(two, one)
      assert.deepEqual(await blobs.get(one.sha256), one)
      assert.equal(one.length, bytes.length)
    })

    it('keeps a blob without bytes', async (t) => {
      const { blobs } = await open(t)
      const empty = await blobs.put(chunksOf(new Uint8Array(0)))
      assert.equal(empty.length, 0)
      assert.deepEqual(await blobs.get(empty.sha256), empty)
    })

    it('does not know a blob that nobody put', async (t) => {
      const { blobs } = await open(t)
      assert.equal(await blobs.get(sha256Of(Buffer.from('unknown'))), undefined)
    })

    it('shows every chunk in order to who observes', async (t) => {
      const { blobs } = await open(t)
      const seen: Uint8Array[] = []
      await blobs.put(chunksOf(bytes), { observe: (chunk) => void seen.push(Buffer.from(chunk)) })
      assert.deepEqual(Buffer.concat(seen), bytes)
    })

    it('takes exactly maxBytes and refuses one more', async (t) => {
      const { blobs } = await open(t)
      await assert.rejects(blobs.put(chunksOf(bytes), { maxBytes: bytes.length - 1 }), {
        code: 'BTL_ERR_STORE_TOO_LARGE',
        statusCode: 413,
      })
      assert.equal(await blobs.get(sha256Of(bytes)), undefined)
      const { length } = await blobs.put(chunksOf(bytes), { maxBytes: bytes.length })
      assert.equal(length, bytes.length)
    })

    it('keeps nothing of a source that fails or is given up', async (t) => {
      const { blobs } = await open(t)
      const failing = async function* () {
        yield bytes
        throw new Error('the source broke')
      }
      await assert.rejects(blobs.put(failing()), /the source broke/)
      const given = new AbortController()
      const endless = async function* () {
        for (;;) {
          yield bytes
          given.abort()
        }
      }
      await assert.rejects(blobs.put(endless(), { signal: given.signal }), { name: 'AbortError' })
      assert.equal(await blobs.get(sha256Of(bytes)), undefined)
    })

    it('takes back a discarded put, unless a torrent holds the blob', async (t) => {
      const { blobs, torrents } = await open(t)
      const lost = await blobs.put(chunksOf(bytes))
      await blobs.discard(lost.sha256)
      assert.equal(await blobs.get(lost.sha256), undefined)
      const kept = await blobs.put(chunksOf(bytes))
      const { info, infoHash } = torrentOf(bytes)
      await torrents.link(infoHash, info, [kept.sha256])
      await blobs.put(chunksOf(bytes))
      await blobs.discard(kept.sha256)
      assert.ok(await blobs.get(kept.sha256))
    })
  })

  describe(`${what} as folders of torrents`, () => {
    async function linked(store: Store) {
      const blob: StoredBlob = await store.blobs.put(chunksOf(bytes))
      const torrent = torrentOf(bytes)
      await store.torrents.link(torrent.infoHash, torrent.info, [blob.sha256])
      return { ...torrent, blob }
    }

    it('link blobs and give the info dict back, as often as asked', async (t) => {
      const store = await open(t)
      const { infoHash, info, blob } = await linked(store)
      await store.torrents.link(infoHash, info, [blob.sha256])
      assert.deepEqual(Buffer.from((await store.torrents.info(infoHash)) ?? []), Buffer.from(info))
    })

    it('keep an info dict without data', async (t) => {
      const { torrents } = await open(t)
      const { infoHash, info } = torrentOf(bytes)
      assert.equal(await torrents.info(infoHash), undefined)
      await torrents.saveInfo(infoHash, info)
      assert.deepEqual(Buffer.from((await torrents.info(infoHash)) ?? []), Buffer.from(info))
    })

    it('refuse a blob that is not there', async (t) => {
      const { torrents } = await open(t)
      const { infoHash, info } = torrentOf(bytes)
      await assert.rejects(torrents.link(infoHash, info, [sha256Of(bytes)]), {
        code: 'BTL_ERR_STORE_NO_BLOB',
      })
      assert.equal(await torrents.info(infoHash), undefined)
    })

    it('forget what is removed, and do not mind what never was', async (t) => {
      const store = await open(t)
      const { infoHash } = await linked(store)
      await store.torrents.remove(infoHash)
      await store.torrents.remove(infoHash)
      assert.equal(await store.torrents.info(infoHash), undefined)
    })
  })
}
