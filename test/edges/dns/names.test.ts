/** Names of content, the household's own and those the standards took: what each of them gets. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLASS, FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { extendedErrors } from '../../../src/base/dns/edns.ts'
import { nameOfLabels, textOfName } from '../../../src/base/dns/name.ts'
import { readAddress, readTxt, soaMinimum } from '../../../src/base/dns/record-data.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { Message } from '../../../src/base/dns/message.ts'
import { parseMagnet } from '../../../src/base/names/index.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import { createChain } from '../../../src/edges/dns/chain.ts'
import type { DnsConfig } from '../../../src/edges/dns/index.ts'
import { createResolver } from '../../../src/edges/dns/resolver.ts'
import { DIG } from '../../support/dns-servers.ts'
import { missing } from '../../support/processes.ts'
import { ask, dig, dnsConfig, exchange, queryFor, read, startHouse } from './house.ts'

const KEY = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
const HASH = 'aa'.repeat(20)
const SITE = `magnet:?xt=urn:btih:${HASH}`

const addresses = ({ answers }: Message) => answers.map((record) => readAddress(record.data))

describe('a name of content', () => {
  for (const name of [
    'btlink',
    `${HASH}-ih.btlink`,
    `${KEY}-pk.btlink`,
    `blog.${KEY}-pk.btlink`,
    `blog-${KEY}-pk.btlink`,
    `a.b.${KEY}-pk.btlink`,
    `${HASH}-44.btlink`,
    // Redirected by the gateway, so it has to be reached.
    `www.${HASH}-ih.btlink`,
    `${HASH}.ih.btlink`,
    `${KEY}.pk.btlink`,
    'proxy.btlink',
    'gateway.btlink',
    'go.btlink',
    'ns.btlink',
    'check.btlink',
    'setup.btlink',
    'my.btlink',
  ]) {
    it(`${name.slice(0, 24)} is the box on the interface that was asked`, async (t) => {
      const house = await startHouse(t)
      const answer = await ask(house, name, TYPE.A)
      assert.equal(answer.rcode, RCODE.NOERROR)
      assert.deepEqual(addresses(answer), ['127.0.0.1'])
      assert.ok(answer.flags & FLAG.AA, 'not authoritative')
      assert.equal(answer.answers[0]?.ttl, 60)
      assert.deepEqual(house.upstream.asked, [])
    })
  }

  for (const name of [
    'nonsense.btlink',
    `${HASH.slice(1)}-ih.btlink`,
    `${HASH}0-ih.btlink`,
    `${HASH.replace('a', 'g')}-ih.btlink`,
    'x-pk.btlink',
    '-pk.btlink',
    `${KEY}0-pk.btlink`,
    `${HASH}-xy.btlink`,
    'a.proxy.btlink',
    `${'s'.repeat(63)}.${'s'.repeat(63)}.${KEY}-pk.btlink`,
  ]) {
    it(`${name.slice(0, 24)} that is none is not there, with an SOA`, async (t) => {
      const house = await startHouse(t)
      const answer = await ask(house, name, TYPE.A)
      assert.equal(answer.rcode, RCODE.NXDOMAIN)
      assert.deepEqual(answer.answers, [])
      const [soa] = answer.authority
      assert.equal(soa?.type, TYPE.SOA)
      assert.equal(textOfName(soa.name), 'btlink')
      assert.equal(soaMinimum(soa.data), 60)
      assert.deepEqual(house.upstream.asked, [])
    })
  }

  it('has no other types, with an SOA', async (t) => {
    const house = await startHouse(t)
    for (const type of [
      TYPE.HTTPS,
      TYPE.SVCB,
      TYPE.MX,
      TYPE.SRV,
      TYPE.TXT,
      TYPE.NS,
      TYPE.CAA,
      52,
    ]) {
      const answer = await ask(house, `${KEY}-pk.btlink`, type)
      assert.equal(answer.rcode, RCODE.NOERROR, `type ${type}`)
      assert.deepEqual(answer.answers, [], `type ${type}`)
      assert.equal(answer.authority[0]?.type, TYPE.SOA, `type ${type}`)
    }
    const odd = await ask(house, `_20080._https.${KEY}-pk.btlink`, TYPE.HTTPS)
    assert.deepEqual([odd.rcode, odd.answers], [RCODE.NOERROR, []])
    assert.deepEqual(house.upstream.asked, [])
  })

  it('stands below names that are there (RFC 8020)', async (t) => {
    const house = await startHouse(t)
    for (const name of ['ih.btlink', 'pk.btlink', '44.btlink']) {
      const answer = await ask(house, name, TYPE.A)
      assert.deepEqual([answer.rcode, answer.answers], [RCODE.NOERROR, []], name)
    }
  })

  it('has a zone with SOA, NS and no issuer of certificates', { skip: missing(DIG) }, async (t) => {
    const house = await startHouse(t)
    assert.match(
      await dig(house.port, '+short', 'btlink', 'SOA'),
      /^ns\.btlink\. \. 1 86400 3600 604800 60$/m,
    )
    assert.equal((await dig(house.port, '+short', 'btlink', 'NS')).trim(), 'ns.btlink.')
    assert.equal((await dig(house.port, '+short', 'btlink', 'CAA')).trim(), '0 issue ";"')
  })

  it('tells its magnet at _btlink', async (t) => {
    const house = await startHouse(t)
    const answer = await ask(house, `_btlink.blog.${KEY}-pk.btlink`, TYPE.TXT)
    const text = Buffer.concat(readTxt(answer.answers[0]?.data ?? new Uint8Array(0))).toString()
    const { name } = parseMagnet(text)
    assert.equal(name.kind, 'key')
    assert.equal(name.kind === 'key' && Buffer.from(name.salt).toString(), 'blog')
    const hash = await ask(house, `_btlink.${HASH}-ih.btlink`, TYPE.TXT)
    assert.equal(hash.answers.length, 1)
    assert.deepEqual((await ask(house, '_btlink.btlink', TYPE.TXT)).answers, [])
  })

  it('keeps the spelling of its question', async (t) => {
    const house = await startHouse(t)
    const answer = await ask(house, `${KEY.toUpperCase()}-Pk.BTlink`, TYPE.A)
    assert.equal(
      textOfName(answer.questions[0]?.name ?? ('\0' as never)),
      `${KEY.toUpperCase()}-Pk.BTlink`,
    )
    assert.deepEqual(addresses(answer), ['127.0.0.1'])
  })

  it('is not there with a dot within a label, or a byte that is no letter', async (t) => {
    const house = await startHouse(t)
    for (const label of [`blog.${KEY}-pk`.slice(0, 63), `\xe9${HASH.slice(1)}-ih`]) {
      const name = nameOfLabels([label, 'btlink'])
      assert.ok(name)
      const { bytes } = encodeMessage({
        id: 1,
        flags: FLAG.RD,
        rcode: 0,
        questions: [{ name, type: TYPE.A, class: CLASS.IN }],
        answers: [],
        authority: [],
        additional: [],
      })
      assert.equal(read(await exchange(house.port, bytes)).rcode, RCODE.NXDOMAIN)
    }
  })

  it('of another house than ours is forwarded: evilbtlink is no btlink', async (t) => {
    const house = await startHouse(t)
    await ask(house, 'www.evilbtlink.com', TYPE.A)
    await ask(house, 'btlink.example.com', TYPE.A)
    assert.deepEqual(house.upstream.asked, ['www.evilbtlink.com 1', 'btlink.example.com 1'])
  })

  /** A resolver with nobody to ask. */
  function alone(asked: string[] = []) {
    const upstream = {
      async ask(question: DnsQuestion): Promise<never> {
        asked.push(textOfName(question.name))
        throw new Error('nobody is to be asked')
      },
    }
    const deps = { upstream, now: () => performance.now(), tld: 'btlink', routed: [] }
    const { handlers, forward } = createChain(deps, dnsConfig())
    const remembered = forward.remembered.bind(forward)
    return { resolver: createResolver({ log: silentLog, handlers, remembered }), forward }
  }
  const way = { transport: 'udp', idleMs: 0 } as const

  it('is not denied while the box knows no address of its own', async () => {
    const nowhere = () => ({ v4: undefined, v6: undefined })
    for (const type of [TYPE.A, TYPE.AAAA]) {
      const query = queryFor('btlink', type, { payloadBytes: 1232 })
      const answer = read(await alone().resolver.answer(query, nowhere, way))
      assert.equal(answer.rcode, RCODE.SERVFAIL)
      assert.deepEqual(extendedErrors(answer.edns), [
        { code: 14, text: 'the box has no address yet' },
      ])
    }
    const soa = await alone().resolver.answer(queryFor('check.btlink', TYPE.SOA), nowhere, way)
    assert.equal(read(soa).rcode, RCODE.NOERROR)
  })

  it('fills no memory and moves nobody, a hundred thousand names over', () => {
    const asked: string[] = []
    const { resolver, forward } = alone(asked)
    const box = () => ({ v4: Uint8Array.of(127, 0, 0, 1), v6: undefined })
    for (let round = 0; round < 100_000; round++) {
      const hash = round.toString(16).padStart(40, '0')
      const name = round % 2 === 0 ? `${hash}-ih.btlink` : `nonsense-${round}.btlink`
      assert.ok(resolver.answer(queryFor(name, TYPE.A), box, way) instanceof Uint8Array)
    }
    assert.deepEqual(asked, [])
    assert.deepEqual([forward.stats()['entries'], forward.stats()['pending']], [0, 0])
  })

  it('has the IPv6 address of the interface where there is a lasting one', async (t) => {
    const face = (address: string, family: 'IPv4' | 'IPv6', cidr: string) =>
      ({
        address,
        family,
        cidr,
        netmask: '',
        mac: '',
        internal: false,
        ...(family === 'IPv6' && { scopeid: 0 }),
      }) as never
    const interfaces = () => ({
      lo: [
        face('127.0.0.1', 'IPv4', '127.0.0.1/8'),
        face('fe80::1', 'IPv6', 'fe80::1/64'),
        face('fd00::7', 'IPv6', 'fd00::7/64'),
      ],
    })
    const house = await startHouse(t, {}, { interfaces })
    assert.deepEqual(addresses(await ask(house, 'btlink', TYPE.AAAA)), ['fd00::7'])
    const without = await startHouse(
      t,
      {},
      { interfaces: () => ({ lo: [face('fe80::1', 'IPv6', 'fe80::1/64')] }) },
    )
    assert.deepEqual((await ask(without, 'btlink', TYPE.AAAA)).answers, [])
  })
})

