import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Encodable, encode } from '../../../src/base/bencode.ts'
import { fromHex, utf8 } from '../../../src/base/bytes.ts'
import {
  decodeInfo,
  decodeInfoInSlices,
  decodeTorrentFile,
} from '../../../src/base/metainfo/decode.ts'
import { encodeInfo, encodeTorrentFile } from '../../../src/base/metainfo/encode.ts'
import { assertSound } from './sound.ts'

const PIECE = 16_384
const hashes = (pieces: number) => new Uint8Array(20 * pieces).fill(7)

const single = encode({
  length: 100,
  name: 'file.bin',
  'piece length': PIECE,
  pieces: hashes(1),
})

const multi = (files: Encodable, changes: object = {}): Uint8Array =>
  encode({ files, name: 'site', 'piece length': PIECE, pieces: hashes(1), ...changes })

const paths = (info: Uint8Array) => decodeInfo(info).files.map(({ path }) => path.join('/'))

describe('decodeInfo', () => {
  it('reads a single file', () => {
    const metainfo = decodeInfo(single)
    assert.deepEqual(metainfo, {
      infoHash: createHash('sha1').update(single).digest('hex'),
      name: 'file.bin',
      isSingleFile: true,
      isPrivate: false,
      files: [{ index: 0, path: ['file.bin'], length: 100, offset: 0, isPad: false }],
      pieceLength: PIECE,
      pieceCount: 1,
      pieces: hashes(1),
      totalLength: 100,
      info: single,
    })
  })

  it('reads a folder, with offsets in the data', () => {
    const { files, isSingleFile, name, totalLength } = decodeInfo(
      multi([
        { length: 5, path: ['index.html'] },
        { length: 0, path: ['empty'] },
        { length: 7, path: ['a', 'b.css'] },
      ]),
    )
    assert.deepEqual(files, [
      { index: 0, path: ['index.html'], length: 5, offset: 0, isPad: false },
      { index: 1, path: ['empty'], length: 0, offset: 5, isPad: false },
      { index: 2, path: ['a', 'b.css'], length: 7, offset: 5, isPad: false },
    ])
    assert.deepEqual([isSingleFile, name, totalLength], [false, 'site', 12])
  })

  it('keeps a folder of one file apart from a single file', () => {
    const metainfo = decodeInfo(multi([{ length: 5, path: ['site'] }]))
    assert.equal(metainfo.isSingleFile, false)
  })

  it('prefers path.utf-8 and name.utf-8 where they are UTF-8', () => {
    const old = fromHex('8365')
    const info = multi([{ length: 5, path: [old], 'path.utf-8': ['\u30c6'] }], {
      name: old,
      'name.utf-8': '\u30c6',
    })
    assert.deepEqual(paths(info), ['\u30c6'])
    assert.equal(decodeInfo(info).name, '\u30c6')
    const broken = multi([{ length: 5, path: ['a'], 'path.utf-8': [old] }], { 'name.utf-8': old })
    assert.deepEqual(paths(broken), ['a'])
    assert.equal(decodeInfo(broken).name, 'site')
  })

  it('takes path.utf-8 alone', () => {
    assert.deepEqual(paths(multi([{ length: 5, 'path.utf-8': ['a'] }])), ['a'])
  })

  it('mends names that are no UTF-8', () => {
    assert.deepEqual(paths(multi([{ length: 5, path: [fromHex('61ff62')] }])), ['a\ufffdb'])
    assert.deepEqual(paths(multi([{ length: 5, path: [fromHex('c0af')] }])), ['\ufffd\ufffd'])
  })

  it('keeps names in any script as they are', () => {
    const names = [
      '\u65e5\u672c\u8a9e',
      '\u0627\u0644',
      '\u{1f980}',
      'a\u0308',
      '\ufeffbom',
      ' ',
      '...',
    ]
    const info = multi(names.map((name) => ({ length: 1, path: [name] })))
    assert.deepEqual(paths(info), names)
  })

  it('marks pads by attribute and by folder', () => {
    const { files } = decodeInfo(
      multi([
        { length: 5, path: ['a'] },
        { attr: 'p', length: 6, path: ['x'] },
        { length: 7, path: ['.pad', '7'] },
        { attr: 'p', length: 8 },
        { length: 9, path: ['.pad'] },
        { attr: 'xh', length: 1, path: ['b'] },
      ]),
    )
    assert.deepEqual(
      files.map(({ isPad }) => isPad),
      [false, true, true, true, false, false],
    )
    assert.deepEqual(files[3]?.path, ['.pad', '3'])
  })

  it('reads private', () => {
    assert.equal(decodeInfo(multi([{ length: 1, path: ['a'] }], { private: 1 })).isPrivate, true)
    assert.equal(decodeInfo(multi([{ length: 1, path: ['a'] }], { private: 0 })).isPrivate, false)
  })

  it('passes over what it does not know, and hashes it', () => {
    const info = multi([{ ed2k: 'x', length: 1, path: ['a'], sha1: hashes(1) }], {
      'meta version': 1,
      source: 'here',
      zzz: [{ a: [1n << 60n, -5] }, 'b', []],
    })
    assert.equal(decodeInfo(info).infoHash, createHash('sha1').update(info).digest('hex'))
  })

  it('accepts piece lengths from 16 KiB to 64 MiB, powers of two or not', () => {
    for (const length of [PIECE, 17 * 1024, 100 * 1024, 3 * 1024 * 1024, 64 * 1024 * 1024]) {
      assert.equal(
        decodeInfo(multi([{ length: 1, path: ['a'] }], { 'piece length': length })).pieceLength,
        length,
      )
    }
  })

  it('reads a view into a larger buffer as the bytes in it', () => {
    const around = Buffer.alloc(single.length + 20, 0x65)
    around.set(single, 10)
    const metainfo = decodeInfo(around.subarray(10, 10 + single.length))
    assert.equal(metainfo.infoHash, decodeInfo(single).infoHash)
    assert.deepEqual(new Uint8Array(metainfo.pieces), hashes(1))
  })

  it('refuses or reads soundly whatever a bit or a byte is changed to', () => {
    const info = multi(
      [
        { attr: 'p', length: 5, path: ['.pad', '5'] },
        { length: 100, path: ['a', '\u00fc'], 'path.utf-8': ['a', '\u00fc'] },
        { length: 0, path: ['b'] },
      ],
      { 'name.utf-8': 'site', private: 1, source: ['x', { y: -1 }] },
    )
    let read = 0
    const change = fc.record({
      at: fc.nat(info.length - 1),
      how: fc.oneof(
        fc.nat(7).map((bit) => (byte: number) => [byte ^ (1 << bit)]),
        fc.nat(255).map((other) => () => [other]),
        fc.constant(() => []),
        fc.constantFrom(...utf8('0123456789dlie:-')).map((more) => (byte: number) => [more, byte]),
      ),
    })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes = [...info]
        for (const { at, how } of changes) {
          bytes = [...bytes.slice(0, at), ...how(bytes[at] ?? 0), ...bytes.slice(at + 1)]
        }
        try {
          assertSound(decodeInfo(Uint8Array.from(bytes)))
          read++
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_BASE_METAINFO', String(error))
        }
      }),
      { numRuns: 10_000 },
    )
    assert.ok(read > 100, 'some changes are to names and hashes and do no harm')
  })
})

