/** The household's own words as a zone that resolvers in front of us copy. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { ResourceRecord } from '../../../src/base/dns/message.ts'
import { readAddress, soaData } from '../../../src/base/dns/record-data.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createNetworks } from '../../../src/edges/dns/networks.ts'
import { createGuard } from '../../../src/edges/dns/guard.ts'
import { createBoxAddresses } from '../../../src/edges/dns/box-addresses.ts'
import { parseFront } from '../../../src/edges/dns/transfer/front-talk.ts'
import {
  createPolicyZone,
  isLater,
  type PolicyZone,
} from '../../../src/edges/dns/transfer/policy-zone.ts'
import { readTransferQuestion, serialOf } from '../../../src/edges/dns/transfer/stream.ts'
import { DIG, KDIG } from '../../support/dns-servers.ts'
import { named } from '../../support/dns-zone.ts'
import { missing, run } from '../../support/processes.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { ask, connectTcp, dig, dnsConfig, queryFor, read, startHouse } from './house.ts'

const FRONT = { front: ['127.0.0.1@1'], house_addresses: ['192.168.77.1', 'fd00:77::1'] }

const axfr = async (port: number, ...more: string[]): Promise<string[]> =>
  (await dig(port, '+onesoa', '+nocomments', '+nocmd', '+nostats', ...more, 'rpz.btlink', 'AXFR'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.replaceAll(/\s+/g, ' '))

/** The records but SOA and NS, without TTL and class. */
const rulesAt = async (port: number): Promise<string[]> =>
  (await axfr(port)).flatMap((line) => {
    const [name = '', , , type = '', ...data] = line.split(' ')
    const isEdge = type === 'SOA' || type === 'NS'
    return isEdge ? [] : `${name.replace('.rpz.btlink.', '')} ${type} ${data.join(' ')}`
  })

describe('the zone of the household', { skip: missing(DIG, KDIG) }, () => {
  it('has what was written, the domains of the house, wpad and canaries', async (t) => {
    const house = await startHouse(t, {
      ...FRONT,
      records: ['nas.lan=192.168.1.5', 'NAS.lan=fd00::5', 'note.lan=TXT two words'],
      link_records: ['chromecast.link=magnet:?xs=urn:btpk:aa'],
      local_domains: ['lan'],
      wpad: true,
    })
    assert.deepEqual(await rulesAt(house.port), [
      'nas.lan A 192.168.1.5',
      'nas.lan AAAA fd00::5',
      'note.lan TXT "two words"',
      '_btlink.chromecast.link TXT "magnet:?xs=urn:btpk:aa"',
      'wpad A 192.168.77.1',
      'wpad AAAA fd00:77::1',
      'wpad.lan A 192.168.77.1',
      'wpad.lan AAAA fd00:77::1',
      'lan CNAME *.',
      '*.lan CNAME .',
      'use-application-dns.net CNAME .',
      'mask.icloud.com CNAME .',
      'mask-h2.icloud.com CNAME .',
    ])
  })

  it('says no for wpad and leaves canaries alone where these are off', async (t) => {
    const house = await startHouse(t, { ...FRONT, canaries: false, local_domains: [] })
    assert.deepEqual(await rulesAt(house.port), ['wpad CNAME .'])
  })

  it('leaves domains to their own servers', async (t) => {
    const config = { ...FRONT, canaries: false, local_domains: ['lan', 'corp'] }
    const house = await startHouse(t, config, { routed: ['corp'] })
    const names = (await rulesAt(house.port)).map((rule) => rule.split(' ')[0])
    assert.deepEqual(names, ['wpad', 'wpad.lan', 'lan', '*.lan'])
  })

  it('has in the place of an alias what it leads to, for no front follows it', async (t) => {
    const house = await startHouse(t, {
      ...FRONT,
      canaries: false,
      local_domains: [],
      records: [
        'www.lan=CNAME files.lan',
        'files.lan=CNAME nas.lan',
        'nas.lan=192.168.1.5',
        'out.lan=CNAME example.org',
        'round.lan=CNAME trip.lan',
        'trip.lan=CNAME round.lan',
      ],
    })
    assert.deepEqual(await rulesAt(house.port), [
      'www.lan A 192.168.1.5',
      'files.lan A 192.168.1.5',
      'nas.lan A 192.168.1.5',
      'out.lan CNAME example.org.',
      'round.lan CNAME trip.lan.',
      'trip.lan CNAME round.lan.',
      'wpad CNAME .',
    ])
  })

  it('is copied in several messages where it is large', async (t) => {
    const records = Array.from(
      { length: 300 },
      (_, index) => `n${index}.lan=TXT ${'x'.repeat(4000)}`,
    )
    const house = await startHouse(t, { ...FRONT, records })
    const rules = await rulesAt(house.port)
    assert.equal(rules.filter((rule) => rule.includes('xxx')).length, 300)
    const { stdout } = await run(KDIG, [
      '@127.0.0.1',
      '-p',
      String(house.port),
      '+noall',
      '+answer',
      'rpz.btlink',
      'AXFR',
    ])
    assert.equal(stdout.split('\n').filter((line) => line.includes('xxx')).length, 300)
  })

  it('is answered whole to who asks for changes, and with one SOA to who has it', async (t) => {
    const house = await startHouse(t, FRONT)
    const [soa = ''] = await axfr(house.port)
    const serial = Number(soa.split(' ')[6])
    const changes = async (from: number) =>
      (await dig(house.port, '+nocomments', '+nocmd', 'rpz.btlink', `IXFR=${from}`))
        .split('\n')
        .filter((line) => line.includes('\t'))
    assert.ok((await changes(serial - 1)).length > 5)
    assert.equal((await changes(serial)).length, 1)
    assert.equal((await changes(serial + 5)).length, 1)
  })

  it('is known to any client by its SOA, and no further', async (t) => {
    const house = await startHouse(t, { ...FRONT, records: ['nas.lan=192.168.1.5'] })
    assert.equal((await ask(house, 'rpz.btlink', TYPE.SOA)).answers.length, 1)
    assert.equal((await ask(house, 'rpz.btlink', TYPE.NS)).answers.length, 1)
    assert.deepEqual((await ask(house, 'rpz.btlink', TYPE.A)).answers, [])
    const inside = await ask(house, 'nas.lan.rpz.btlink', TYPE.A)
    assert.deepEqual([inside.rcode, inside.answers], [RCODE.NXDOMAIN, []])
    // Nor over UDP, where nobody knows who asks.
    assert.equal((await ask(house, 'rpz.btlink', TYPE.AXFR)).rcode, RCODE.REFUSED)
  })

  it('is copied by the front and nobody else', async (t) => {
    const house = await startHouse(t, { ...FRONT, front: ['127.0.0.9'] })
    const refused = await connectTcp(t, house.port)
    refused.send(queryFor('rpz.btlink', TYPE.AXFR))
    assert.equal((await refused.next())?.rcode, RCODE.REFUSED)
    const front = await connectTcp(t, house.port, '127.0.0.9')
    front.send(queryFor('rpz.btlink', TYPE.AXFR))
    assert.ok(((await front.next())?.answers.length ?? 0) > 3)
    for (const name of ['btlink', 'example.com', '.']) {
      front.send(queryFor(name, TYPE.AXFR))
      assert.equal((await front.next())?.rcode, RCODE.REFUSED, name)
    }
  })

  it('is not there where nobody is in front', async (t) => {
    const house = await startHouse(t)
    assert.equal((await ask(house, 'rpz.btlink', TYPE.SOA)).rcode, RCODE.NXDOMAIN)
    assert.match(await dig(house.port, 'rpz.btlink', 'AXFR'), /Transfer failed/)
  })
})

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