describe('a name of the standards', () => {
  const cases: [string, number, number][] = [
    ['printer.local', TYPE.A, RCODE.NXDOMAIN],
    ['abc.onion', TYPE.A, RCODE.NXDOMAIN],
    ['x.invalid', TYPE.A, RCODE.NXDOMAIN],
    ['x.test', TYPE.A, RCODE.NXDOMAIN],
    ['x.alt', TYPE.A, RCODE.NXDOMAIN],
    ['nas.lan', TYPE.A, RCODE.NXDOMAIN],
    ['x.home.arpa', TYPE.A, RCODE.NXDOMAIN],
    ['home.arpa', TYPE.A, RCODE.NOERROR],
    ['x.internal', TYPE.A, RCODE.NXDOMAIN],
    ['_dns.resolver.arpa', TYPE.SVCB, RCODE.NOERROR],
    ['use-application-dns.net', TYPE.A, RCODE.NXDOMAIN],
    ['mask.icloud.com', TYPE.A, RCODE.NXDOMAIN],
    ['mask-h2.icloud.com', TYPE.AAAA, RCODE.NXDOMAIN],
    ['printer', TYPE.A, RCODE.NXDOMAIN],
    ['printer', TYPE.HTTPS, RCODE.NXDOMAIN],
    ['wpad', TYPE.A, RCODE.NXDOMAIN],
    ['WPAD.lan', TYPE.A, RCODE.NXDOMAIN],
    ['wpad.example.com', TYPE.A, RCODE.NXDOMAIN],
    ['1.1.168.192.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['1.0.0.10.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['1.0.16.172.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['1.0.31.172.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['1.0.64.100.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['1.0.254.169.in-addr.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['a.b.e.f.ip6.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    ['0.0.d.f.ip6.arpa', TYPE.PTR, RCODE.NXDOMAIN],
    [`1.${'0.'.repeat(31)}ip6.arpa`, TYPE.PTR, RCODE.NXDOMAIN],
  ]
  for (const [name, type, rcode] of cases) {
    it(`${name} type ${type} is answered ${rcode} and never leaves the house`, async (t) => {
      const house = await startHouse(t)
      const answer = await ask(house, name, type)
      assert.deepEqual([answer.rcode, answer.answers], [rcode, []])
      assert.equal(answer.authority[0]?.type, TYPE.SOA)
      assert.deepEqual(house.upstream.asked, [])
    })
  }

  it('localhost is loopback in both families, and everything below it', async (t) => {
    const house = await startHouse(t)
    assert.deepEqual(addresses(await ask(house, 'localhost', TYPE.A)), ['127.0.0.1'])
    assert.deepEqual(addresses(await ask(house, 'x.y.localhost', TYPE.AAAA)), ['::1'])
    assert.deepEqual((await ask(house, 'localhost', TYPE.MX)).answers, [])
  })

  for (const name of [
    'example.com',
    '1.0.0.8.in-addr.arpa',
    '1.0.32.172.in-addr.arpa',
    'wpadding.com',
    'icloud.com',
    '_btlink.chromecast.link',
  ]) {
    it(`${name} is no such name and is forwarded`, async (t) => {
      const house = await startHouse(t)
      await ask(house, name, TYPE.TXT)
      assert.deepEqual(house.upstream.asked, [`${name} 16`])
    })
  }

  it('of a top-level domain is forwarded where validating clients ask', async (t) => {
    const house = await startHouse(t)
    await ask(house, 'com', 43)
    await ask(house, '.', TYPE.NS)
    assert.deepEqual(house.upstream.asked, ['com 43', '. 2'])
  })

  it('goes to servers of its own where the household has some for it', async (t) => {
    const house = await startHouse(t, {}, { routed: ['168.192.in-addr.arpa', 'lan', 'corp'] })
    await ask(house, '1.1.168.192.in-addr.arpa', TYPE.PTR)
    await ask(house, 'nas.lan', TYPE.A)
    await ask(house, 'corp', TYPE.A)
    assert.deepEqual(house.upstream.asked, ['1.1.168.192.in-addr.arpa 12', 'nas.lan 1', 'corp 1'])
  })

  it('wpad is the box where that is turned on, in the domains of the house only', async (t) => {
    const house = await startHouse(t, { wpad: true })
    assert.deepEqual(addresses(await ask(house, 'wpad', TYPE.A)), ['127.0.0.1'])
    assert.deepEqual(addresses(await ask(house, 'wpad.lan', TYPE.A)), ['127.0.0.1'])
    assert.deepEqual((await ask(house, 'wpad.lan', TYPE.HTTPS)).answers, [])
    assert.equal((await ask(house, 'wpad.example.com', TYPE.A)).rcode, RCODE.NXDOMAIN)
    assert.deepEqual(house.upstream.asked, [])
  })

  it('canaries are forwarded where they are turned off', async (t) => {
    const house = await startHouse(t, { canaries: false })
    await ask(house, 'use-application-dns.net', TYPE.A)
    assert.deepEqual(house.upstream.asked, ['use-application-dns.net 1'])
  })
})

describe('a record of the household', () => {
  it('is answered, in any case, with what was written', { skip: missing(DIG) }, async (t) => {
    const house = await startHouse(t, {
      records: [
        'nas.lan=192.168.1.5',
        'NAS.lan=fd00::5',
        'nas.lan=192.168.1.6',
        'note.lan=TXT two words',
        'www.lan=CNAME nas.lan',
      ],
      link_records: [`chromecast.link=${SITE}`],
    })
    assert.deepEqual(addresses(await ask(house, 'Nas.LAN', TYPE.A)), ['192.168.1.5', '192.168.1.6'])
    assert.deepEqual(addresses(await ask(house, 'nas.lan', TYPE.AAAA)), ['fd00::5'])
    assert.deepEqual((await ask(house, 'nas.lan', TYPE.MX)).rcode, RCODE.NOERROR)
    assert.equal((await dig(house.port, '+short', 'note.lan', 'TXT')).trim(), '"two words"')
    assert.equal((await dig(house.port, '+short', 'www.lan', 'CNAME')).trim(), 'nas.lan.')
    // Clients ask no second time for the name behind an alias.
    assert.equal(await dig(house.port, '+short', 'WWW.lan', 'AAAA'), 'nas.lan.\nfd00::5\n')
    assert.equal(await dig(house.port, '+short', 'www.lan', 'MX'), 'nas.lan.\n')
    assert.equal(
      (await dig(house.port, '+short', '_btlink.chromecast.link', 'TXT')).trim(),
      `"${SITE}"`,
    )
    assert.deepEqual(house.upstream.asked, [])
  })

  it('takes no name of content away', async (t) => {
    const house = await startHouse(t, {
      records: ['btlink=192.0.2.66', `${HASH}-ih.btlink=192.0.2.66`],
    })
    assert.deepEqual(addresses(await ask(house, 'btlink', TYPE.A)), ['127.0.0.1'])
    assert.deepEqual(addresses(await ask(house, `${HASH}-ih.btlink`, TYPE.A)), ['127.0.0.1'])
  })

  for (const config of [
    { local_domains: ['a..b'] },
    { allow_private: [''] },
    { hostname: 'a b' },
  ] as Partial<DnsConfig>[]) {
    it(`are refused at the start where they are none: ${JSON.stringify(config)}`, async (t) => {
      await assert.rejects(startHouse(t, config), {
        code: 'BTL_ERR_DNS_BAD_NAME',
        message: /"(a\.\.b||a b)" is no domain name/,
      })
    })
  }

  for (const [what, config] of [
    ['has no value', { records: ['nas.lan'] }],
    ['has no name', { records: ['=1.2.3.4'] }],
    ['has a value that is nothing', { records: ['nas.lan=hello'] }],
    ['has a name that is none', { records: ['a..b=1.2.3.4'] }],
    ['has a text that is too long', { records: [`a.lan=TXT ${'x'.repeat(5000)}`] }],
    ['has an alias that is no name', { records: ['a.lan=CNAME b..c'] }],
    ['is a link without a site', { link_records: ['chromecast.link='] }],
  ] as [string, Partial<DnsConfig>][]) {
    it(`that ${what} is refused at the start`, async (t) => {
      const links = { find: async () => undefined }
      await assert.rejects(startHouse(t, config, { links }), { code: 'BTL_ERR_DNS_BAD_RECORD' })
    })
  }
})

describe('a question that nobody answers', () => {
  it('of ANY gets what RFC 8482 says', async (t) => {
    const house = await startHouse(t)
    for (const name of ['example.com', `${HASH}-ih.btlink`]) {
      const answer = await ask(house, name, TYPE.ANY)
      assert.deepEqual(
        answer.answers.map((record) => record.type),
        [TYPE.HINFO],
      )
    }
    assert.deepEqual(house.upstream.asked, [])
  })

  it('of transfers, other classes and types between servers is refused', async (t) => {
    const house = await startHouse(t)
    assert.equal(
      (await ask(house, 'version.bind', TYPE.TXT, { class: CLASS.CH })).rcode,
      RCODE.REFUSED,
    )
    assert.equal(
      (await ask(house, 'id.server', TYPE.TXT, { class: CLASS.CH })).rcode,
      RCODE.REFUSED,
    )
    for (const type of [TYPE.AXFR, TYPE.IXFR, 249, 250, 0]) {
      assert.equal((await ask(house, 'btlink', type)).rcode, RCODE.REFUSED, `type ${type}`)
    }
    assert.equal(
      (await ask(house, 'example.com', TYPE.A, { class: CLASS.ANY })).rcode,
      RCODE.REFUSED,
    )
    assert.deepEqual(house.upstream.asked, [])
  })

  it('without a wish for recursion is refused: it would tell what the house looked at', async (t) => {
    const house = await startHouse(t)
    await ask(house, 'web.example.test', TYPE.A)
    assert.equal((await ask(house, 'web.example.test', TYPE.A, { flags: 0 })).rcode, RCODE.REFUSED)
    assert.equal((await ask(house, 'btlink', TYPE.A, { flags: 0 })).rcode, RCODE.NOERROR)
  })
})
