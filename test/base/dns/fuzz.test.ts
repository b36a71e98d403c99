/**
 * Mutated packets: nothing may throw, and what is taken must be writable and mean the same again.
 * `BTL_FUZZ_ROUNDS` says how many; `BTL_FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { toHex } from '../../../src/base/bytes.ts'
import { decodeMessage, decodeResponse } from '../../../src/base/dns/decode-message.ts'
import { decodeQuery, encodeRefusal } from '../../../src/base/dns/decode-query.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import { brokenQueries, brokenResponses, longestChain } from '../../vectors/broken-dns.ts'
import { captured } from './messages.ts'

const ROUNDS = Number(process.env['BTL_FUZZ_ROUNDS'] ?? 10_000)
const SEED = Number(process.env['BTL_FUZZ_SEED'] ?? randomInt(2 ** 31))

/** Mulberry32: small, and the same everywhere. */
function createDice(seed: number) {
  let state = seed >>> 0
  return (sides: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

const seeds = [
  ...Object.values(captured),
  longestChain,
  ...brokenQueries.map(({ bytes }) => bytes),
  ...brokenResponses.map(({ bytes }) => bytes),
].filter((bytes) => bytes.length > 0)

/** Bytes that mean something to a reader of names, counts and lengths. */
const TELLING = [0, 1, 2, 3, 12, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff]

function mutated(dice: (sides: number) => number): Uint8Array {
  const seed = seeds[dice(seeds.length)] ?? new Uint8Array(12)
  let bytes = Uint8Array.from(seed)
  for (let left = 1 + dice(4); left > 0; left--) {
    const at = dice(bytes.length || 1)
    switch (dice(6)) {
      case 0:
        bytes[at] = dice(256)
        break
      case 1:
        bytes[at] = TELLING[dice(TELLING.length)] ?? 0
        break
      case 2:
        bytes = bytes.slice(0, at)
        break
      case 3:
        // A pointer to anywhere in the packet.
        bytes[at] = 0xc0
        bytes[at + 1] = dice(bytes.length || 1)
        break
      case 4: {
        const piece = bytes.slice(at, at + dice(40))
        bytes = Uint8Array.from([...bytes.slice(0, at), ...piece, ...bytes.slice(at)])
        break
      }
      default:
        // A count of the header.
        bytes[4 + dice(8)] = dice(4)
    }
  }
  return bytes
}

function survive(bytes: Uint8Array): boolean {
  const verdict = decodeQuery(bytes)
  if (verdict.kind === 'refuse') {
    assert.ok(encodeRefusal(bytes, verdict, 1232).length <= Math.max(bytes.length, 12))
  }
  decodeResponse(bytes)
  const decoded = decodeMessage(bytes)
  if (!decoded.ok) return false
  const { bytes: again, truncated } = encodeMessage(decoded.message)
  assert.equal(truncated, false)
  const second = decodeMessage(again)
  assert.ok(second.ok, JSON.stringify(second))
  assert.equal(toHex(encodeMessage(second.message).bytes), toHex(again))
  return true
}

describe('a mutated packet', () => {
  it(`is refused or means something, ${ROUNDS} times over, seed ${SEED}`, () => {
    const dice = createDice(SEED)
    let sound = 0
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutated(dice)
      try {
        if (survive(bytes)) sound++
      } catch (error) {
        throw new Error(`round ${round}: ${toHex(bytes)}`, { cause: error })
      }
    }
    // A fuzzer whose packets are all refused at the door tests the door alone.
    assert.ok(sound > ROUNDS / 50, `only ${sound} of ${ROUNDS} were sound`)
  })
})
