/** Ordinary domains to sites, over a fake upstream. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../../src/base/bytes.ts'
import { RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { type DnsName, textOfName } from '../../../src/base/dns/name.ts'
import { nameData, soaData, txtData } from '../../../src/base/dns/record-data.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createLinks } from '../../../src/services/links/index.ts'
import { UpstreamFull } from '../../../src/engines/upstream-dns/errors.ts'
import { Unavailable } from '../../../src/app/roles/rpc-client.ts'
import { createFakeUpstream, type FakeAnswer, type Script } from '../../fakes/dns-upstream.ts'
import { named } from '../../support/dns-zone.ts'
import { BROKEN_LINK_RECORDS } from '../../vectors/link-records.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const IH2 = '1111111111111111111111111111111111111111'
const MAGNET = `magnet:?xt=urn:btih:${IH}`

const record = (name: string | DnsName, type: number, data: Uint8Array, ttl: number) => ({
  name: name.startsWith('\x07') ? (name as DnsName) : named(name),
  type,
  class: 1,
  ttl,
  data,
})
/** TXT records of `_btlink.<domain>`. */
const texts = (domain: string, values: string[], ttl = 300): FakeAnswer => ({
  answers: values.map((value) =>
    record(`_btlink.${domain}`, TYPE.TXT, txtData([utf8(value)]), ttl),
  ),
})
const soa = (minimum: number, ttl = minimum) =>
  record(
    'link',
    TYPE.SOA,
    soaData({
      primary: named('ns.link'),
      mailbox: named('m.link'),
      serial: 1,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum,
    }),
    ttl,
  )

interface Options {
  script?: Script
  link_records?: string[]
  allow_local?: boolean
}

async function start({ script, link_records = [], allow_local = false }: Options = {}) {
  const upstream = createFakeUpstream(script ?? (() => ({ rcode: RCODE.NXDOMAIN })))
  await upstream.start(new AbortController().signal)
  let now = 1000
  const said: string[] = []
  const log = { ...silentLog, info: (fields: object) => void said.push(JSON.stringify(fields)) }
  const links = createLinks(
    { upstream, clock: { now: () => now }, log },
    { tld: 'btlink', link_records, local_domains: ['lan'], allow_local },
  )
  return { links, upstream, said, pass: (seconds: number) => void (now += seconds * 1000) }
}

const torrentOf = (link: { name: object } | undefined) =>
  link && 'infoHash' in link.name ? link.name.infoHash : undefined

