/** Who is answered: the house, and nobody else; and nobody too often. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ipBytes } from '../../../src/base/ip-address.ts'
import { TYPE } from '../../../src/base/dns/codes.ts'
import { createBoxAddresses } from '../../../src/edges/dns/box-addresses.ts'
import { createGuard } from '../../../src/edges/dns/guard.ts'
import { createNetworks } from '../../../src/edges/dns/networks.ts'
import { until } from '../../support/until.ts'
import { ask, exchange, queryFor, startHouse } from './house.ts'

function guardOf(
  changes: { networks?: string[]; allow?: string[]; max_rate?: number; burst?: number } = {},
) {
  let time = 0
  const guard = createGuard(
    { now: () => time, networks: () => [...(changes.networks ?? [])] },
    { allow: changes.allow ?? [], max_rate: changes.max_rate ?? 50, burst: changes.burst ?? 200 },
  )
  return { guard, pass: (ms: number) => void (time += ms) }
}

describe('the guard', () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.20.0.1',
    '192.168.0.9',
    '169.254.3.4',
    '100.64.1.1',
    '::1',
    'fd12::5',
    'fe80::1%eth0',
    '::ffff:192.168.1.1',
  ]) {
    it(`lets ${address} ask`, () => {
      assert.equal(guardOf().guard.admits(address, 40_000), true)
    })
  }

  for (const address of [
    '8.8.8.8',
    '172.32.0.1',
    '192.169.0.1',
    '2001:db8::1',
    '::ffff:8.8.8.8',
    '',
    'nonsense',
  ]) {
    it(`is silent to ${address || 'nobody'}`, () => {
      assert.equal(guardOf().guard.admits(address, 40_000), false)
      assert.equal(guardOf().guard.isAllowed(address), false)
    })
  }

  it('lets those ask that are directly connected or allowed by name', () => {
    const { guard } = guardOf({ networks: ['2001:db8:1::5/64'], allow: ['203.0.113.0/24'] })
    assert.equal(guard.admits('2001:db8:1::99', 40_000), true)
    assert.equal(guard.admits('2001:db8:2::99', 40_000), false)
    assert.equal(guard.admits('203.0.113.7', 40_000), true)
    assert.equal(guard.admits('203.0.114.7', 40_000), false)
  })

  for (const port of [0, 7, 13, 17, 19]) {
    it(`is silent to port ${port}, where an answer would start a loop`, () => {
      assert.equal(guardOf().guard.admits('192.168.0.9', port), false)
    })
  }

  it('lets a client ask a burst and then its rate, whatever others do', () => {
    const { guard, pass } = guardOf({ max_rate: 10, burst: 5 })
    const admitted = (address: string, count: number) =>
      Array.from({ length: count }, () => guard.admits(address, 40_000)).filter(Boolean).length
    assert.equal(admitted('192.168.0.9', 20), 5)
    assert.equal(admitted('192.168.0.10', 20), 5)
    pass(1000)
    assert.equal(admitted('192.168.0.9', 20), 5)
    pass(100)
    assert.equal(admitted('192.168.0.9', 20), 1)
    assert.ok(guard.stats.tooMany > 0)
  })

  it('lets one device of a /64 use up no more than its own share', () => {
    const { guard } = guardOf({ burst: 5 })
    const admitted = (address: string, count: number) =>
      Array.from({ length: count }, () => guard.admits(address, 40_000)).filter(Boolean).length
    assert.equal(admitted('fd00::1', 1000), 5)
    assert.equal(admitted('fd00::2', 20), 5)
  })

  it('gives a /64 what eight clients get, for one device has all of its addresses', () => {
    const { guard, pass } = guardOf({ burst: 5, max_rate: 10 })
    const admitted = () =>
      Array.from({ length: 100 }, (_, index) =>
        guard.admits(`fd00::${(index + 1).toString(16)}`, 40_000),
      ).filter(Boolean).length
    assert.equal(admitted(), 40)
    assert.equal(guard.admits('fd00:0:0:1::1', 40_000), true)
    pass(100)
    assert.equal(admitted(), 8)
  })

  it('lets no /64 take all the places of those that wait for other servers', () => {
    const { guard } = guardOf({ burst: 20 })
    let waiting = 0
    for (let index = 1; index <= 100; index++) {
      if (!guard.admits(`fd00::${index.toString(16)}`, 40_000)) continue
      guard.waits(`fd00::${index.toString(16)}`)
      waiting++
    }
    assert.equal(waiting, 20)
    assert.equal(guard.admits('10.0.0.1', 40_000), true)
  })

  it('lets no client take all the places of those that wait for other servers', () => {
    const { guard, pass } = guardOf()
    const ask = (address: string) => {
      pass(20)
      return guard.admits(address, 40_000)
    }
    const leave = Array.from({ length: 100 }, () => {
      assert.ok(ask('10.0.0.1'))
      return guard.waits('10.0.0.1')
    })
    assert.equal(ask('10.0.0.1'), false)
    assert.equal(ask('10.0.0.2'), true)
    leave[0]?.()
    assert.equal(ask('10.0.0.1'), true)
  })

  it('follows the networks of the machine, and refills no bucket by it', () => {
    const networks = ['192.0.2.1/24']
    const { guard, pass } = guardOf({ networks, burst: 2, max_rate: 0 })
    assert.equal(guard.admits('2001:db8:1::9', 40_000), false)
    assert.equal(guard.admits('192.168.0.9', 40_000), true)
    assert.equal(guard.admits('192.168.0.9', 40_000), true)
    pass(60_000)
    assert.equal(guard.admits('192.168.0.77', 40_000), true)
    assert.equal(guard.admits('192.168.0.9', 40_000), false, 'refilled')
    networks.push('2001:db8:1::1/64')
    pass(60_000)
    assert.equal(guard.admits('2001:db8:1::9', 40_000), true)
  })

  it('forgets the oldest of many clients', () => {
    const { guard } = guardOf({ burst: 1 })
    assert.equal(guard.admits('10.0.0.1', 40_000), true)
    assert.equal(guard.admits('10.0.0.1', 40_000), false)
    for (let index = 0; index < 5000; index++)
      guard.admits(`10.1.${index >> 8}.${index & 255}`, 40_000)
    assert.equal(guard.admits('10.0.0.1', 40_000), true)
  })
})

describe('a network', () => {
  it('has the addresses up to its length', () => {
    const networks = createNetworks(['10.0.0.0/9', '192.0.2.7', '2001:db8::/33'])
    for (const [text, isIn] of [
      ['10.127.255.255', true],
      ['10.128.0.0', false],
      ['192.0.2.7', true],
      ['192.0.2.6', false],
      ['2001:db8:7fff::1', true],
      ['2001:db8:8000::1', false],
      ['::ffff:10.1.1.1', true],
    ] as const) {
      assert.equal(networks.has(ipBytes(text) ?? new Uint8Array(0)), isIn, text)
    }
    assert.equal(createNetworks(['0.0.0.0/0']).has(Uint8Array.of(8, 8, 8, 8)), true)
  })

  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    'lan',
    '::/129',
  ]) {
    it(`is not read from "${text}"`, () => {
      assert.throws(() => createNetworks([text]), { code: 'BTL_ERR_DNS_BAD_NETWORK' })
    })
  }
})

describe('the addresses it listens on', () => {
  const face = (address: string, cidr: string) =>
    ({
      address,
      family: address.includes(':') ? 'IPv6' : 'IPv4',
      cidr,
      netmask: '',
      mac: '',
      internal: false,
      scopeid: 0,
    }) as never

  it('are the private ones of the machine and never its public ones', () => {
    const book = createBoxAddresses(
      () => 0,
      () => ({
        lo: [face('127.0.0.1', '127.0.0.1/8'), face('::1', '::1/128')],
        lan: [
          face('192.168.1.2', '192.168.1.2/24'),
          face('fe80::2', 'fe80::2/64'),
          face('fd00::2', 'fd00::2/64'),
        ],
        wan: [
          face('203.0.113.9', '203.0.113.9/24'),
          face('fe80::9', 'fe80::9/64'),
          face('2001:db8::9', '2001:db8::9/64'),
        ],
      }),
    )
    assert.deepEqual(book.ofTheHouse(), [
      '127.0.0.1',
      '::1',
      '192.168.1.2',
      'fe80::2%lan',
      'fd00::2',
    ])
    assert.deepEqual(book.seenFrom('fe80::2%lan'), book.seenFrom('fd00::2'))
    const seen = book.seenFrom('192.168.1.2')
    assert.deepEqual([seen.v4?.join('.'), seen.v6?.[0]], ['192.168.1.2', 0xfd])
  })

  it('are not public by name either, unless somebody says who may ask', async (t) => {
    await assert.rejects(startHouse(t, { listen: ['203.0.113.9'] }), { code: 'BTL_ERR_DNS_OPEN' })
    await assert.rejects(startHouse(t, { listen: ['0.0.0.0'] }), { code: 'BTL_ERR_DNS_OPEN' })
    await assert.rejects(startHouse(t, { listen: ['lan'] }), { code: 'BTL_ERR_DNS_BAD_NETWORK' })
    await assert.rejects(startHouse(t, { allow: ['x'] }), { code: 'BTL_ERR_DNS_BAD_NETWORK' })
  })

  it('follow the machine', async (t) => {
    let list = [face('127.0.0.1', '127.0.0.1/8')]
    const house = await startHouse(
      t,
      { listen: ['auto'] },
      { interfaces: () => ({ lo: list }), watchMs: 50 },
    )
    assert.deepEqual(
      house.dns.listening().map(({ address }) => address),
      ['127.0.0.1'],
    )
    list = [face('127.0.0.5', '127.0.0.5/8')]
    house.pass(60_000)
    await until('the new address', () => house.dns.listening()[0]?.address === '127.0.0.5')
    assert.ok(await exchange(house.port, queryFor('btlink', TYPE.A), { host: '127.0.0.5' }))
  })

  it('are answered no more often than a client may ask', async (t) => {
    const house = await startHouse(t, { burst: 3, max_rate: 1 })
    for (let round = 0; round < 3; round++) await ask(house, 'btlink', TYPE.A)
    assert.equal(
      await exchange(house.port, queryFor('btlink', TYPE.A), { timeoutMs: 200 }),
      undefined,
    )
  })
})
