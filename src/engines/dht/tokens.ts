/** Write tokens (BEP 5): proof that whoever announces or puts receives packets at its address. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../base/ports/clock.ts'
import { hostBytes } from './address.ts'
import type { RandomBytes } from './node-id.ts'

/** BEP 5: a token is good for up to ten minutes; the secret changes every five. */
const ROTATE_MS = 5 * 60_000
const TOKEN_BYTES = 8

export function createTokens(clock: Clock, random: RandomBytes) {
  let current = random(20)
  let previous: Uint8Array | undefined
  let rotatedAt = clock.now()

  function rotate(): void {
    const age = Math.abs(clock.now() - rotatedAt)
    if (age < ROTATE_MS) return
    previous = age < 2 * ROTATE_MS ? current : undefined
    current = random(20)
    rotatedAt = clock.now()
  }

  const make = (secret: Uint8Array, host: string, target: Uint8Array): Uint8Array =>
    createHmac('sha1', secret)
      .update(hostBytes(host) ?? host)
      .update(target)
      .digest()
      .subarray(0, TOKEN_BYTES)

  return {
    /** Bound to the address and to what was asked for. */
    issue(host: string, target: Uint8Array): Uint8Array {
      rotate()
      return make(current, host, target)
    },
    accepts(token: Uint8Array, host: string, target: Uint8Array): boolean {
      rotate()
      if (token.length !== TOKEN_BYTES) return false
      return [current, previous].some(
        (secret) => secret !== undefined && timingSafeEqual(token, make(secret, host, target)),
      )
    },
  }
}

export type Tokens = ReturnType<typeof createTokens>
