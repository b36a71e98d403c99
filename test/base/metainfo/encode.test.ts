import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { latin1 } from '../../../src/base/bytes.ts'
import { decodeInfo, decodeTorrentFile } from '../../../src/base/metainfo/decode.ts'
import { encodeInfo, encodeTorrentFile, type InfoParts } from '../../../src/base/metainfo/encode.ts'
import { createPieceHasher } from '../../../src/base/metainfo/piece-hasher.ts'
import { pieceLengthFor } from '../../../src/base/metainfo/piece-length.ts'
import { makeTorrent, PYTHON } from '../../support/libtorrent.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'

const KIB = 1024
const PIECE = 16 * KIB

interface Content {
  path: string[]
  bytes: Uint8Array
}

function fill(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 0xff)
}

function partsOf(name: string, contents: Content[], isSingleFile: boolean): InfoParts {
  const hasher = createPieceHasher(PIECE)
  for (const { bytes } of contents) hasher.push(bytes)
  const files = contents.map(({ path, bytes }) => ({ path, length: bytes.length }))
  return { name, files, isSingleFile, pieceLength: PIECE, pieces: hasher.finish() }
}

/** In the order in which libtorrent and mktorrent list them. */
const SITE: Content[] = [
  { path: ['assets', 'a.css'], bytes: fill(20_000, 1) },
  { path: ['assets', 'deep', 'b.bin'], bytes: fill(50_001, 2) },
  { path: ['index.html'], bytes: fill(1234, 3) },
]

async function writeSite(folder: string, contents: Content[]): Promise<void> {
  for (const { path, bytes } of contents) {
    const to = join(folder, ...path)
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, bytes)
  }
}

describe('encodeInfo', () => {
  it('writes keys in order and nothing that is not needed', () => {
    const info = encodeInfo(partsOf('f.txt', [{ path: ['x'], bytes: fill(5, 0) }], true))
    const pieces = latin1(createHash('sha1').update(fill(5, 0)).digest())
    assert.equal(
      latin1(info),
      `d6:lengthi5e4:name5:f.txt12:piece lengthi16384e6:pieces20:${pieces}e`,
    )
  })

  it('gives the same content the same infohash', () => {
    const once = encodeInfo(partsOf('site', SITE, false))
    const again = encodeInfo(partsOf('site', structuredClone(SITE), false))
    assert.equal(decodeInfo(once).infoHash, decodeInfo(again).infoHash)
  })

  it('writes what decodeInfo reads, in any shape', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[/\p{Cc}]/u.test(text) && text !== '.' && text !== '..')
    const files = fc.uniqueArray(
      fc.record({ name, length: fc.nat(100_000), isPad: fc.boolean() }, { noNullPrototype: true }),
      { selector: (file) => file.name, minLength: 1, maxLength: 10 },
    )
    fc.assert(
      fc.property(
        name,
        files,
        fc.boolean(),
        fc.boolean(),
        (name, files, isSingleFile, isPrivate) => {
          const kept = isSingleFile
            ? files
                .slice(0, 1)
                .map((file) => ({ path: [name], length: file.length + 1, isPad: false }))
            : files.map((file) => ({
                path: ['d', file.name],
                length: file.length + 1,
                isPad: file.isPad,
              }))
          const total = kept.reduce((sum, { length }) => sum + length, 0)
          const pieces = new Uint8Array(20 * Math.ceil(total / PIECE))
          const parts = { name, files: kept, isSingleFile, isPrivate, pieceLength: PIECE, pieces }
          const metainfo = decodeInfo(encodeInfo(parts))
          assert.deepEqual(
            metainfo.files.map(({ path, length, isPad }) => ({ path, length, isPad })),
            kept,
          )
          const { name: title, isSingleFile: single, isPrivate: hidden, totalLength } = metainfo
          assert.deepEqual(
            [title, single, hidden, totalLength],
            [name, isSingleFile, isPrivate, total],
          )
        },
      ),
    )
  })

  for (const [what, parts] of [
    ['no file', partsOf('x', [], false)],
    ['an empty file alone', partsOf('x', [{ path: ['x'], bytes: fill(0, 0) }], true)],
    ['a parent path', partsOf('x', [{ path: ['..', 'x'], bytes: fill(1, 0) }], false)],
    ['pieces that do not fit', { ...partsOf('x', SITE, false), pieces: new Uint8Array(20) }],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => encodeInfo(parts), { code: 'BTL_ERR_BASE_METAINFO' })
    })
  }

  it('writes names that are no well-formed text as text', () => {
    const parts = partsOf('x', [{ path: ['a\ud800'], bytes: fill(1, 0) }], false)
    assert.deepEqual(decodeInfo(encodeInfo(parts)).files[0]?.path, ['a\ufffd'])
  })
})

describe('encodeTorrentFile', () => {
  it('puts the info into the file as it is', () => {
    const info = encodeInfo(partsOf('site', SITE, false))
    const bytes = encodeTorrentFile(info, { comment: 'c', createdBy: 'b', creationDate: 5 })
    assert.deepEqual(decodeTorrentFile(bytes).metainfo.info, info)
    assert.match(latin1(bytes), /^d7:comment1:c10:created by1:b13:creation datei5e4:infod/)
    assert.equal(latin1(encodeTorrentFile(info)), `d4:info${latin1(info)}e`)
  })

  it('writes one tracker as announce only', () => {
    const info = encodeInfo(partsOf('site', SITE, false))
    const text = latin1(encodeTorrentFile(info, { trackers: [[], ['udp://t.example:1']] }))
    assert.match(text, /^d8:announce17:udp:\/\/t\.example:14:info/)
  })
})

