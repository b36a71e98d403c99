/** Ordinary domains with a site: told to proxy scripts, and answered with the box, where that is asked for. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import type { Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { textOfName } from '../../../src/base/dns/name.ts'
import { nameData, readAddress, txtData } from '../../../src/base/dns/record-data.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import type { DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import type { FakeAnswer } from '../../fakes/dns-upstream.ts'
import { address, named } from '../../support/dns-zone.ts'
import { ask, queryFor, read, startHouse } from './house.ts'

const HASH = 'ab'.repeat(20)
const SITE = `magnet:?xt=urn:btih:${HASH}`
const addresses = ({ answers }: Message) => answers.map((record) => readAddress(record.data))

const record = (name: string, type: number, data: Uint8Array, ttl = 300): ResourceRecord => ({
  name: named(name),
  type,
  class: 1,
  ttl,
  data,
})

/** chromecast.link has a site, alias.link one behind an alias, odd.link a record that is none. */
function internet({ name, type }: DnsQuestion): FakeAnswer {
  const text = textOfName(name)
  if (type === TYPE.TXT) {
    if (text === '_btlink.chromecast.link')
      return {
        answers: [record(text, TYPE.TXT, txtData([utf8(SITE.slice(0, 20)), utf8(SITE.slice(20))]))],
      }
    if (text === '_btlink.alias.link') {
      return {
        answers: [
          record(text, TYPE.CNAME, nameData(named('_btlink.chromecast.link'))),
          record('_btlink.chromecast.link', TYPE.TXT, txtData([utf8(SITE)])),
        ],
      }
    }
    if (text === '_btlink.odd.link')
      return { answers: [record(text, TYPE.TXT, txtData([utf8('v=spf1 -all')]))] }
    if (text === '_btlink.dead.link') throw new Error('unreachable')
    return { rcode: RCODE.NXDOMAIN }
  }
  return { answers: [{ ...record('x', TYPE.A, address('192.0.2.5')), name }] }
}

describe('the check for proxy scripts', () => {
  const there = ['chromecast.link', 'Chromecast.LINK', 'alias.link', 'house.example']
  const notThere = [
    'odd.link',
    'none.link',
    'dead.link',
    'www.chromecast.link',
    'link',
    `${HASH}-ih.btlink`,
    'btlink',
  ]
  const config = { link_check: true, link_records: [`house.example=${SITE}`] }

  for (const domain of there) {
    it(`finds that ${domain} has a site`, async (t) => {
      const house = await startHouse(t, config, { script: internet })
      assert.deepEqual(addresses(await ask(house, `${domain}._btlink.btlink`, TYPE.A)), [
        '127.0.0.1',
      ])
      assert.deepEqual((await ask(house, `${domain}._btlink.btlink`, TYPE.MX)).answers, [])
    })
  }

  for (const domain of notThere) {
    it(`finds that ${domain.slice(0, 20)} has none`, async (t) => {
      const house = await startHouse(t, config, { script: internet })
      assert.equal((await ask(house, `${domain}._btlink.btlink`, TYPE.A)).rcode, RCODE.NXDOMAIN)
    })
  }

  it('asks once for each domain while its record counts', async (t) => {
    const house = await startHouse(t, config, { script: internet })
    for (let round = 0; round < 3; round++) {
      await ask(house, 'chromecast.link._btlink.btlink', TYPE.A)
      await ask(house, 'none.link._btlink.btlink', TYPE.A)
    }
    assert.equal(house.upstream.asked.length, 2)
    house.pass(301_000)
    await ask(house, 'chromecast.link._btlink.btlink', TYPE.A)
    assert.equal(house.upstream.asked.length, 3)
  })

  it('is off unless it is turned on: then nobody is asked', async (t) => {
    const house = await startHouse(t, {}, { script: internet })
    assert.equal((await ask(house, 'chromecast.link._btlink.btlink', TYPE.A)).rcode, RCODE.NXDOMAIN)
    assert.deepEqual(house.upstream.asked, [])
  })
})

describe('a domain with a site', () => {
  it('is forwarded as it is', async (t) => {
    const house = await startHouse(t, {}, { script: internet })
    assert.deepEqual(addresses(await ask(house, 'chromecast.link', TYPE.A)), ['192.0.2.5'])
    assert.deepEqual(house.upstream.asked, ['chromecast.link 1'])
  })

  it('is the box where that is turned on, and has no HTTPS record that leads past it', async (t) => {
    const house = await startHouse(t, { intercept_links: true }, { script: internet })
    const answer = await ask(house, 'chromecast.link', TYPE.A)
    assert.deepEqual(addresses(answer), ['127.0.0.1'])
    assert.equal(answer.flags & FLAG.AA, 0)
    assert.deepEqual((await ask(house, 'chromecast.link', TYPE.HTTPS)).answers, [])
    // Its mail and its own record stay what they are.
    await ask(house, 'chromecast.link', TYPE.MX)
    assert.ok(house.upstream.asked.includes('chromecast.link 15'))
    assert.equal((await ask(house, '_btlink.chromecast.link', TYPE.TXT)).answers.length, 1)
  })

  it('leaves every other domain alone, also below it', async (t) => {
    const house = await startHouse(t, { intercept_links: true }, { script: internet })
    for (const name of [
      'none.link',
      'odd.link',
      'dead.link',
      'www.chromecast.link',
      '_x.chromecast.link',
    ]) {
      assert.deepEqual(addresses(await ask(house, name, TYPE.A)), ['192.0.2.5'], name)
    }
  })
})

describe('the resolver explains', () => {
  for (const [name, type, handler] of [
    [`${HASH}-ih.btlink`, TYPE.A, 'btlink-names'],
    ['nas.lan', TYPE.A, 'local-records'],
    ['printer.local', TYPE.A, 'special-names'],
    ['example.com', TYPE.ANY, 'policy'],
    ['example.com', TYPE.A, 'forward'],
  ] as const) {
    it(`that ${handler} answers ${name.slice(0, 16)} type ${type}`, async (t) => {
      const house = await startHouse(t, { records: ['nas.lan=192.168.1.5'] }, { script: internet })
      const explained = await house.dns.explain(queryFor(name, type))
      assert.equal(explained?.handler, handler)
      assert.equal(read(explained.reply).id, 0x1234)
    })
  }

  it('an answer from memory as what it is', async (t) => {
    const house = await startHouse(t, {}, { script: internet })
    await ask(house, 'example.com', TYPE.A)
    house.pass(10_000)
    const explained = await house.dns.explain(queryFor('example.com', TYPE.A))
    assert.equal(explained?.handler, 'forward')
    assert.equal(read(explained.reply).answers[0]?.ttl, 290)
    assert.equal(house.upstream.asked.length, 1)
  })

  it('nothing about what is no query', async (t) => {
    const house = await startHouse(t)
    assert.equal(await house.dns.explain(new Uint8Array(5)), undefined)
  })
})
