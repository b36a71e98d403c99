/**
 * How long hostile torrents hold the event loop, and bencode beside the npm package of that name.
 *
 *   node --expose-gc --max-semi-space-size=4 bench/metainfo.ts [--json]
 *
 * The roles run with the same small young generation: of what is left, the collector's pauses are
 * the longest.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { decode, encode } from '../src/base/bencode.ts'
import { decodeInfoInSlices, decodeTorrentFileInSlices } from '../src/base/metainfo/decode.ts'
import { type HostileTorrent, hostileTorrents } from '../test/vectors/hostile-torrents.ts'
import { bench, median } from './runner.ts'

interface Codec {
  decode(bytes: Uint8Array): unknown
  encode(value: unknown): Uint8Array
}

/** The longest time between two turns of the loop while `work` runs, in ms. */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let last = performance.now()
  let longest = 0
  let going = true
  const tick = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (going) setImmediate(tick)
  }
  setImmediate(tick)
  await work().catch(() => {})
  await turn()
  going = false
  await turn()
  return longest
}

async function holdOf(torrent: HostileTorrent): Promise<number> {
  const bytes = torrent.bytes()
  // What making it left behind is collected before the clock runs.
  globalThis.gc?.()
  await turn()
  const read = () =>
    torrent.kind === 'info' ? decodeInfoInSlices(bytes) : decodeTorrentFileInSlices(bytes)
  return longestHold(read)
}

function microseconds(work: () => unknown): number {
  const runs = Array.from({ length: 5 }, () => {
    const began = performance.now()
    for (let i = 0; i < 20_000; i++) work()
    return ((performance.now() - began) / 20_000) * 1000
  })
  return median(runs)
}

/** A `get` reply of the DHT: the largest datagram that is decoded all day. */
const reply = {
  ip: new Uint8Array(6),
  r: {
    id: new Uint8Array(20),
    k: new Uint8Array(32),
    nodes: new Uint8Array(208),
    seq: 1234,
    sig: new Uint8Array(64),
    token: new Uint8Array(8),
    v: { ih: new Uint8Array(20) },
  },
  t: Uint8Array.of(1, 2),
  y: 'r',
}

await bench('metainfo', async (run) => {
  const holds: { name: string; ms: number }[] = []
  for (const torrent of hostileTorrents) {
    holds.push({ name: torrent.name, ms: await holdOf(torrent) })
  }
  const [worst] = holds.toSorted((a, b) => b.ms - a.ms)
  run.say(`${holds.length} hostile torrents; the longest hold is by: ${worst?.name ?? 'none'}`)
  run.report({ what: 'longest hold of the loop', value: worst?.ms ?? 0, unit: 'ms', atMost: 20 })

  const name = 'bencode'
  const { default: theirs } = (await import(name)) as { default: Codec }
  const bytes = encode(reply)
  const decodeRatio = microseconds(() => theirs.decode(bytes)) / microseconds(() => decode(bytes))
  const encodeRatio = microseconds(() => theirs.encode(reply)) / microseconds(() => encode(reply))
  run.report({ what: 'decoding beside npm bencode', value: decodeRatio, unit: 'x', atLeast: 1 })
  run.report({ what: 'encoding beside npm bencode', value: encodeRatio, unit: 'x', atLeast: 1 })
})
