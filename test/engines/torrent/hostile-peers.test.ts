import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { codeOf } from '../../../src/base/errors.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { hostileTorrents } from '../../vectors/hostile-torrents.ts'
import { loopback, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 10_000) => AbortSignal.timeout(ms)

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const message = (id: number, payload: Uint8Array = Buffer.alloc(0)) =>
  Buffer.concat([u32(payload.length + 1), Buffer.from([id]), payload])
const extended = (id: number, payload: Uint8Array) =>
  message(20, Buffer.concat([Buffer.from([id]), payload]))
/** Reserved bits: extensions (BEP 10), and fast (BEP 6) where asked for. */
const handshake = (made: MadeTorrent, fast = false) =>
  Buffer.concat([
    Buffer.from('\u0013BitTorrent protocol'),
    Buffer.from([0, 0, 0, 0, 0, 0x10, 0, fast ? 4 : 0]),
    fromHex(made.infoHash),
    Buffer.from('-XX0000-'.padEnd(20, 'x')),
  ])

/** A listening peer that says what the test tells it to. */
async function peer(t: Cleanup, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** Cuts what the engine sends into messages after its handshake. */
function messages(socket: Socket, each: (id: number, payload: Buffer) => void): void {
  let buffer = Buffer.alloc(0)
  let shaken = false
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    if (!shaken && buffer.length >= 68) {
      shaken = true
      buffer = buffer.subarray(68)
    }
    while (shaken && buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE(0)) {
      const length = buffer.readUInt32BE(0)
      const body = buffer.subarray(4, 4 + length)
      buffer = buffer.subarray(4 + length)
      if (length > 0) each(body[0] ?? 0, body.subarray(1))
    }
  })
}

/** A peer that has everything and gives every block, after `spoil` had it. */
const seeder =
  (made: MadeTorrent, content: Uint8Array, spoil: (block: Buffer) => Buffer) =>
  (socket: Socket) => {
    const pieces = Math.ceil(content.length / PIECE)
    socket.write(handshake(made))
    const bits = Buffer.alloc(Math.ceil(pieces / 8), 0xff)
    bits[bits.length - 1] = (0xff << (bits.length * 8 - pieces)) & 0xff
    socket.write(message(5, bits))
    messages(socket, (id, payload) => {
      if (id === 2) socket.write(message(1))
      if (id !== 6) return
      const [piece, offset, length] = [0, 4, 8].map((at) => payload.readUInt32BE(at))
      const start = (piece ?? 0) * PIECE + (offset ?? 0)
      const block = Buffer.from(content.subarray(start, start + (length ?? 0)))
      socket.write(message(7, Buffer.concat([payload.subarray(0, 8), spoil(block)])))
    })
  }

/** A peer with an info dict of its own making. */
const informer =
  (made: MadeTorrent, size: number, answer: (piece: number) => Uint8Array) => (socket: Socket) => {
    socket.write(handshake(made))
    messages(socket, (id, payload) => {
      if (id !== 20) return
      if (payload[0] === 0) {
        socket.write(extended(0, encode({ m: { ut_metadata: 7 }, metadata_size: size })))
        return
      }
      const piece = Number(/5:piecei(\d+)e/.exec(payload.toString('latin1'))?.[1])
      const head = encode({ msg_type: 1, piece, total_size: size })
      socket.write(extended(3, Buffer.concat([head, answer(piece)])))
    })
  }

