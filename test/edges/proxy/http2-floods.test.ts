/** Floods of HTTP/2, frame by frame, against the HTTPS proxy; each once took servers down. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { curl } from '../../support/curl.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { startHouse } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const house = await startHouse(all)
const { proxy } = house
const root = await readFile(house.ca)
const { infoHash } = await house.add({
  'a.txt': 'of the torrent',
  'big.bin': Buffer.alloc(2 ** 23),
})
const HOST = `${infoHash}-ih.btlink`
const MB = 1024 * 1024

// RFC 9113 §6.
const TYPE = { headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8, continuation: 9 }
const END_STREAM = 1
const END_HEADERS = 4
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** RFC 7541: GET, https, a path and an authority without Huffman code. */
function request(path: string): Buffer {
  const authority = Buffer.from(HOST)
  return Buffer.concat([
    Buffer.from([0x82, 0x87, 0x04, path.length]),
    Buffer.from(path),
    Buffer.from([0x01, authority.length]),
    authority,
  ])
}

const none = Buffer.alloc(0)
const settings = frame(TYPE.settings, 0, 0, none)
const open = (id: number, path = '/a.txt') =>
  frame(TYPE.headers, END_STREAM | END_HEADERS, id, request(path))
const cancel = (id: number) => frame(TYPE.reset, 0, id, Buffer.from([0, 0, 0, 8]))
const ids = (count: number) => Array.from({ length: count }, (_, i) => 2 * i + 1)

interface Line {
  socket: TLSSocket
  /** How many bytes came so far. */
  received: () => number
  /** Whether the proxy closed it. */
  closed: Promise<true>
}

async function line(t: Cleanup): Promise<Line> {
  const socket = connectTls({
    port: proxy.httpsPort,
    servername: 'proxy.btlink',
    ca: root,
    ALPNProtocols: ['h2'],
  })
  finallyDo(t, () => void socket.destroy())
  socket.on('error', () => undefined)
  let received = 0
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  const closed = new Promise<true>((resolve) => {
    socket.once('close', () => resolve(true))
  })
  await new Promise((ready) => socket.once('secureConnect', ready))
  socket.write(Buffer.concat([PREFACE, settings]))
  return { socket, received: () => received, closed }
}

/** Whether others are served as before. */
async function servesOthers(): Promise<void> {
  const more = ['-x', house.url, '--suppress-connect-headers']
  const answer = await curl(`http://${HOST}/a.txt`, { more, maxSeconds: 5 })
  assert.equal(answer.text(), 'of the torrent')
}

describe('a flood of HTTP/2', () => {
  const floods: Record<string, () => Buffer> = {
    'streams opened and reset (CVE-2023-44487)': () =>
      Buffer.concat(ids(5000).flatMap((id) => [open(id), cancel(id)])),
    'SETTINGS (CVE-2019-9515)': () => Buffer.concat(Array.from({ length: 20_000 }, () => settings)),
    'CONTINUATION without an end (CVE-2024-27316)': () =>
      Buffer.concat([
        frame(TYPE.headers, END_STREAM, 1, request('/a.txt')),
        ...Array.from({ length: 2000 }, () =>
          frame(TYPE.continuation, 0, 1, Buffer.from([0x00, 1, 0x78, 1, 0x79])),
        ),
      ]),
    'one header of 200 KB': () => {
      const value = Buffer.alloc(200_000, 'x')
      const length = Buffer.from([0x7f, ...varint(value.length - 127)])
      const block = Buffer.concat([request('/a.txt'), Buffer.from([0, 1, 0x78]), length, value])
      const pieces: Buffer[] = []
      for (let at = 0; at < block.length; at += 16_000) {
        const piece = block.subarray(at, at + 16_000)
        const last = at + 16_000 >= block.length ? END_HEADERS : 0
        const [type, flags] = at === 0 ? [TYPE.headers, END_STREAM] : [TYPE.continuation, 0]
        pieces.push(frame(type, flags | last, 1, piece))
      }
      return Buffer.concat(pieces)
    },
    'windows grown past the end': () =>
      Buffer.concat([
        open(1, '/big.bin'),
        ...Array.from({ length: 10 }, () =>
          frame(TYPE.window, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
        ),
      ]),
  }

  /** RFC 7541 §5.1, what follows the prefix. */
  function varint(value: number): number[] {
    const bytes: number[] = []
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
    return [...bytes, rest]
  }

  for (const [what, bytes] of Object.entries(floods)) {
    it(`ends its own connection and no other: ${what}`, async (t) => {
      const flood = await line(t)
      // What is not read would fill up, which is another flood.
      flood.socket.write(bytes())
      assert.equal(await Promise.race([flood.closed, sleep(8000, false)]), true)
      await servesOthers()
      assert.equal(proxy.stats()['to_other_sites'], 0)
    })
  }

  it('keeps nobody waiting: PING, whose answers are not read (CVE-2019-9512)', async (t) => {
    const { socket } = await line(t)
    socket.pause()
    const ping = frame(TYPE.ping, 0, 0, Buffer.alloc(8))
    socket.write(Buffer.concat(Array.from({ length: 50_000 }, () => ping)))
    await servesOthers()
  })

  it('is held to a number of streams: the rest are refused, not kept', async (t) => {
    const before = proxy.stats()['requests_served'] ?? 0
    const many = await line(t)
    // With no window to answer into, none of them ends by itself.
    const shut = frame(TYPE.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))
    many.socket.write(Buffer.concat([shut, ...ids(900).map((id) => open(id, '/big.bin'))]))
    await sleep(1000)
    assert.ok((proxy.stats()['requests_served'] ?? 0) - before <= 128)
    await servesOthers()
  })

  it('holds little for a client whose window stays shut', async (t) => {
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    const shut = await line(t)
    const settled = frame(TYPE.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))
    shut.socket.write(Buffer.concat([settled, ...ids(100).map((id) => open(id, '/big.bin'))]))
    await sleep(1000)
    // 100 answers of 8 MB.
    assert.ok(process.memoryUsage().rss - before < 150 * MB)
    assert.ok(shut.received() < MB)
  })
})
