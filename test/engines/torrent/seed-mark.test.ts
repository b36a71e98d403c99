import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Encodable, encode } from '../../../src/base/bencode.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { torrentFolder } from '../../../src/base/layout.ts'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { calledFor } from '../../../src/engines/torrent/wire/reception.ts'
import { createSeedBook } from '../../../src/engines/torrent/seeds/seed-book.ts'
import {
  loadSeedMark,
  saveSeedMark,
  type SeedMark,
} from '../../../src/engines/torrent/seeds/seed-mark.ts'
import { encodeHandshake } from '../../../src/engines/torrent/wire/wire-reader.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

const HASH = infoHash('ab'.repeat(20))
const NOW = Date.UTC(2026, 10, 21)

async function emptyLayout(t: Cleanup) {
  const state = await tempFolder(t)
  const layout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
  await mkdir(torrentFolder(layout, HASH), { recursive: true })
  const write = async (bytes: Uint8Array) =>
    writeFile(join(torrentFolder(layout, HASH), 'seed'), bytes)
  return { layout, write }
}

const mark = (more: Partial<SeedMark> = {}): SeedMark => ({
  announceDht: true,
  own: false,
  isPrivate: false,
  wholeBytes: 1000,
  since: NOW,
  downloaded: 0,
  uploaded: 0,
  given: 0,
  hints: { peers: [], trackers: [], webSeeds: [] },
  ...more,
})

describe('the mark of a seed', () => {
  it('comes back as it was written', async (t) => {
    const { layout } = await emptyLayout(t)
    const bytes = fc.integer({ min: 0, max: 2 ** 48 })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          announceDht: fc.boolean(),
          own: fc.boolean(),
          isPrivate: fc.boolean(),
          wholeBytes: fc.option(fc.integer({ min: 1, max: 2 ** 48 }), { nil: undefined }),
          since: fc.constantFrom(0, NOW),
          downloaded: bytes,
          uploaded: bytes,
          given: bytes,
          hints: fc.record({
            peers: fc.array(fc.record({ host: fc.constant('2001:db8::1'), port: fc.nat(65_535) }), {
              maxLength: 5,
            }),
            trackers: fc.array(fc.webUrl(), { maxLength: 3 }),
            webSeeds: fc.array(fc.webUrl(), { maxLength: 3 }),
          }),
        }),
        async (given) => {
          await saveSeedMark(layout, HASH, given)
          // Its records have no prototype.
          assert.deepEqual(await loadSeedMark(layout, HASH), structuredClone(given))
        },
      ),
      { numRuns: 30 },
    )
  })

  it('is written again only when it says something else: cards wear', async (t) => {
    const { layout } = await emptyLayout(t)
    const written = async () =>
      (await stat(join(torrentFolder(layout, HASH), 'seed'), { bigint: true })).ino
    await saveSeedMark(layout, HASH, mark())
    const first = await written()
    await saveSeedMark(layout, HASH, mark())
    assert.equal(await written(), first)
    await saveSeedMark(layout, HASH, mark({ given: 1 }))
    assert.notEqual(await written(), first)
  })

  const broken: [string, Encodable | Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['half of a dictionary', Buffer.from('d3:dhti1e')],
    ['a list', ['seed']],
    ['zeros after a power cut', new Uint8Array(400)],
  ]
  for (const [what, content] of broken) {
    it(`is no mark where the file holds ${what}`, async (t) => {
      const { layout, write } = await emptyLayout(t)
      await write(content instanceof Uint8Array ? content : encode(content))
      assert.equal(await loadSeedMark(layout, HASH), undefined)
    })
  }

  it('is read as far as it makes sense', async (t) => {
    const { layout, write } = await emptyLayout(t)
    await write(
      encode({
        dht: 'yes',
        down: -5,
        given: ['x'],
        own: 7,
        peers: [1, 'a|b', 'host', '9.9.9.9|123456', '9.9.9.9|1'],
        since: -1,
        trackers: 'http://x/',
        up: 12n ** 17n,
        webseeds: Array.from({ length: 500 }, (_, index) => `http://${index}/`),
        whole: -1,
      }),
    )
    const read = await loadSeedMark(layout, HASH)
    assert.deepEqual(
      { ...read, hints: { ...read?.hints, webSeeds: read?.hints.webSeeds?.length } },
      {
        ...mark({ wholeBytes: undefined, since: 0 }),
        hints: { peers: [{ host: '9.9.9.9', port: 1 }], trackers: [], webSeeds: 100 },
      },
    )
  })

  it('never throws, whatever is in the file', async (t) => {
    const { layout, write } = await emptyLayout(t)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await write(bytes)
        await loadSeedMark(layout, HASH)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the book of seeds', () => {
  const bookOf = (layout: Awaited<ReturnType<typeof emptyLayout>>['layout']) =>
    createSeedBook({ layout, log: silentLog, clock: systemClock }, { seed_ratio: 0, seed_time: 0 })

  it('keeps the last of many marks that are written at once', async (t) => {
    const { layout } = await emptyLayout(t)
    const book = bookOf(layout)
    const seed = book.enter(HASH, mark())
    const writes = Array.from({ length: 20 }, async (_, index) => {
      seed.uploaded = index
      await book.save(seed, { trackers: [`http://${index}/`] })
    })
    await Promise.all(writes)
    const saved = await loadSeedMark(layout, HASH)
    assert.deepEqual([saved?.uploaded, saved?.hints.trackers], [19, ['http://19/']])
  })

  it('does not write the mark of a seed that is gone', async (t) => {
    const { layout } = await emptyLayout(t)
    const book = bookOf(layout)
    const seed = book.enter(HASH, mark())
    await book.save(seed, {})
    const removing = book.remove(HASH)
    await book.save(seed, {})
    await removing
    assert.equal(await loadSeedMark(layout, HASH), undefined)
  })

  it('passes by folders that are no seeds, and what is no folder of a torrent', async (t) => {
    const { layout } = await emptyLayout(t)
    await writeFile(join(layout.torrents, 'cd'.repeat(20)), 'a file')
    await mkdir(join(layout.torrents, 'lost+found'))
    const book = bookOf(layout)
    await book.load(() => assert.fail('no seed'), new AbortController().signal)
    assert.equal(book.size, 0)
  })
})

describe('a handshake', () => {
  it('names the torrent that is called for', () => {
    const bytes = encodeHandshake(fromHex(HASH), Buffer.alloc(20))
    assert.equal(calledFor(bytes), HASH)
    assert.equal(calledFor(bytes.subarray(0, 48)), HASH)
    assert.equal(calledFor(bytes.subarray(0, 47)), undefined)
  })

  it('names none in anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        assert.equal(calledFor(bytes), undefined)
      }),
    )
  })
})
