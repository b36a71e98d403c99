/**
 * Announces by WebSocket a second, without offers and with five that are all answered, and the
 * memory of a socket; bittorrent-tracker's server does the same in the same run.
 *
 *   node bench/tracker-socket.ts [--json]
 *
 * The clients speak frames made beforehand, so that they cost little beside the server.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Running, start } from '../test/support/processes.ts'
import { until } from '../test/support/until.ts'
import { type Bench, bench, median } from './runner.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
const SOCKETS = 60
const TORRENTS = 6
const BATCH = 20
const ROUNDS = 5
const ROUND_MS = 1500
const IDLE_SOCKETS = 1000
/** As long as Chromium's offer with two candidates. */
const SDP = 'v=0\r\n'.padEnd(715, 'a=candidate:1 1 udp 2113937151 192.0.2.2 45243 typ host\r\n')

/** A masked text frame; the mask is zero, as who unmasks it cannot know. */
function frame(text: string): Buffer {
  const body = Buffer.from(text)
  const short = body.length < 126
  const head = Buffer.alloc(short ? 6 : 8)
  head[0] = 0x81
  head[1] = 0x80 | (short ? body.length : 126)
  if (!short) head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, body])
}

/** 20 characters without quotes or escapes, so that they can be cut out of JSON text. */
const name20 = () => randomBytes(10).toString('hex')

interface Client {
  socket: Socket
  peerId: string
  /** Announce replies heard, and answers to own offers. */
  replies: number
  answers: number
  answer: ReturnType<typeof answerTo>
  wake: () => void
}

const ANSWER = JSON.stringify({
  action: 'announce',
  info_hash: 'H'.repeat(20),
  peer_id: 'P'.repeat(20),
  to_peer_id: 'T'.repeat(20),
  answer: { type: 'answer', sdp: SDP },
  offer_id: 'O'.repeat(20),
})
const answerTo = (peerId: string) => {
  const made = frame(ANSWER.replace('P'.repeat(20), peerId))
  const at = (letter: string) => made.indexOf(letter.repeat(20))
  return { made, hash: at('H'), to: at('T'), offer: at('O') }
}

// Both trackers begin so, and what the message is about comes next.
const SIGNAL = Buffer.from('{"action":"announce","')
const OFFER = 'o'.charCodeAt(0)
const ANSWERED = 'a'.charCodeAt(0)

/** Takes a message in, and gives the frame that answers it. */
function take(client: Client, bytes: Buffer): Buffer | undefined {
  const signals = bytes.compare(SIGNAL, 0, SIGNAL.length, 0, SIGNAL.length) === 0
  const about = signals ? bytes[SIGNAL.length] : undefined
  if (about === ANSWERED) client.answers++
  else if (about !== OFFER) client.replies++
  else {
    const { made, hash, to, offer } = client.answer
    const answer = Buffer.from(made)
    const copy = (field: string, at: number) => {
      const from = bytes.lastIndexOf(field) + field.length
      bytes.copy(answer, at, from, from + 20)
    }
    copy('"info_hash":"', hash)
    copy('"peer_id":"', to)
    copy('"offer_id":"', offer)
    return answer
  }
  return undefined
}

async function open(port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.setNoDelay(true)
  await once(socket, 'connect')
  socket.write(
    'GET /announce HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(socket, 'data')
  const peerId = name20()
  const client: Client = {
    socket,
    peerId,
    replies: 0,
    answers: 0,
    answer: answerTo(peerId),
    wake: () => {},
  }
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const answers: Buffer[] = []
    for (;;) {
      if (bytes.length < 4) break
      const small = bytes[1] ?? 0
      const head = small === 126 ? 4 : 2
      const end = head + (small === 126 ? bytes.readUInt16BE(2) : small)
      if (bytes.length < end) break
      // A ping stays without answer: no run is long enough.
      const answer = bytes[0] === 0x81 ? take(client, bytes.subarray(head, end)) : undefined
      if (answer !== undefined) answers.push(answer)
      bytes = bytes.subarray(end)
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers))
    client.wake()
    rest = Buffer.from(bytes)
  })
  return client
}

const announce = (hash: string, peerId: string, offers: number) =>
  frame(
    JSON.stringify({
      numwant: offers,
      uploaded: 0,
      downloaded: 0,
      left: 16_384,
      action: 'announce',
      info_hash: hash,
      peer_id: peerId,
      ...(offers > 0 && {
        offers: Array.from({ length: offers }, () => ({
          offer: { type: 'offer', sdp: SDP },
          offer_id: name20(),
        })),
      }),
    }),
  )

interface Tracker {
  name: string
  port: number
  child: Running
}

interface State {
  cpuMs: number
  rss: number
  peers: number
}

let asked = 0
async function state({ child }: Tracker, collect = false): Promise<State> {
  const question = `${collect ? 'gc ' : ''}${++asked}`
  const answer = child.line((line) => line.endsWith(`"asked":"${question}"}`))
  child.send(question)
  return JSON.parse(await answer) as State
}

