/**
 * What one packet may cost: the worst we know of 512 and of 65,535 bytes, and everyday ones, beside
 * dns-packet where that is installed.
 *
 *   node bench/dns-codec.ts [--json]
 */
import { randomInt } from 'node:crypto'
import { concatBytes, joinBytes } from '../src/base/bytes.ts'
import { decodeMessage } from '../src/base/dns/decode-message.ts'
import { decodeQuery } from '../src/base/dns/decode-query.ts'
import { encodeMessage } from '../src/base/dns/encode-message.ts'
import { captured } from '../test/base/dns/messages.ts'
import { brokenQueries, brokenResponses } from '../test/vectors/broken-dns.ts'
import { bench, median } from './runner.ts'

const word = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255)

function header(counts: { questions?: number; answers?: number; additional?: number }): Uint8Array {
  const { questions = 0, answers = 0, additional = 0 } = counts
  return joinBytes([
    Uint8Array.of(0xbe, 0xef, 0x81, 0x80),
    word(questions),
    word(answers),
    word(0),
    word(additional),
  ])
}

const record = (name: Uint8Array, type: number, data: Uint8Array): Uint8Array =>
  joinBytes([name, word(type), word(1), new Uint8Array(4), word(data.length), data])

/** 127 labels of one byte: the most steps a name can cost. */
const DEEP_NAME = concatBytes(
  ...Array.from({ length: 127 }, () => Uint8Array.of(1, 97)),
  Uint8Array.of(0),
)
const POINTER_TO_12 = Uint8Array.of(0xc0, 12)

/** Names that reach the deepest one by as many jumps as are allowed. */
function jumping(bytes: number): Uint8Array {
  const question = joinBytes([DEEP_NAME, word(1), word(1)])
  const parts = [header({ questions: 1, answers: 250 }), question]
  let at = 12 + question.length
  let target = 12
  let count = 0
  while (count < 250 && at + 14 + 40 < bytes) {
    const name = word(0xc000 | target)
    // SOA: two more names.
    const data = joinBytes([name, name, new Uint8Array(20)])
    parts.push(record(name, 6, data))
    // Up to 15 jumps one after the other, then from the start again.
    target = count % 14 === 13 || at > 0x3fff ? 12 : at
    at += 12 + data.length
    count++
  }
  const packet = joinBytes(parts)
  packet.set(word(count), 6)
  return packet
}

const filled = (bytes: number, type: number, piece: (index: number) => Uint8Array): Uint8Array => {
  const room = bytes - 12 - 2 - 10 - 5
  const pieces: Uint8Array[] = []
  let length = 0
  for (let index = 0; ; index++) {
    const next = piece(index)
    if (length + next.length > room) break
    pieces.push(next)
    length += next.length
  }
  const question = joinBytes([Uint8Array.of(0), word(1), word(1)])
  return joinBytes([
    header({ questions: 1, answers: 1 }),
    question,
    record(POINTER_TO_12, type, joinBytes(pieces)),
  ])
}

function deepQuery(bytes: number): Uint8Array {
  const options = new Uint8Array(Math.max(0, Math.min(64 * 4, bytes - 12 - 255 - 4 - 11)) & ~3)
  const opt = joinBytes([
    Uint8Array.of(0),
    word(41),
    word(1232),
    new Uint8Array(4),
    word(options.length),
    options,
  ])
  const packet = joinBytes([
    header({ questions: 1, additional: 1 }),
    DEEP_NAME,
    word(1),
    word(1),
    opt,
  ])
  packet.set([1, 0], 2)
  return packet
}

const worst = (bytes: number): Record<string, Uint8Array> => ({
  'names that jump': jumping(bytes),
  'a TXT of empty strings': filled(bytes, 16, () => Uint8Array.of(0)),
  'an HTTPS of empty params': filled(bytes, 65, (index) =>
    index === 0 ? Uint8Array.of(0, 1, 0) : joinBytes([word(index), word(0)]),
  ),
  'records of nothing': joinBytes([
    header({ answers: Math.min(250, Math.floor((bytes - 12) / 11)) }),
    ...Array.from({ length: Math.min(250, Math.floor((bytes - 12) / 11)) }, () =>
      record(Uint8Array.of(0), 0xff00, new Uint8Array(0)),
    ),
  ]),
  'a query with the deepest name': deepQuery(bytes),
  'all counts at the top': Uint8Array.from([
    0,
    1,
    0x81,
    0x80,
    ...new Uint8Array(8).fill(255),
    ...new Uint8Array(bytes - 12),
  ]),
})

function read(packet: Uint8Array): void {
  decodeQuery(packet)
  const decoded = decodeMessage(packet)
  // What is taken is written again for the cache.
  if (decoded.ok) encodeMessage(decoded.message)
}

/** Microseconds of one call, the middle of several rounds. */
function cost(rounds: number, work: () => void): number {
  work()
  const runs = Array.from({ length: 9 }, () => {
    const began = performance.now()
    for (let round = 0; round < rounds; round++) work()
    return ((performance.now() - began) / rounds) * 1000
  })
  return median(runs)
}

interface DnsPacket {
  decode(bytes: Uint8Array): unknown
}

async function dnsPacket(): Promise<DnsPacket | undefined> {
  try {
    // Typed here: a bench must run where the package is not installed.
    const name = 'dns-packet'
    return ((await import(name)) as { default: DnsPacket }).default
  } catch {
    return undefined
  }
}

await bench('dns-codec', async (run) => {
  for (const [bytes, atMost] of [
    [512, 50],
    [65_535, 2000],
  ] as const) {
    // Warm, as a daemon under attack is.
    for (const packet of Object.values(worst(bytes)))
      for (let round = 0; round < 200; round++) read(packet)
    for (const [what, packet] of Object.entries(worst(bytes))) {
      const value = cost(bytes > 1000 ? 50 : 2000, () => read(packet))
      run.report({ what: `${bytes} bytes: ${what}`, value, unit: 'us', atMost })
    }
  }
  const shelf = [...brokenQueries, ...brokenResponses].map(({ bytes }) => bytes)
  let slowest = 0
  for (const packet of shelf)
    slowest = Math.max(
      slowest,
      cost(500, () => read(packet)),
    )
  run.report({
    what: `the slowest of ${shelf.length} broken packets`,
    value: slowest,
    unit: 'us',
    atMost: 50,
  })

  const random = Array.from({ length: 200 }, () =>
    Uint8Array.from({ length: 512 }, () => randomInt(256)),
  )
  const noise = cost(20, () => random.forEach(read)) / random.length
  run.report({ what: '512 random bytes', value: noise, unit: 'us', atMost: 50 })

  const query = captured['a query of dig with a cookie']
  const answer = captured['a CNAME and its address by knot']
  const ours = cost(20_000, () => void decodeQuery(query))
  run.report({ what: 'a query of dig', value: ours, unit: 'us' })
  const oursAnswer = cost(20_000, () => void decodeMessage(answer))
  run.report({ what: 'an answer of knot', value: oursAnswer, unit: 'us' })
  const other = await dnsPacket()
  if (!other) return
  const theirs = cost(20_000, () => void other.decode(Buffer.from(query)))
  run.report({
    what: 'a query of dig, dns-packet takes times as long',
    value: theirs / ours,
    unit: 'x',
    atLeast: 1,
  })
  const theirsAnswer = cost(20_000, () => void other.decode(Buffer.from(answer)))
  run.report({
    what: 'an answer of knot, dns-packet takes times as long',
    value: theirsAnswer / oursAnswer,
    unit: 'x',
    atLeast: 1,
  })
})
