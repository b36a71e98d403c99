/** Ordinary domains with link records, asked with curl; their records are on a real DNS server. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { after, describe, it } from 'node:test'
import { withLinks } from '../../../src/app/served-hosts.ts'
import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts'
import { textOfName } from '../../../src/base/dns/name.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import { steadyClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createLinks } from '../../../src/services/links/index.ts'
import { startUpstream } from '../../engines/upstream-dns/config.ts'
import { createCertificate } from '../../support/certificates.ts'
import { curl } from '../../support/curl.ts'
import { withoutServers } from '../../support/dns-servers.ts'
import { startLinkZone, txt } from '../../support/link-zone.ts'
import { KEY_HEX, KEY_LABEL } from '../gateway/fixture.ts'
import { listen, startHouse, startSite } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const ONE = { 'index.html': 'one', 'dir/a.txt': 'below one' }

const key = publicKey(KEY_HEX)
const NO_SALT = utf8('')

async function build() {
  const asked: string[] = []
  const house = await startHouse(all, {
    links: { find: (host, signal) => links.find(host, signal), known: (host) => links.known(host) },
    connect_ports: Array.from({ length: 65_535 }, (_, i) => i + 1),
    deps: {
      isServed: (host, speech, signal) =>
        withLinks((name) => name === 'btlink' || name.endsWith('.btlink'), {
          links,
          isTrusted: (name) => house.pki.vouchesFor(name),
        })(host, speech, signal),
    },
  })
  const { infoHash } = await house.add(ONE)
  const { infoHash: two } = await house.add({ 'index.html': 'two' })
  const { infoHash: three } = await house.add({ 'index.html': 'three' })
  const { infoHash: hinted } = await house.add({ 'index.html': 'hinted' })
  const salt = fromHex('00ff41')
  const state = { seq: 1, freshness: 'fresh', ageSeconds: 0 } as const
  house.point(key, NO_SALT, { ...state, infoHash: two })
  house.point(key, salt, { ...state, infoHash: three })
  house.point(key, utf8('a.b'), { ...state, infoHash: three })
  const magnet = `magnet:?xt=urn:btih:${infoHash}`
  const btpk = `magnet:?xs=urn:btpk:${KEY_HEX}`
  const base32 = Buffer.from(fromHex(infoHash))
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = Array.from(base32, (byte) => byte.toString(2).padStart(8, '0')).join('')
  const short = (bits.match(/.{5}/g) ?? []).map((five) => digits[Number.parseInt(five, 2)]).join('')
  const hints = `tr=${encodeURIComponent('udp://tracker.example:6969')}&ws=${encodeURIComponent('https://seed.example/x')}&x.pe=8.8.4.4:6881&x.pe=192.168.1.1:80`
  const long = `${magnet}&dn=${'long-'.repeat(60)}`
  const server = await startLinkZone(all, [
    `_btlink.hex ${txt(magnet)}`,
    `_btlink.trusted ${txt(magnet)}`,
    `_btlink.base32 ${txt(`magnet:?xt=urn:btih:${short}`)}`,
    `_btlink.key ${txt(btpk)}`,
    `_btlink.salt ${txt(`${btpk}&s=${toHex(salt)}`)}`,
    `_btlink.name ${txt(`https://a.b.${KEY_LABEL}.btlink.`)}`,
    `_btlink.both ${txt(`${magnet}&xs=urn:btpk:${KEY_HEX}`)}`,
    `_btlink.long ${txt(long.slice(0, 255), long.slice(255))}`,
    `_btlink.several ${txt('v=spf1 -all')}`,
    `_btlink.several ${txt(`${KEY_LABEL}.btlink`)}`,
    `_btlink.several ${txt(magnet)}`,
    `_btlink.junk ${txt('v=spf1 -all')}`,
    `_btlink.prefixed ${txt(`dnslink=${infoHash}-ih.btlink`)}`,
    `_btlink.hinted ${txt(`magnet:?xt=urn:btih:${hinted}&${hints}`)}`,
    `_btlink.alias CNAME _btlink.hex`,
    `_dnslink.old ${txt(magnet)}`,
  ])
  const real = await startUpstream(all, { servers: [`127.0.0.1:${server.port}`] })
  const links = createLinks(
    {
      upstream: {
        ask: async (question, signal) => {
          asked.push(textOfName(question.name).toLowerCase())
          return real.ask(question, signal)
        },
      },
      clock: steadyClock,
      log: silentLog,
    },
    { tld: 'btlink', link_records: [], local_domains: ['lan'], allow_local: false },
  )
  return { house, asked, infoHash, hinted }
}

const skip = withoutServers()
const world = skip === false ? await build() : undefined

describe('a domain with a link record', { skip }, () => {
  if (world === undefined) return
  const { house, asked, infoHash } = world
  const { url, ca, gateway } = house
  const throughProxy = async (to: string, more: string[] = []) =>
    curl(to, { more: ['--suppress-connect-headers', '-x', url, '--cacert', ca, ...more] })
  const straight = async (domain: string, path = '/', options = {}) =>
    curl(`http://127.0.0.1:${gateway.port}${path}`, { host: domain, ...options })

  it('is its site for whoever asks the proxy or the gateway (D01)', async () => {
    assert.equal((await throughProxy('http://hex.link/dir/a.txt')).text(), 'below one')
    assert.equal((await straight('hex.link', '/dir/a.txt')).text(), 'below one')
    assert.equal((await straight('HEX.link.:8080', '/dir/a.txt')).text(), 'below one')
    assert.deepEqual(
      asked.filter((name) => name === '_btlink.hex.link'),
      ['_btlink.hex.link'],
    )
  })

  for (const [row, domain, text] of [
    ['D02', 'hex.link', 'one'],
    ['D02', 'base32.link', 'one'],
    ['D03', 'key.link', 'two'],
    ['D03', 'salt.link', 'three'],
    ['D04', 'name.link', 'three'],
    ['D05', 'both.link', 'two'],
    ['D06', 'long.link', 'one'],
    ['D07', 'several.link', 'two'],
    ['D10', 'prefixed.link', 'one'],
    ['D11', 'alias.link', 'one'],
  ] as const) {
    it(`is what its record says: ${domain} (${row})`, async () => {
      const answer = await straight(domain)
      assert.equal(answer.status, 200, answer.text())
      assert.equal(answer.text(), text)
      assert.equal((await throughProxy(`http://${domain}/`)).text(), text)
    })
  }

  for (const [row, domain] of [
    ['D07', 'junk.link'],
    ['D10', 'old.link'],
    ['D11', 'www.hex.link'],
    ['D01', 'none.link'],
  ] as const) {
    it(`has no site without a sound record of its own: ${domain} (${row})`, async () => {
      const answer = await straight(domain, '/', { headers: { accept: 'text/html' } })
      assert.equal(answer.status, 404)
      assert.match(answer.text(), new RegExp(`_btlink\\.${domain.replaceAll('.', '\\.')}`))
      assert.match(answer.text(), /BTL_ERR_GATEWAY_NO_LINK/)
    })
  }

  it('is looked for only where the host is no btlink name and none of the box (D09)', async () => {
    const before = asked.length
    for (const host of [
      `${infoHash}-ih.btlink`,
      `${KEY_LABEL}.btlink`,
      `${infoHash}-ih.btlink.gw.link`,
      'btlink',
      'foo.btlink',
      'localhost',
      '127.0.0.1',
      '[::1]',
      '10.1.2.3:42080',
      'box',
      'nas.lan',
      'printer.local',
      'x_y',
    ]) {
      await straight(host)
    }
    await throughProxy(`http://${infoHash}-ih.btlink/`)
    await throughProxy(`https://${infoHash}-ih.btlink/`)
    assert.deepEqual(asked.slice(before), [])
  })

  it('opens for clients that know no proxy, by an alias to the gateway (D12)', async () => {
    const { port } = gateway
    const answer = await curl(`http://alias.link:${port}/dir/a.txt`, {
      more: ['--resolve', `alias.link:${port}:127.0.0.1`],
    })
    assert.equal(answer.text(), 'below one')
  })

  it('stays the origin: nothing leads to another host (D14)', async () => {
    for (const path of ['/', '/dir', '/dir/', '//dir//a.txt', '/.btlink/info.json']) {
      const { headers, status } = await straight('hex.link', path, { method: 'HEAD' })
      assert.ok(status < 400, path)
      assert.ok(!/btlink|^http/.test(headers['location'] ?? ''), `${path}: ${headers['location']}`)
    }
    const slash = await throughProxy('http://hex.link/dir?x=1')
    assert.equal(slash.status, 308)
    assert.equal(slash.headers['location'], '/dir/?x=1')
  })

  it('is kept for a minute, also where its torrent never changes (B18)', async () => {
    for (const domain of ['hex.link', 'key.link']) {
      for (const path of ['/', '/?download', '/.btlink/site.torrent', '/?format=tar']) {
        const { headers } = await straight(domain, path)
        const how = headers['cache-control'] ?? ''
        assert.ok(
          !how.includes('immutable') && !how.includes('31536000'),
          `${domain}${path}: ${how}`,
        )
      }
      const { headers } = await straight(domain)
      assert.equal(headers['cache-control'], 'public, max-age=60, stale-while-revalidate=86400')
      assert.match(headers['x-btlink-infohash'] ?? '', /^[0-9a-f]{40}$/)
      const again = await straight(domain, '/', {
        headers: { 'if-none-match': headers['etag'] ?? '' },
      })
      assert.equal(again.status, 304)
    }
    assert.match(
      (await straight(`${infoHash}-ih.btlink`)).headers['cache-control'] ?? '',
      /immutable/,
    )
  })

  it('hands trackers, web seeds and public peers of its magnet to the swarm (D15)', async () => {
    assert.equal((await straight('hinted.link')).text(), 'hinted')
    assert.deepEqual(house.hints.get(world.hinted), {
      trackers: ['udp://tracker.example:6969'],
      webSeeds: ['https://seed.example/x'],
      peers: [{ host: '8.8.4.4', port: 6881 }],
    })
  })

  it('answers from memory where the request forbids asking', async () => {
    const headers = { 'cache-control': 'only-if-cached' }
    const before = asked.length
    assert.equal((await straight('hex.link', '/', { headers })).text(), 'one')
    assert.equal((await straight('never-asked.link', '/', { headers })).status, 412)
    assert.equal(asked.length, before)
  })

  it('is served over https where a root of the box vouches for it (C07, D13)', async () => {
    const answer = await throughProxy('https://trusted.link/dir/a.txt')
    assert.equal(answer.text(), 'below one')
    assert.equal(answer.headers['content-security-policy'], 'treat-as-public-address')
  })

  it('is its real host over https where no root of the box vouches for it (C06, C07)', async () => {
    const own = await createCertificate(all, ['hex.link'], [])
    const [cert, privateKey] = await Promise.all([readFile(own.certificate), readFile(own.key)])
    const port = await listen(
      all,
      createServer({ cert, key: privateKey }, (_req, res) => res.end('the real host')),
    )
    house.names.set('hex.link', ['127.0.0.1'])
    const answer = await curl(`https://hex.link:${port}/`, {
      more: ['--suppress-connect-headers', '-x', url, '--cacert', own.ca],
    })
    assert.equal(answer.text(), 'the real host')
    // Plain HTTP, also inside a tunnel to port 80, is ours all the same.
    assert.equal((await throughProxy('http://hex.link/')).text(), 'one')
    assert.equal((await throughProxy('http://hex.link/', ['-p'])).text(), 'one')
  })

  it('without a site is the ordinary site that it is', async () => {
    const port = await startSite(all)
    house.names.set('none.link', ['127.0.0.1'])
    const answer = await throughProxy(`http://none.link:${port}/x`)
    assert.equal(answer.status, 200)
    assert.match(answer.text(), /"url":"\/x"/)
  })
})

describe('a domain whose servers do not answer', () => {
  it('is told to wait by the gateway, and is an ordinary site to the proxy', async (t) => {
    const upstream = await startUpstream(t, { servers: ['127.0.0.1:9'], timeout: 300 })
    const links = createLinks(
      { upstream, clock: steadyClock, log: silentLog },
      { tld: 'btlink', link_records: [], local_domains: [], allow_local: false },
    )
    const isServed = withLinks(() => false, { links, isTrusted: () => false })
    const house = await startHouse(t, { links, deps: { isServed } })
    const answer = await curl(`http://127.0.0.1:${house.gateway.port}/`, { host: 'dead.link' })
    assert.equal(answer.status, 503)
    assert.match(answer.text(), /BTL_ERR_LINKS_UNREACHABLE/)
    assert.ok(Number(answer.headers['retry-after']) > 0)
    const port = await startSite(t)
    house.names.set('dead.link', ['127.0.0.1'])
    const ordinary = await curl(`http://dead.link:${port}/`, { more: ['-x', house.url] })
    assert.equal(ordinary.status, 200)
  })

  it('is nothing to a box without link records', async (t) => {
    const house = await startHouse(t)
    const answer = await curl(`http://127.0.0.1:${house.gateway.port}/`, { host: 'hex.link' })
    assert.equal(answer.status, 404)
    assert.match(answer.text(), /BTL_ERR_GATEWAY_UNKNOWN_HOST/)
  })
})
