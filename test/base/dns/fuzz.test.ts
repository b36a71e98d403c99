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
import { createDice, mutated } from './mutate.ts'

const ROUNDS = Number(process.env['BTL_FUZZ_ROUNDS'] ?? 10_000)
const SEED = Number(process.env['BTL_FUZZ_SEED'] ?? randomInt(2 ** 31))

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
