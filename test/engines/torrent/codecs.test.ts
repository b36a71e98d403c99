import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { isBtlError } from '../../../src/base/errors.ts'
import { type InfoHash, infoHash } from '../../../src/base/hashes.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import {
  decodeAnnouncement,
  encodeAnnouncement,
} from '../../../src/engines/torrent/discovery/lsd.ts'
import { readMetadataMessage } from '../../../src/engines/torrent/discovery/metadata-peer.ts'
import { createPieceMap } from '../../../src/engines/torrent/pieces/piece-map.ts'
import { createPieceSet, fullBits } from '../../../src/engines/torrent/pieces/piece-set.ts'
import {
  compactPeers,
  decodeHttpReply,
} from '../../../src/engines/torrent/trackers/tracker-reply.ts'
import {
  createWireReader,
  encodeExtended,
  encodeHandshake,
} from '../../../src/engines/torrent/wire/wire-reader.ts'
import { makeTorrentOf } from '../../support/torrents.ts'

const hash = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): InfoHash => infoHash(Buffer.from(bytes).toString('hex')))

describe('the wire reader', () => {
  it('gives the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 50 }),
        (payloads, cuts) => {
          const noise = Buffer.from([0, 0, 0, 0, 0, 0, 0, 5, 4, 0, 0, 0, 1])
          const stream = Buffer.concat([
            encodeHandshake(new Uint8Array(20), new Uint8Array(20)),
            ...payloads.flatMap((payload) => [noise, encodeExtended(3, payload)]),
          ])
          const got: Buffer[] = []
          const reader = createWireReader(
            () => {},
            (_id, payload) => got.push(Buffer.from(payload)),
          )
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1
            reader.push(stream.subarray(at, at + size))
            at += size
          }
          assert.deepEqual(
            got,
            payloads.map((payload) => Buffer.from(payload)),
          )
        },
      ),
    )
  })

  it('refuses what is no wire, and messages beyond any use', () => {
    const shaken = () => {
      const reader = createWireReader(
        () => {},
        () => {},
      )
      reader.push(encodeHandshake(new Uint8Array(20), new Uint8Array(20)))
      return reader
    }
    assert.throws(() =>
      createWireReader(
        () => {},
        () => {},
      ).push(Buffer.alloc(68)),
    )
    assert.throws(() => shaken().push(Buffer.from([0x7f, 0xff, 0xff, 0xff, 7])))
    assert.throws(() => shaken().push(Buffer.from([0, 2, 0, 0, 20, 3])))
    assert.throws(() => shaken().push(Buffer.from([0, 0, 0, 1, 20])))
  })
})

describe('decoders of what strangers send', () => {
  it('never throw anything but a coded refusal', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc
          .constantFrom('d', 'l', 'e', 'i5e', '5:peers', '8:msg_type', '5:piecei0e', '6:peers6')
          .map((text) => Buffer.from(text)),
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(pieces, (parts) => {
        const bytes = Buffer.concat(parts)
        for (const decode of [
          readMetadataMessage,
          decodeAnnouncement,
          (body: Uint8Array) => decodeHttpReply('tracker', body),
          (body: Uint8Array) => compactPeers(body, 16),
        ]) {
          try {
            decode(bytes)
          } catch (error) {
            assert.ok(isBtlError(error), String(error))
          }
        }
      }),
    )
  })

  it('read metadata messages with the data behind the dict', () => {
    const data = Buffer.from('d4:infoe')
    const head = encode({ msg_type: 1, piece: 3, total_size: 99 })
    assert.deepEqual(readMetadataMessage(Buffer.concat([head, data])), {
      type: 1,
      piece: 3,
      data,
    })
  })

  it('take peers of either family, and none with port 0', () => {
    const v4 = Buffer.from([192, 0, 2, 1, 0x1a, 0xe1, 192, 0, 2, 2, 0, 0, 1, 2, 3])
    assert.deepEqual(compactPeers(v4, 4), [{ host: '192.0.2.1', port: 6881 }])
    const v6 = Buffer.alloc(18)
    v6.set([0x20, 0x01, 0x0d, 0xb8])
    v6.set([1, 0x1a, 0xe1], 15)
    assert.deepEqual(compactPeers(v6, 16), [{ host: '2001:db8::1', port: 6881 }])
  })

  it('say why a tracker refused', () => {
    const body = encode({ 'failure reason': 'torrent not registered' })
    assert.throws(() => decodeHttpReply('tracker', body), /torrent not registered/)
  })
})

describe('local announcements', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65_535 }),
        fc.array(hash, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('udp4' as const, 'udp6' as const),
        (port, infoHashes, family) => {
          const message = { port, infoHashes, cookie: 'abc' }
          assert.deepEqual(decodeAnnouncement(encodeAnnouncement(family, message)), message)
        },
      ),
    )
  })
})

describe('the piece map', () => {
  it('covers every byte of every file once', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(lengths, (sizes) => {
        fc.pre(sizes.some((size) => size > 0))
        const files = sizes.map((size, index) => ({
          path: [`f${index}`],
          bytes: new Uint8Array(size),
        }))
        const metainfo = decodeInfo(makeTorrentOf(files, { pieceLength: 16_384 }).info)
        const map = createPieceMap(metainfo)
        const seen = sizes.map(() => 0)
        for (let piece = 0; piece < map.count; piece++) {
          let at = 0
          for (const slice of map.slices(piece, 0, map.pieceLength(piece))) {
            assert.equal(slice.at, at)
            assert.equal(slice.fileOffset, seen[slice.fileIndex])
            seen[slice.fileIndex] = (seen[slice.fileIndex] ?? 0) + slice.length
            assert.deepEqual(map.rangeIn(piece, slice.fileIndex), {
              start: slice.fileOffset,
              end: slice.fileOffset + slice.length,
            })
            at += slice.length
          }
          assert.equal(at, map.pieceLength(piece))
        }
        assert.deepEqual(seen, sizes)
      }),
      { numRuns: 50 },
    )
  })
})

describe('a set of pieces', () => {
  it('is its bitfield', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 100 })
          .chain((count) =>
            fc.tuple(fc.constant(count), fc.array(fc.integer({ min: 0, max: count - 1 }))),
          ),
        ([count, pieces]) => {
          const set = createPieceSet(count)
          for (const piece of pieces) set.add(piece)
          assert.equal(set.size, new Set(pieces).size)
          const again = createPieceSet(count, set.bytes())
          for (let piece = 0; piece < count; piece++)
            assert.equal(again.has(piece), pieces.includes(piece))
          for (const piece of pieces) again.delete(piece)
          assert.equal(again.size, 0)
        },
      ),
    )
    assert.equal(createPieceSet(11, Buffer.from([0xff, 0xff])).size, 11)
    assert.deepEqual(fullBits(11), Uint8Array.of(0xff, 0xe0))
  })
})