async function tracker(b: Bench, name: string): Promise<Tracker> {
  const child = start(b, process.execPath, [
    '--expose-gc',
    join(HERE, 'tracker-socket-server.ts'),
    name,
  ])
  const { port } = JSON.parse(await child.line((line) => line.startsWith('{"port"'))) as {
    port: number
  }
  return { name, port, child }
}

/** One round: every client sends a batch, and the next when all of it is answered. */
async function round(t: Tracker, clients: Client[], batches: Buffer[], offers: number) {
  const before = await state(t)
  const began = performance.now()
  let announces = 0
  await Promise.all(
    clients.map(async (client, i) => {
      const batch = batches[i] ?? Buffer.alloc(0)
      while (performance.now() - began < ROUND_MS) {
        client.replies = 0
        client.answers = 0
        await new Promise<void>((resolve) => {
          client.wake = () => {
            if (client.replies >= BATCH && client.answers >= BATCH * offers) resolve()
          }
          client.socket.write(batch)
        })
        announces += BATCH
      }
      client.wake = () => {}
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const after = await state(t)
  return {
    perSecond: announces / seconds,
    perCpuSecond: (announces * 1000) / (after.cpuMs - before.cpuMs),
  }
}

async function compare(b: Bench, what: string, trackers: Tracker[], offers: number) {
  const results = new Map<string, { perSecond: number[]; perCpuSecond: number[] }>()
  const hashes = Array.from({ length: TORRENTS }, name20)
  const ready = await Promise.all(
    trackers.map(async (t) => {
      const clients = await Promise.all(Array.from({ length: SOCKETS }, async () => open(t.port)))
      for (const { socket, peerId } of clients) {
        for (const hash of hashes) socket.write(announce(hash, peerId, 0))
      }
      await until('all to be in their swarms', () =>
        clients.every(({ replies }) => replies === TORRENTS),
      )
      const batches = clients.map(({ peerId }) =>
        Buffer.concat(
          Array.from({ length: BATCH }, (_, i) =>
            announce(hashes[i % TORRENTS] ?? '', peerId, offers),
          ),
        ),
      )
      results.set(t.name, { perSecond: [], perCpuSecond: [] })
      return { t, clients, batches }
    }),
  )
  // Rounds alternate, so that a slow moment of the machine meets both; the first only warms up.
  for (let i = 0; i <= ROUNDS; i++) {
    for (const { t, clients, batches } of ready) {
      const { perSecond, perCpuSecond } = await round(t, clients, batches, offers)
      if (i === 0) continue
      results.get(t.name)?.perSecond.push(perSecond)
      results.get(t.name)?.perCpuSecond.push(perCpuSecond)
    }
  }
  for (const { clients } of ready) for (const { socket } of clients) socket.destroy()
  const of = (name: string, key: 'perSecond' | 'perCpuSecond') =>
    median(results.get(name)?.[key] ?? [])
  for (const { name } of trackers) {
    b.say(
      `  ${what}, ${name}: ${of(name, 'perSecond').toFixed(0)}/s, ${of(name, 'perCpuSecond').toFixed(0)} per CPU second`,
    )
  }
  const ratio = (key: 'perSecond' | 'perCpuSecond') =>
    of('btlinkd', key) / of('bittorrent-tracker', key)
  b.report({
    what: `${what}, announces/s beside bittorrent-tracker`,
    value: ratio('perSecond'),
    unit: 'x',
    atLeast: 1.2,
  })
  b.report({ what: `${what}, the same per CPU second`, value: ratio('perCpuSecond'), unit: 'x' })
}

async function memory(b: Bench, trackers: Tracker[]): Promise<void> {
  const bytes = new Map<string, number>()
  for (const t of trackers) {
    await until('its sockets to be gone', async () => (await state(t)).peers === 0)
    const before = await state(t, true)
    const clients: Client[] = []
    for (let i = 0; i < IDLE_SOCKETS; i += 100) {
      clients.push(...(await Promise.all(Array.from({ length: 100 }, async () => open(t.port)))))
    }
    for (const { socket, peerId } of clients) socket.write(announce(name20(), peerId, 0))
    await until('all to be in a swarm', async () => (await state(t)).peers === IDLE_SOCKETS)
    const after = await state(t, true)
    bytes.set(t.name, (after.rss - before.rss) / IDLE_SOCKETS)
    for (const { socket } of clients) socket.destroy()
  }
  for (const { name } of trackers) {
    b.report({
      what: `memory of a socket in a torrent, ${name}`,
      value: (bytes.get(name) ?? Number.NaN) / 1024,
      unit: 'KiB',
      ...(name === 'btlinkd' && { atMost: 24 }),
    })
  }
}

await bench('tracker-socket', async (b) => {
  const fresh = async () => [await tracker(b, 'btlinkd'), await tracker(b, 'bittorrent-tracker')]
  // Before anything else has grown the heap.
  await memory(b, await fresh())
  const trackers = await fresh()
  await compare(b, 'without offers', trackers, 0)
  await compare(b, 'with 5 offers, all answered', trackers, 5)
})