describe('a question for a transfer', () => {
  it('is read with what the asker has (RFC 1995)', () => {
    const soa = {
      name: named('rpz.btlink'),
      type: TYPE.SOA,
      class: 1,
      ttl: 0,
      data: soaData({
        primary: named('.'),
        mailbox: named('.'),
        serial: 0xfffffffe,
        refresh: 0,
        retry: 0,
        expire: 0,
        minimum: 0,
      }),
    }
    const { bytes } = encodeMessage({
      id: 1,
      flags: 0,
      rcode: 0,
      questions: [{ name: named('RPZ.btlink'), type: TYPE.IXFR, class: 1 }],
      answers: [],
      authority: [soa],
      additional: [],
    })
    const asked = readTransferQuestion(bytes)
    assert.equal(asked?.held, 0xfffffffe)
    assert.equal(asked.query.folded, named('rpz.btlink'))
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(readTransferQuestion(bytes.subarray(0, length)), undefined, `${length} bytes`)
    }
  })

  const soaOf = (data: string) => `0372707a0000060001000000${data}`
  for (const [what, hex] of [
    ['has an answer', `000100000001000100000000 0372707a0000fc0001 ${soaOf('00')}`],
    ['has two SOA', `000100000001000000020000 0372707a0000fb0001 ${soaOf('000000')}`],
    [
      'has an SOA without numbers',
      `000100000001000000010000 0372707a0000fb0001 ${soaOf('0000020000')}`,
    ],
    [
      'has a length beyond its end',
      `000100000001000000010000 0372707a0000fb0001 ${soaOf('00ffff0000')}`,
    ],
    [
      'asks AXFR with an authority',
      `000100000001000000010000 0372707a0000fc0001 ${soaOf(`000016${'00'.repeat(22)}`)}`,
    ],
    ['has a pointer to itself', `000100000001000000010000 c00c00fb0001 ${soaOf('00')}`],
    ['has no question', '000100000000000000000000'],
    ['is an answer', '000180000001000000000000 0372707a0000fc0001'],
  ] as const) {
    it(`that ${what} is none`, () => {
      assert.equal(readTransferQuestion(fromHex(hex.replaceAll(' ', ''))), undefined)
    })
  }

  it('of any bytes is read without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(3), (tail, authority) => {
        const head = Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0, authority, 0, 0)
        readTransferQuestion(Buffer.concat([head, tail]))
      }),
    )
  })

  it('of a zone is answered with messages that decode', async (t) => {
    const zone = startZone(t, 9)
    const stream = zone.transfer(
      queryFor('RPZ.btlink', TYPE.AXFR, { payloadBytes: 1232 }),
      '127.0.0.1',
    )
    assert.ok(stream)
    const decoded = decodeMessage(stream.subarray(2))
    assert.ok(decoded.ok && decoded.message.edns)
    await zone.stop()
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

  it('are not for strangers: the guard lets a front through as often as it likes, and only it', () => {
    const deps = { now: () => 0, networks: () => [], fronts: ['127.0.0.1'] }
    const guard = createGuard(deps, { allow: [], max_rate: 1, burst: 1 })
    const admitted = (address: string) =>
      [1, 2, 3].filter(() => guard.admits(address, 40_000)).length
    assert.deepEqual([admitted('127.0.0.1'), admitted('127.0.0.2')], [3, 1])
    assert.ok(createNetworks(['127.0.0.0/8']).has(Uint8Array.of(127, 0, 0, 1)))
  })
})