describe('a peer that announces a message of 2 GiB', () => {
  it('is left at once, and what it sends is not kept', async (t) => {
    const made = makeTorrentOf(pattern(4 * PIECE))
    const box = await startEngine(t)
    await layDown(box.layout.torrents, made)
    await box.engine.add(made.info, { verified: true })
    await box.engine.seed(made.infoHash)
    for (const length of [0x7fffffff, 0xffffffff, 2 * 1024 * 1024]) {
      const before = process.memoryUsage().rss
      const socket = connect(box.port, '127.0.0.1')
      socket.on('error', () => {})
      const closed = new Promise((resolve) => {
        socket.once('close', resolve)
      })
      socket.write(handshake(made))
      socket.write(Buffer.concat([u32(length), Buffer.from([7])]))
      const junk = Buffer.alloc(1024 * 1024)
      for (let sent = 0; sent < 32 && !socket.destroyed; sent++) {
        socket.write(junk)
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      socket.resume()
      await closed
      assert.ok(process.memoryUsage().rss - before < 120 * 1024 * 1024)
    }
    assert.deepEqual(await box.engine.peers(made.infoHash), [])
  })
})

describe('a peer that has pieces beyond the last', () => {
  const made = makeTorrentOf(pattern(4 * PIECE))
  const claims: Record<string, Uint8Array> = {
    'the next one': message(4, u32(4)),
    // Counted in an array, a few of these are hundreds of megabytes.
    'one of 32 bits': message(4, u32(0xfffffff0)),
    'a bitfield of too many': message(5, Buffer.alloc(2)),
  }
  for (const [what, bytes] of Object.entries(claims)) {
    it(`is left at once: ${what}`, async (t) => {
      const box = await startEngine(t)
      await layDown(box.layout.torrents, made)
      await box.engine.add(made.info, { verified: true })
      await box.engine.seed(made.infoHash)
      const socket = connect(box.port, '127.0.0.1')
      finallyDo(t, () => void socket.destroy())
      socket.on('error', () => {})
      const closed = new Promise((resolve) => {
        socket.once('close', resolve)
      })
      socket.resume()
      socket.write(handshake(made))
      // One that every peer may say, so that it is not the first message that ends it.
      socket.write(message(4, u32(1)))
      const known = async () => (await box.engine.peers(made.infoHash)).length === 1
      await until('the peer to be known', known)
      socket.write(bytes)
      await closed
      assert.deepEqual(await box.engine.peers(made.infoHash), [])
    })
  }
})

describe('a peer that speaks nonsense', () => {
  const made = makeTorrentOf(pattern(4 * PIECE))
  const nonsense: Record<string, Uint8Array> = {
    'no handshake': Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(10)),
    'an extended handshake that is no bencode': extended(0, Buffer.from('d1:m')),
    'an extended handshake of lists without end': extended(0, Buffer.alloc(60_000, 0x6c)),
    'extensions that are null and negative': extended(0, Buffer.from('d1:md6:ut_pexi-1eee')),
    'an extended message without a number': message(20),
    'PEX that is no dictionary': extended(2, Buffer.from('le')),
    'PEX with peers of odd length': extended(2, encode({ added: Buffer.alloc(7), 'added.f': 'x' })),
    'a request for a piece that is not there': message(
      6,
      Buffer.concat([u32(9), u32(0), u32(100)]),
    ),
    'a request beyond the piece': message(6, Buffer.concat([u32(0), u32(PIECE), u32(16_384)])),
    'a request of 2 GiB': message(6, Buffer.concat([u32(0), u32(0), u32(0x7fffffff)])),
    'a request with negative numbers': message(6, Buffer.alloc(12, 0xff)),
    'a short request': message(6, Buffer.alloc(3)),
    'a piece nobody asked for': message(7, Buffer.alloc(16_392)),
    'a bitfield of 1 MiB': message(5, Buffer.alloc(1024 * 1024 - 1, 0xff)),
    'a have of piece 4294967295': message(4, Buffer.alloc(4, 0xff)),
    'a have of piece 3999999': message(4, u32(3_999_999)),
    'fast messages without the extension': message(0x0e),
    'a metadata request of piece -1': extended(1, encode({ msg_type: 0, piece: -1 })),
    'metadata nobody asked for': extended(4, encode({ msg_type: 1, piece: 0, total_size: 5 })),
    'an unknown message': message(99, Buffer.alloc(100)),
  }
  for (const [what, bytes] of Object.entries(nonsense)) {
    it(`changes nothing: ${what}`, async (t) => {
      const box = await startEngine(t)
      await layDown(box.layout.torrents, made)
      await box.engine.add(made.info, { verified: true })
      await box.engine.seed(made.infoHash)
      for (const fast of [false, true]) {
        const socket = connect(box.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.resume()
        if (what !== 'no handshake') socket.write(handshake(made, fast))
        socket.write(bytes)
        await new Promise((resolve) => {
          setTimeout(resolve, 30)
        })
        socket.destroy()
      }
      const other = await startEngine(t)
      const info = await other.engine.metainfo(made.infoHash, loopback(box.port), signal())
      await other.engine.add(info, { hints: loopback(box.port) })
      await other.engine.want(made.infoHash, 0, { start: 0, end: 4 * PIECE }, 'now', signal())
    })
  }
})

describe('a peer that sends bad pieces', () => {
  it('is left for one that sends good ones', async (t) => {
    const content = pattern(6 * PIECE)
    const made = makeTorrentOf(content)
    const spoil = (block: Buffer) => {
      block[0] = (block[0] ?? 0) ^ 1
      return block
    }
    let visits = 0
    const bad = await peer(t, (socket) => {
      visits++
      seeder(made, content, spoil)(socket)
    })
    const good = await peer(
      t,
      seeder(made, content, (block) => block),
    )
    const box = await startEngine(t)
    await box.engine.add(made.info, {
      hints: { peers: [bad, good].map((port) => ({ host: '127.0.0.1', port })) },
    })
    await box.engine.want(made.infoHash, 0, { start: 0, end: 6 * PIECE }, 'now', signal())
    assert.ok(visits > 0)
    await until('the bad peer to be gone', async () => {
      const peers = await box.engine.peers(made.infoHash)
      return !peers.some(({ address }) => address === `127.0.0.1:${bad}`)
    })
  })

  it('never gets its bytes onto the disk', async (t) => {
    const content = pattern(2 * PIECE)
    const made = makeTorrentOf(content)
    const bad = await peer(
      t,
      seeder(made, content, (block) => block.fill(7)),
    )
    const box = await startEngine(t)
    await box.engine.add(made.info, { hints: loopback(bad) })
    const wanting = box.engine.want(made.infoHash, 0, { start: 0, end: PIECE }, 'now', signal(1000))
    await assert.rejects(wanting)
    assert.equal((await box.engine.status(made.infoHash))?.verifiedBytes, 0)
  })
})

describe('a peer that lies about metadata', () => {
  const made = makeTorrentOf(pattern(3 * PIECE))
  const truth = (piece: number) => made.info.subarray(piece * 16_384, (piece + 1) * 16_384)
  const lies: Record<string, (socket: Socket) => void> = {
    'another dict': informer(made, made.info.length, () => Buffer.alloc(made.info.length, 0x61)),
    'a size of 2 GiB': informer(made, 0x7fffffff, truth),
    'a size of zero': informer(made, 0, truth),
    'a negative size': informer(made, -5, truth),
    'a piece longer than it said': informer(made, 10, () => Buffer.alloc(16_384)),
    'nothing at all': () => {},
    'junk without end': (socket) => {
      const timer = setInterval(() => socket.write(Buffer.alloc(64 * 1024, 0x13)), 1)
      socket.on('close', () => clearInterval(timer))
    },
    'another infohash': (socket) => {
      const other = makeTorrentOf(pattern(100))
      socket.write(handshake(other))
    },
  }
  for (const [what, lie] of Object.entries(lies)) {
    it(`does not keep the truth of another from us: ${what}`, async (t) => {
      const liar = await peer(t, lie)
      const honest = await peer(t, informer(made, made.info.length, truth))
      const box = await startEngine(t)
      const hints = { peers: [liar, honest].map((port) => ({ host: '127.0.0.1', port })) }
      const info = await box.engine.metainfo(made.infoHash, hints, signal())
      assert.deepEqual(Buffer.from(info), Buffer.from(made.info))
    })
  }
})

describe('hostile torrents', () => {
  it('come to nothing whoever gives them', async (t) => {
    const box = await startEngine(t)
    let tried = 0
    for (const torrent of hostileTorrents) {
      if (torrent.kind !== 'info' || torrent.expected !== 'refused') continue
      tried++
      await assert.rejects(
        box.engine.add(torrent.bytes()),
        (error) => codeOf(error) === 'BTL_ERR_BASE_METAINFO',
        torrent.name,
      )
    }
    assert.ok(tried > 60, `${tried}`)
    assert.deepEqual(await box.engine.torrents(), [])
  })

  it('are refused as metadata with the right hash, without asking further', async (t) => {
    const made = makeTorrentOf([{ path: ['..', '..', 'etc', 'passwd'], bytes: pattern(10) }])
    const port = await peer(
      t,
      informer(made, made.info.length, () => made.info),
    )
    const box = await startEngine(t)
    await assert.rejects(
      box.engine.metainfo(made.infoHash, loopback(port), signal()),
      (error) => codeOf(error) === 'BTL_ERR_BASE_METAINFO',
    )
  })
})