describe('decodeInfoInSlices', () => {
  it('lets others run while it reads a large torrent', async () => {
    const files = Array.from({ length: 50_000 }, (_, i) => ({
      length: 1,
      path: [`${i % 99}`, `${i}`],
    }))
    const info = multi(files, { pieces: hashes(4) })
    let turns = 0
    const counting = setInterval(() => turns++, 1)
    const metainfo = await decodeInfoInSlices(info)
    clearInterval(counting)
    assert.equal(metainfo.files.length, 50_000)
    assert.ok(turns > 0)
  })

  it('is given up when its signal aborts', async () => {
    const files = Array.from({ length: 100_000 }, (_, i) => ({ length: 1, path: [`${i}`] }))
    const info = multi(files, { pieces: hashes(7) })
    await assert.rejects(decodeInfoInSlices(info, AbortSignal.abort(new Error('left'))), /left/)
  })
})

describe('decodeTorrentFile', () => {
  it('reads info, trackers by tier, web seeds and nodes', () => {
    const bytes = encodeTorrentFile(single, {
      trackers: [['http://a.example/announce', 'udp://b.example:1'], ['wss://c.example/']],
      webSeeds: ['http://seed.example/x/'],
      nodes: [
        { host: '10.0.0.1', port: 6881 },
        { host: '2001:db8::1', port: 1 },
      ],
    })
    const { metainfo, trackers, webSeeds, nodes } = decodeTorrentFile(bytes)
    assert.deepEqual(metainfo.info, single)
    assert.deepEqual(trackers, [
      ['http://a.example/announce', 'udp://b.example:1'],
      ['wss://c.example/'],
    ])
    assert.deepEqual(webSeeds, ['http://seed.example/x/'])
    assert.deepEqual(nodes, [
      { host: '10.0.0.1', port: 6881 },
      { host: '2001:db8::1', port: 1 },
    ])
  })

  it('takes announce where there is no announce-list, and a url-list that is one text', () => {
    const info = decodeInfo(single)
    const bytes = Buffer.concat([
      Buffer.from('d8:announce16:http://a.ex/a?b=4:info'),
      info.info,
      Buffer.from('8:url-list12:http://w.ex/e'),
    ])
    const { trackers, webSeeds, nodes } = decodeTorrentFile(bytes)
    assert.deepEqual(trackers, [['http://a.ex/a?b=']])
    assert.deepEqual(webSeeds, ['http://w.ex/'])
    assert.deepEqual(nodes, [])
  })

  it('keeps at most 20 trackers and 20 web seeds, sound ones, each once', () => {
    const urls = Array.from({ length: 50 }, (_, i) => `http://h${i}.example/`)
    const bytes = encodeTorrentFile(single, {
      trackers: [['file:///etc/passwd', 'http://h0.example/'], ...urls.map((url) => [url])],
      webSeeds: ['udp://x.example:1', ...urls, ...urls],
    })
    const { trackers, webSeeds } = decodeTorrentFile(bytes)
    assert.equal(trackers.flat().length, 19)
    assert.equal(new Set(trackers.flat()).size, 19)
    assert.deepEqual(webSeeds, urls.slice(0, 20))
  })

  it('hashes the info as it stands in the file', () => {
    const info = encodeInfo({
      name: 'a',
      files: [{ path: ['a'], length: 5 }],
      isSingleFile: true,
      pieceLength: PIECE,
      pieces: hashes(1),
    })
    assert.equal(
      decodeTorrentFile(encodeTorrentFile(info)).metainfo.infoHash,
      decodeInfo(info).infoHash,
    )
  })
})