describe('a domain with a link record', () => {
  it('leads to the site that its record names (D01)', async () => {
    const { links, upstream } = await start({ script: () => texts('chromecast.link', [MAGNET]) })
    const link = await links.find('chromecast.link')
    assert.equal(torrentOf(link), IH)
    assert.equal(link?.secondsLeft, 300)
    assert.deepEqual(upstream.asked, ['_btlink.chromecast.link 16'])
    assert.equal(torrentOf(await links.find('Chromecast.LINK.')), IH)
    assert.equal(upstream.asked.length, 1)
  })

  it('is never asked for where the host cannot have one (D09)', async () => {
    const { links, upstream } = await start()
    for (const host of [
      '',
      '.',
      'localhost',
      'chromecast',
      'a.localhost',
      'printer.local',
      'nas.lan',
      'x.onion',
      'x.test',
      '1.0.0.10.in-addr.arpa',
      '192.0.2.1',
      '0x7f.1',
      '2130706433',
      '[2001:db8::1]',
      '2001:db8::1',
      'btlink',
      `${IH}-ih.btlink`,
      'foo.btlink',
      '_btlink.chromecast.link',
      'a..link',
      '.chromecast.link',
      'chromecast.link:80',
      'chrome cast.link',
      'bücher.link',
      'chromecast.lin\u212a',
      `${'a'.repeat(64)}.link`,
      `${'a.'.repeat(126)}link`,
    ]) {
      assert.equal(await links.find(host), undefined, host)
      assert.equal(links.known(host), undefined, host)
    }
    assert.deepEqual(upstream.asked, [])
  })

  it('has its strings joined without separator, also in the middle of a character (D06)', async () => {
    const magnet = utf8(
      `${MAGNET}&dn=é&tr=${encodeURIComponent(`udp://t.example:1/${'x'.repeat(240)}`)}`,
    )
    assert.ok(magnet.length > 255)
    const middle = magnet.indexOf(0xc3) + 1
    const data = txtData([magnet.subarray(0, middle), magnet.subarray(middle)])
    const { links } = await start({
      script: () => ({ answers: [record('_btlink.x.link', TYPE.TXT, data, 60)] }),
    })
    const link = await links.find('x.link')
    assert.equal(torrentOf(link), IH)
    assert.equal(link?.hints.trackers?.length, 1)
  })

  it('has the first sound record in sorted order, whatever order they come in (D07)', async () => {
    const values = ['v=spf1', `${IH}-ih.btlink`, `${IH2}-ih.btlink`, '0', 'magnet:?x']
    for (const given of [values, values.toReversed()]) {
      const { links, said } = await start({ script: () => texts('x.link', given) })
      assert.equal(torrentOf(await links.find('x.link')), IH2)
      assert.deepEqual(said, [])
    }
  })

  it('has no site where no record is sound, and the log says so once (D07)', async () => {
    const { links, said, upstream } = await start({
      script: () => texts('x.link', ['v=spf1', 'foo.btlink']),
    })
    assert.equal(await links.find('x.link'), undefined)
    assert.equal(await links.find('x.link'), undefined)
    assert.deepEqual(said, [JSON.stringify({ domain: 'x.link', records: 2 })])
    assert.equal(upstream.asked.length, 1)
    assert.equal(links.stats()['unsound'], 1)
  })

  it('may be one of hundreds', async () => {
    const many = Array.from({ length: 250 }, (_, index) => `0 junk ${index}`)
    const { links } = await start({ script: () => texts('x.link', [...many, MAGNET]) })
    assert.equal(torrentOf(await links.find('x.link')), IH)
  })

  for (const [fault, strings] of Object.entries(BROKEN_LINK_RECORDS)) {
    it(`has no site where its record is ${fault}`, async () => {
      const data = txtData(strings)
      const { links } = await start({
        script: () => ({ answers: [record('_btlink.x.link', TYPE.TXT, data, 60)] }),
      })
      assert.equal(await links.find('x.link'), undefined)
    })
  }

  it('gives nothing to names below it (D11)', async () => {
    const { links, upstream } = await start({
      script: ({ name }) =>
        textOfName(name) === '_btlink.x.link'
          ? texts('x.link', [MAGNET])
          : { rcode: RCODE.NXDOMAIN, authority: [soa(60)] },
    })
    assert.equal(torrentOf(await links.find('x.link')), IH)
    assert.equal(await links.find('www.x.link'), undefined)
    assert.deepEqual(upstream.asked, ['_btlink.x.link 16', '_btlink.www.x.link 16'])
  })

  it('may be an alias, whose records stand in the same answer (D11)', async () => {
    const { links } = await start({
      script: () => ({
        answers: [
          record('_btlink.x.link', TYPE.CNAME, nameData(named('A.Other.link')), 40),
          record('a.other.link', TYPE.CNAME, nameData(named('b.other.link')), 500),
          record('b.other.LINK', TYPE.TXT, txtData([utf8(MAGNET)]), 500),
          record('c.other.link', TYPE.TXT, txtData([utf8(`${IH2}-ih.btlink`)]), 500),
        ],
      }),
    })
    const link = await links.find('x.link')
    assert.equal(torrentOf(link), IH)
    assert.equal(link?.secondsLeft, 40)
  })

  it('may be an alias that has to be asked for (D11)', async () => {
    const { links, upstream } = await start({
      script: ({ name }) =>
        textOfName(name) === '_btlink.x.link'
          ? { answers: [record('_btlink.x.link', TYPE.CNAME, nameData(named('t.other.link')), 90)] }
          : { answers: [record('t.other.link', TYPE.TXT, txtData([utf8(MAGNET)]), 900)] },
    })
    assert.equal(torrentOf(await links.find('x.link')), IH)
    assert.deepEqual(upstream.asked, ['_btlink.x.link 16', 't.other.link 16'])
  })

  it('may be an alias that leads in a circle, for ever, or into the house: then it has no site', async () => {
    for (const next of ['_btlink.x.link', 'on.link', 'router.lan', 'x.btlink']) {
      let step = 0
      const { links, upstream } = await start({
        script: ({ name }) => {
          const target = next === 'on.link' ? `s${step++}.on.link` : next
          return {
            answers: [
              { name, type: TYPE.CNAME, class: 1, ttl: 300, data: nameData(named(target)) },
            ],
          }
        },
      })
      assert.equal(await links.find('x.link'), undefined)
      assert.ok(upstream.asked.length <= 4, next)
      assert.ok(
        upstream.asked.every((asked) => !/lan|btlink /.test(asked)),
        next,
      )
    }
  })
})

