/** The household's own words as a zone that resolvers in front of us copy. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import { soaData } from '../../../src/base/dns/record-data.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import { readTransferQuestion } from '../../../src/edges/dns/transfer/stream.ts'
import { DIG, KDIG } from '../../support/dns-servers.ts'
import { named } from '../../support/dns-zone.ts'
import { missing, run } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { MAGNET } from './scenario.ts'
import { ask, connectTcp, dig, queryFor, startHouse } from './house.ts'

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
      link_records: [`chromecast.link=${MAGNET}`],
      local_domains: ['lan'],
      wpad: true,
    })
    assert.deepEqual(await rulesAt(house.port), [
      'nas.lan A 192.168.1.5',
      'nas.lan AAAA fd00::5',
      'note.lan TXT "two words"',
      `_btlink.chromecast.link TXT "${MAGNET}"`,
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

  it('is not written again and again to a front that does not read', async (t) => {
    const records = Array.from({ length: 200 }, (_, at) => `n${at}.lan=TXT ${'x'.repeat(4000)}`)
    const house = await startHouse(t, { ...FRONT, records })
    const front = await connectTcp(t, house.port)
    front.socket.pause()
    for (let round = 0; round < 50; round++) front.send(queryFor('rpz.btlink', TYPE.AXFR))
    await until('the end of it', () => house.dns.stats()['connections'] === 0)
    assert.ok(Number(house.dns.stats()['transfers']) < 50)
  })

  it('is not there where nobody is in front', async (t) => {
    const house = await startHouse(t)
    assert.equal((await ask(house, 'rpz.btlink', TYPE.SOA)).rcode, RCODE.NXDOMAIN)
    assert.match(await dig(house.port, 'rpz.btlink', 'AXFR'), /Transfer failed/)
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

  it('of a zone is answered with messages that decode, and EDNS where it had some', async (t) => {
    const house = await startHouse(t, FRONT)
    const client = await connectTcp(t, house.port)
    for (const options of [{}, { payloadBytes: 1232 }]) {
      client.send(queryFor('RPZ.btlink', TYPE.AXFR, options))
      const message = await client.next()
      assert.equal(message?.edns !== undefined, 'payloadBytes' in options)
      assert.equal(message?.answers[0]?.type, TYPE.SOA)
    }
  })
})