describe('torrents of other programs', () => {
  it('of mktorrent have the infohash we give the same folder', {
    skip: missing('/usr/bin/mktorrent'),
  }, async (t) => {
    const folder = await tempFolder(t)
    const site = join(folder, 'site')
    await writeSite(site, SITE)
    const file = join(folder, 'site.torrent')
    const args = [
      '-l',
      '15',
      '-t',
      '1',
      '-a',
      'http://t.example/a',
      '-w',
      'http://w.example/',
      '-o',
      file,
      site,
    ]
    await output('/usr/bin/mktorrent', args)
    const { metainfo, trackers, webSeeds } = decodeTorrentFile(await readFile(file))
    const hasher = createPieceHasher(32 * KIB)
    const contents = new Map(SITE.map((content) => [content.path.join('/'), content.bytes]))
    for (const { path } of metainfo.files) hasher.push(contents.get(path.join('/')) ?? fill(0, 0))
    const files = metainfo.files.map(({ path, length }) => ({ path, length }))
    const parts = { name: 'site', files, isSingleFile: false, pieceLength: 32 * KIB }
    const ours = encodeInfo({ ...parts, pieces: hasher.finish() })
    assert.equal(decodeInfo(ours).infoHash, metainfo.infoHash)
    assert.deepEqual([trackers, webSeeds], [[['http://t.example/a']], ['http://w.example/']])
  })

  it('of libtorrent have the infohash we give the same folder', {
    skip: missing(PYTHON),
  }, async (t) => {
    const folder = await tempFolder(t)
    const site = join(folder, 'site')
    await writeSite(site, SITE)
    const file = join(folder, 'site.torrent')
    const facts = await makeTorrent(site, file, { pieceLength: PIECE })
    const { metainfo } = decodeTorrentFile(await readFile(file))
    assert.equal(metainfo.infoHash, facts.infohash)
    const byPath = new Map(SITE.map((content) => [content.path.join('/'), content]))
    const visible = metainfo.files.flatMap(({ path }) => byPath.get(path.join('/')) ?? [])
    assert.equal(visible.length, SITE.length)
    assert.equal(decodeInfo(encodeInfo(partsOf('site', visible, false))).infoHash, facts.infohash)
  })

  const torrent = () =>
    encodeTorrentFile(encodeInfo(partsOf('site \u00fc', SITE, false)), {
      trackers: [['http://t.example/announce'], ['udp://u.example:6969/announce']],
      webSeeds: ['http://w.example/'],
      comment: 'made by a test',
    })

  it('read by transmission-show are what we wrote', {
    skip: missing('/usr/bin/transmission-show'),
  }, async (t) => {
    const file = join(await tempFolder(t), 'ours.torrent')
    await writeFile(file, torrent())
    const { infoHash, pieceCount } = decodeTorrentFile(torrent()).metainfo
    const shown = await output('/usr/bin/transmission-show', [file])
    assert.match(shown, new RegExp(`Hash: ${infoHash}`))
    assert.match(shown, new RegExp(`Piece Count: ${pieceCount}`))
    assert.match(shown, /Piece Size: 16\.00 KiB/)
    assert.match(shown, /Comment: made by a test/)
    assert.match(shown, /http:\/\/t\.example\/announce[\s\S]*udp:\/\/u\.example:6969\/announce/)
    assert.match(shown, /site \u00fc\/assets\/deep\/b\.bin/)
  })

  it('read by libtorrent are what we wrote', { skip: missing(PYTHON) }, async (t) => {
    const file = join(await tempFolder(t), 'ours.torrent')
    await writeFile(file, torrent())
    const script = [
      'import json, sys, libtorrent as lt',
      'ti = lt.torrent_info(sys.argv[1])',
      'fs = ti.files()',
      'paths = [fs.file_path(i) for i in range(fs.num_files())]',
      'trackers = [[t.tier, t.url] for t in ti.trackers()]',
      'print(json.dumps([str(ti.info_hash()), ti.num_pieces(), ti.total_size(), paths, trackers]))',
    ].join('\n')
    const { metainfo } = decodeTorrentFile(torrent())
    assert.deepEqual(JSON.parse(await output(PYTHON, ['-c', script, file])), [
      metainfo.infoHash,
      metainfo.pieceCount,
      metainfo.totalLength,
      metainfo.files.map(({ path }) => ['site \u00fc', ...path].join('/')),
      [
        [0, 'http://t.example/announce'],
        [1, 'udp://u.example:6969/announce'],
      ],
    ])
  })
})

describe('pieceLengthFor', () => {
  const MIB = KIB * KIB
  for (const [total, length] of [
    [0, 16 * KIB],
    [1, 16 * KIB],
    [32 * MIB, 16 * KIB],
    [32 * MIB + 1, 32 * KIB],
    [1024 * MIB, 512 * KIB],
    [32 * 1024 * MIB, 16 * MIB],
    [10 * 1024 * 1024 * MIB, 16 * MIB],
  ] as const) {
    it(`is ${length / KIB} KiB for ${total} bytes`, () => {
      assert.equal(pieceLengthFor(total), length)
    })
  }
})