describe('an answer', () => {
  const cases: [what: string, answer: FakeAnswer, seconds: number][] = [
    ['of 300 seconds is kept so long', texts('x.link', [MAGNET], 300), 300],
    ['of one second is kept for 30', texts('x.link', [MAGNET], 1), 30],
    ['of a week is kept for an hour', texts('x.link', [MAGNET], 604_800), 3600],
    ['that is no is kept as its SOA says', { rcode: 3, authority: [soa(120)] }, 120],
    ['that is no is kept for the TTL of its SOA', { authority: [soa(900, 60)] }, 60],
    ['that is no for a day is kept for an hour', { rcode: 3, authority: [soa(86_400)] }, 3600],
    ['that is no without SOA is kept for 30 seconds', { rcode: 3 }, 30],
    ['that is junk is kept for its TTL', texts('x.link', ['junk'], 200), 200],
    ['that is a failure is kept for a minute', { rcode: RCODE.SERVFAIL }, 60],
    ['that refuses is kept for a minute', { rcode: RCODE.REFUSED }, 60],
  ]
  for (const [what, answer, seconds] of cases) {
    it(`${what} (D08)`, async () => {
      const { links, upstream, pass } = await start({ script: () => answer })
      const ask = () => links.find('x.link').catch(() => undefined)
      await ask()
      pass(seconds - 1)
      await ask()
      assert.equal(upstream.asked.length, 1)
      pass(1)
      await ask()
      assert.equal(upstream.asked.length, 2)
    })
  }

  it('is asked for once however many wait, and given up when the last of them leaves', async () => {
    const asked = Promise.withResolvers<AbortSignal>()
    const { links, upstream } = await start({
      script: (_question, signal) => {
        assert.ok(signal)
        asked.resolve(signal)
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        })
      },
    })
    const leave = new AbortController()
    const waiting = Array.from({ length: 20 }, () => links.find('x.link', leave.signal))
    const signal = await asked.promise
    assert.equal(upstream.asked.length, 1)
    leave.abort(new Error('left'))
    for (const one of waiting) await assert.rejects(one, /left/)
    assert.equal(signal.aborted, true)
    // That they left says nothing about the domain.
    upstream.script = () => texts('x.link', [MAGNET])
    assert.equal(torrentOf(await links.find('x.link')), IH)
  })

  it('that fails has a code and says which record it was about', async () => {
    const { links, upstream, pass } = await start({
      script: () => {
        throw new Error('no route')
      },
    })
    const failure = {
      code: 'BTL_ERR_LINKS_UNREACHABLE',
      statusCode: 503,
      message: /_btlink\.x\.link.*no route/,
    }
    await assert.rejects(links.find('x.link'), failure)
    await assert.rejects(links.find('x.link'), failure)
    assert.equal(upstream.asked.length, 1)
    for (let i = 0; i < 5; i++) await links.find(`x${i}.link`).catch(() => undefined)
    assert.equal((await links.health()).status, 'degraded')
    upstream.script = () => texts('x.link', [MAGNET])
    pass(60)
    assert.equal(torrentOf(await links.find('x.link')), IH)
    assert.equal((await links.health()).status, 'ok')
  })

  it('that does not come counts as a failure after a few seconds', async () => {
    const { links, upstream } = await start({ script: () => new Promise(() => undefined) })
    await assert.rejects(links.find('x.link'), { statusCode: 503, message: /in time/ })
    await assert.rejects(links.find('x.link'), { statusCode: 503 })
    assert.equal(upstream.asked.length, 1)
  })

  for (const [what, failure] of [
    ['too many questions are asked', new UpstreamFull(1)],
    ['the resolver of the box starts again', new Unavailable('dns', 'gone')],
  ] as const) {
    it(`that there is none because ${what} is not remembered`, async () => {
      const { links, upstream } = await start({
        script: () => {
          throw failure
        },
      })
      await assert.rejects(links.find('x.link'), { code: 'BTL_ERR_LINKS_UNREACHABLE' })
      upstream.script = () => texts('x.link', [MAGNET])
      assert.equal(torrentOf(await links.find('x.link')), IH)
    })
  }

  it('of yesterday stands while nobody can be asked', async () => {
    const { links, upstream, pass } = await start({ script: () => texts('x.link', [MAGNET], 60) })
    await links.find('x.link')
    upstream.script = () => ({ rcode: RCODE.SERVFAIL })
    pass(3600)
    assert.equal(torrentOf(await links.find('x.link')), IH)
    assert.equal(torrentOf(links.known('x.link')), IH)
    pass(59)
    await links.find('x.link')
    assert.equal(upstream.asked.length, 2)
    pass(86_400)
    await assert.rejects(links.find('x.link'), { statusCode: 503 })
  })

  it('takes its place from the oldest, of two thousand domains and 4 MiB', async () => {
    const long = Array.from({ length: 20 }, (_, i) => `tr=udp://${i}.${'t'.repeat(60)}.example:1`)
    for (const value of ['junk', `${MAGNET}&${long.join('&')}`]) {
      const { links } = await start({
        script: ({ name }) => ({
          answers: [{ name, type: TYPE.TXT, class: 1, ttl: 300, data: txtData([utf8(value)]) }],
        }),
      })
      for (let index = 0; index < 2500; index++) await links.find(`n${index}.link`)
      const { domains = 0, bytes = 0 } = links.stats()
      assert.ok(domains <= 2000 && domains > 200, String(domains))
      assert.ok(bytes <= 4 * 1024 * 1024, String(bytes))
      assert.equal(links.known('n0.link'), undefined)
    }
  })

  it('of any records is one of them or none, and never throws', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .constantFrom(MAGNET, 'magnet:?', IH, '-ih.btlink', 'dnslink=', '-pk.btlink', '&x.pe=')
        .map(utf8),
    )
    const answer = fc.array(fc.array(piece, { maxLength: 4 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(answer, fc.nat(), async (records, ttl) => {
        const { links } = await start({
          script: () => ({
            answers: records.map((strings) =>
              record('_btlink.x.link', TYPE.TXT, txtData(strings), ttl),
            ),
          }),
        })
        const link = await links.find('x.link')
        assert.ok(link === undefined || link.name.kind !== undefined)
        assert.ok(link === undefined || (link.secondsLeft >= 30 && link.secondsLeft <= 3600))
      }),
      { numRuns: 300 },
    )
  })
})

