/** Talk with a resolver in front of us, and what its clients are given for the box. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { ResourceRecord } from '../../../src/base/dns/message.ts'
import { readAddress, soaData } from '../../../src/base/dns/record-data.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createGuard } from '../../../src/edges/dns/guard.ts'
import { createBoxAddresses } from '../../../src/edges/dns/box-addresses.ts'
import { parseFront } from '../../../src/edges/dns/transfer/front-talk.ts'
import {
  createPolicyZone,
  isLater,
  type PolicyZone,
} from '../../../src/edges/dns/transfer/policy-zone.ts'
import { serialOf } from '../../../src/edges/dns/transfer/stream.ts'
import { named } from '../../support/dns-zone.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { ask, dnsConfig, queryFor, read, startHouse } from './house.ts'

const FRONT = { front: ['127.0.0.1@1'], house_addresses: ['192.168.77.1', 'fd00:77::1'] }

/** A resolver in front, as far as we talk with it. */
async function startFront(t: TestContext, held?: { serial: number; digest: string }) {
  const socket = createSocket('udp4')
  finallyDo(t, () => void socket.close())
  const heard: number[] = []
  const state = { held, heard, port: 0, isDeaf: false }
  socket.on('message', (packet, from) => {
    if (state.isDeaf) return
    const { id, flags, questions, answers } = read(packet)
    const isNotify = (flags & 0x7800) === 4 << 11
    if (isNotify) heard.push(serialOf(answers[0]?.data ?? new Uint8Array(20)))
    const soa: ResourceRecord[] =
      isNotify || state.held === undefined
        ? []
        : [
            {
              name: named('rpz.btlink'),
              type: TYPE.SOA,
              class: 1,
              ttl: 60,
              data: soaData({
                primary: named(`${state.held.digest}.rpz.btlink`),
                mailbox: named('.'),
                serial: state.held.serial,
                refresh: 1,
                retry: 1,
                expire: 1,
                minimum: 1,
              }),
            },
          ]
    const { bytes } = encodeMessage({
      id,
      flags: flags | FLAG.QR | FLAG.AA,
      rcode: 0,
      questions,
      answers: soa,
      authority: [],
      additional: [],
    })
    socket.send(bytes, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  state.port = socket.address().port
  return state
}

function startZone(
  t: TestContext,
  port: number,
  house = () => ({ v4: Uint8Array.of(192, 168, 77, 1), v6: undefined }),
): PolicyZone {
  const zone = createPolicyZone(
    { log: silentLog, tld: 'btlink', routed: [], house, checkMs: 20 },
    dnsConfig({ front: [`127.0.0.1@${port}`], wpad: true }),
  )
  finallyDo(t, async () => zone.stop())
  zone.start()
  return zone
}

/** SOA and the A records of what a front gets. */
function copied(zone: PolicyZone): { serial: number; digest: string; addresses: string[] } {
  const stream = zone.transfer(queryFor('rpz.btlink', TYPE.AXFR), '127.0.0.1')
  assert.ok(stream)
  const { answers } = read(stream.subarray(2))
  const soa = answers[0]?.data ?? new Uint8Array(20)
  return {
    serial: serialOf(soa),
    digest: Buffer.from(soa.subarray(1, 1 + (soa[0] ?? 0))).toString(),
    addresses: answers.filter(({ type }) => type === TYPE.A).map(({ data }) => readAddress(data)),
  }
}

describe('a front', () => {
  it('hears of a zone that it does not have, until it has it', async (t) => {
    const front = await startFront(t, { serial: 5, digest: 'hold' })
    const zone = startZone(t, front.port)
    await until('two notices', () => front.heard.length >= 2)
    const { serial, digest } = copied(zone)
    assert.equal(front.heard[0], serial)
    front.held = { serial, digest }
    await until('peace', async () => {
      const before = front.heard.length
      await new Promise((done) => setTimeout(done, 100))
      return front.heard.length === before
    })
  })

  it('hears at once of an address that changed, under a later serial', async (t) => {
    const front = await startFront(t)
    let last = 1
    const zone = startZone(t, front.port, () => ({
      v4: Uint8Array.of(192, 168, 77, last),
      v6: undefined,
    }))
    await until('a notice', () => front.heard.length === 1)
    const before = copied(zone)
    last = 2
    await until('another', () => front.heard.length === 2)
    const after = copied(zone)
    assert.ok(isLater(after.serial, before.serial))
    assert.deepEqual(new Set(after.addresses), new Set(['192.168.77.2']))
  })

  it('with a later serial is overtaken: the clock may stand in 1970, and nothing is on disk', async (t) => {
    for (const serial of [Math.floor(Date.now() / 1000) + 1e6, 0xffffffff, 0x9fffffff]) {
      const front = await startFront(t, { serial, digest: 'hold' })
      const zone = startZone(t, front.port)
      await until('a notice', () => front.heard.length > 0)
      assert.ok(isLater(copied(zone).serial, serial), `${serial}`)
    }
  })

  it('that is away is told when it is back', async (t) => {
    const front = await startFront(t)
    front.isDeaf = true
    const zone = startZone(t, front.port)
    await new Promise((done) => setTimeout(done, 100))
    assert.equal(zone.stats.notified, 0)
    front.isDeaf = false
    await until('a notice', () => front.heard.length > 0)
  })

  it('asks for the house: it gets the house address, and is not counted', async (t) => {
    const house = await startHouse(t, { ...FRONT, max_rate: 1, burst: 1 })
    for (let round = 0; round < 20; round++) {
      const { answers } = await ask(house, 'btlink', TYPE.A)
      assert.deepEqual(
        answers.map(({ data }) => readAddress(data)),
        ['192.168.77.1'],
      )
    }
    const { answers } = await ask(house, 'btlink', TYPE.AAAA)
    assert.deepEqual(
      answers.map(({ data }) => readAddress(data)),
      ['fd00:77::1'],
    )
  })

  it('asks as often as it likes, and only it', () => {
    const deps = { now: () => 0, networks: () => [], fronts: ['127.0.0.1'] }
    const guard = createGuard(deps, { allow: [], max_rate: 1, burst: 1 })
    const admitted = (address: string) =>
      [1, 2, 3].filter(() => guard.admits(address, 40_000)).length
    assert.deepEqual([admitted('127.0.0.1'), admitted('127.0.0.2')], [3, 1])
  })

  for (const text of ['', 'unbound', '127.0.0.1@0', '127.0.0.1@99999', '127.0.0.1:53', '::1@x']) {
    it(`written as "${text}" is refused at the start`, async (t) => {
      await assert.rejects(startHouse(t, { front: [text] }), { code: 'BTL_ERR_DNS_BAD_FRONT' })
    })
  }

  it('is an address and a port, in the one spelling', () => {
    assert.deepEqual(parseFront('127.0.0.1'), { address: '127.0.0.1', port: 53 })
    assert.deepEqual(parseFront('0::0:1@5353'), { address: '::1', port: 5353 })
  })
})

describe('the address of the house', () => {
  const face = (address: string, internal = false) =>
    ({ address, internal, family: 'IPv4', cidr: null, netmask: '', mac: '' }) as never
  const seen = (given: string[], lists: Record<string, never[]>) => {
    const { v4, v6 } = createBoxAddresses(
      () => 0,
      () => lists,
      given,
    ).seenFrom('127.0.0.1')
    return [v4 && readAddress(v4), v6 && readAddress(v6)]
  }
  const lists = {
    lo: [face('127.0.0.1', true), face('::1', true)],
    wan: [face('203.0.113.7')],
    lan: [face('fe80::1'), face('2001:db8::5'), face('192.168.1.2'), face('fd00::5')],
    guests: [face('10.9.0.1')],
  }

  it("is that of the first private network, the lasting one before the provider's", () => {
    assert.deepEqual(seen(['auto'], lists), ['192.168.1.2', 'fd00::5'])
  })

  it('is what was written, family by family', () => {
    assert.deepEqual(seen(['10.9.0.1'], lists), ['10.9.0.1', undefined])
    assert.deepEqual(seen(['10.9.0.1', 'auto'], lists), ['10.9.0.1', 'fd00::5'])
  })

  it('is none where there is no house', () => {
    assert.deepEqual(seen(['auto'], { lo: lists.lo, wan: lists.wan }), [undefined, undefined])
  })

  it('is an address', () => {
    assert.throws(() => seen(['home'], lists), { code: 'BTL_ERR_DNS_BAD_NETWORK' })
  })
})

describe('serials', () => {
  it('come one after the other round the end of the numbers (RFC 1982)', () => {
    for (const [a, b, later] of [
      [2, 1, true],
      [1, 2, false],
      [1, 1, false],
      [0, 0xffffffff, true],
      [0xffffffff, 0, false],
      [0x7fffffff, 0, true],
    ] as const) {
      assert.equal(isLater(a, b), later, `${a} ${b}`)
    }
  })
})
