/** Mutated packets at the resolver: none may throw, make an amplifier of it, or be lost. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { toHex } from '../../../src/base/bytes.ts'
import type { Log } from '../../../src/base/ports/log.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createChain } from '../../../src/edges/dns/chain.ts'
import { createResolver } from '../../../src/edges/dns/resolver.ts'
import { createDice, mutated } from '../../base/dns/mutate.ts'
import { createFakeUpstream } from '../../fakes/dns-upstream.ts'
import { named } from '../../support/dns-zone.ts'
import { dnsConfig } from './house.ts'

const ROUNDS = 5000
const SEED = Number(process.env['BTL_FUZZ_SEED'] ?? randomInt(2 ** 31))

describe('a mutated packet', () => {
  it(`is answered, refused or dropped by the resolver, ${ROUNDS} times over, seed ${SEED}`, async () => {
    const failures: object[] = []
    const log: Log = { ...silentLog, error: (fields) => void failures.push(fields) }
    const upstream = createFakeUpstream()
    await upstream.start(new AbortController().signal)
    const deps = {
      upstream,
      now: () => performance.now(),
      tld: 'btlink',
      routed: [named('example.test')],
    }
    const config = dnsConfig({ link_check: true, intercept_links: true, wpad: true })
    const { handlers, forward } = createChain(deps, config)
    const resolver = createResolver({
      log,
      handlers,
      remembered: (query) => forward.remembered(query),
    })
    const box = () => ({ v4: Uint8Array.of(127, 0, 0, 1), v6: undefined })
    const dice = createDice(SEED)
    for (let round = 0; round < ROUNDS; round++) {
      const packet = mutated(dice)
      for (const way of [
        { transport: 'udp', idleMs: 0 },
        { transport: 'tcp', idleMs: 10_000 },
      ] as const) {
        const reply = await resolver.answer(packet, box, way)
        if (reply === undefined) continue
        assert.equal(toHex(reply.subarray(0, 2)), toHex(packet.subarray(0, 2)), 'another id')
        assert.ok((reply[2] ?? 0) & 0x80, 'no response')
        assert.ok(reply.length <= (way.transport === 'udp' ? 1232 : 65_535))
      }
    }
    assert.deepEqual(failures, [])
  })
})