describe('the peers of a link record', () => {
  const peers = [
    '8.8.8.8:1',
    '192.168.1.1:80',
    '10.0.0.1:2',
    '127.0.0.1:3',
    '169.254.1.1:4',
    '[fd00::1]:5',
    '[2606:4700::1]:6',
    '0.0.0.0:7',
    '[::ffff:10.0.0.1]:8',
  ]
  const value = `${MAGNET}&${peers.map((peer) => `x.pe=${peer}`).join('&')}`
  const hosts = (link: { hints: { peers?: { host: string }[] } } | undefined) =>
    link?.hints.peers?.map(({ host }) => host)

  it('are public ones only: no page leads the box to its neighbours (D15)', async () => {
    const { links } = await start({ script: () => texts('x.link', [value]) })
    assert.deepEqual(hosts(await links.find('x.link')), ['8.8.8.8', '2606:4700::1'])
  })

  it('may be of the house where the household says so of strangers, or wrote it itself', async () => {
    const lenient = await start({ script: () => texts('x.link', [value]), allow_local: true })
    assert.equal(hosts(await lenient.links.find('x.link'))?.includes('192.168.1.1'), true)
    assert.equal(hosts(await lenient.links.find('x.link'))?.includes('0.0.0.0'), false)
    const own = await start({ link_records: [`x.link=${value}`] })
    assert.equal(hosts(await own.links.find('x.link'))?.includes('192.168.1.1'), true)
  })
})

describe('a link record of the household', () => {
  it('is asked of nobody and wins over what the domain says', async () => {
    const { links, upstream } = await start({
      link_records: [`X.link=${MAGNET}`, `nas.lan=${IH2}-ih.btlink.`],
    })
    assert.equal(torrentOf(await links.find('x.LINK')), IH)
    assert.equal(torrentOf(links.known('x.link.')), IH)
    assert.equal(torrentOf(await links.find('nas.lan')), IH2)
    assert.equal(await links.find('other.lan'), undefined)
    assert.deepEqual(upstream.asked, [])
  })

  for (const written of [
    'x.link',
    '=magnet:?',
    'x.link=',
    'x.link=junk',
    `x.link=magnet:?xt=urn:btih:${IH.slice(1)}`,
    `link=${MAGNET}`,
    `192.0.2.1=${MAGNET}`,
    `${IH}-ih.btlink=${MAGNET}`,
    `bücher.link=${MAGNET}`,
  ]) {
    it(`is refused at the start: ${written.slice(0, 30)}`, async () => {
      await assert.rejects(start({ link_records: [written] }), {
        code: 'BTL_ERR_LINKS_BAD_RECORD',
      })
    })
  }
})
