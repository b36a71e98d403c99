import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, describe, it } from 'node:test'
import { wire } from '../proxy/fixture.ts'
import { fetchPage, interfaces, startDoor } from './door.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const door = await startDoor(all)
const { infoHash } = await door.add({ 'index.html': 'a site' })
const site = `${infoHash}-ih.btlink`
const PAGES = ['setup', 'check', 'my'] as const
const TITLES = { setup: 'Set up a device', check: 'What works here', my: 'You and this box' }
const { httpPort } = door.proxy

const at = (host: string, path: string) => fetchPage(`${door.url}${path}`, { host })

describe('the pages of the box', () => {
  it('stand on hosts of their own, below localhost and gateway domains too', async () => {
    for (const name of PAGES) {
      for (const suffix of [
        'btlink',
        'btlink.',
        `btlink:${httpPort}`,
        'btlink.localhost',
        'btlink.gw.example',
      ]) {
        const host = `${name}.${suffix}`
        const { status, headers, text } = await at(host, '/')
        assert.equal(status, 200, host)
        assert.ok(text.includes(`<h1>${TITLES[name]}</h1>`), host)
        assert.equal(headers['content-type'], 'text/html; charset=utf-8')
      }
      const shouted = await at(`${name.toUpperCase()}.BtLink`, '/')
      assert.equal(shouted.status, 200)
    }
  })

  it('stand below /.btlink/ where the root page is', async () => {
    for (const name of PAGES) {
      for (const host of [
        'btlink',
        '127.0.0.1',
        `127.0.0.1:${httpPort}`,
        '[::1]',
        '192.168.1.5',
        'localhost',
        'gw.example',
        'btlink.localhost',
      ]) {
        const { status, text } = await at(host, `/.btlink/${name}`)
        assert.equal(status, 200, host)
        assert.ok(text.includes(`<h1>${TITLES[name]}</h1>`), host)
      }
    }
  })

  it('never stand on the host of a site, or one that others may name so', async () => {
    for (const host of [
      site,
      `${site}.localhost`,
      'x.btlink',
      'setup.evil.example',
      'setup.btlink.evil.example',
      'evil.example',
      'asetup.btlink',
      'a.setup.btlink',
    ]) {
      for (const path of ['/.btlink/setup', '/.btlink/check', '/.btlink/my', '/.btlink/qr.svg']) {
        const { text, status } = await at(host, path)
        assert.ok(status >= 400, `${host}${path}: ${status}`)
        assert.doesNotMatch(text, /<h1>(Set up|What works|You and)|192\.168\.1\.5/)
      }
    }
  })

  it('are asked for in absolute form by clients of the proxy, whatever Host says', async () => {
    const { text } = await fetchPage('http://my.btlink/', {
      more: ['-x', door.url, '-H', 'Host: evil.example'],
    })
    assert.match(
      text,
      /through the proxy of this box, over <code>http<\/code>, asking for <code>my\.btlink</,
    )
  })

  it('leave a request with two hosts to the gateway, which refuses it', async () => {
    const lines =
      'GET / HTTP/1.1\r\nHost: my.btlink\r\nHost: evil.example\r\nConnection: close\r\n\r\n'
    const { text, closed } = wire(httpPort, lines)
    await closed
    assert.match(text(), /^HTTP\/1\.1 400 /)
  })

  it('say what is not there, and can only be read', async () => {
    const none = await at('setup.btlink', '/else')
    assert.equal(none.status, 404)
    assert.equal(none.code, 'BTL_ERR_SETUP_NOT_FOUND')
    for (const name of PAGES) {
      const posted = await fetchPage(`${door.url}/`, {
        host: `${name}.btlink`,
        method: 'POST',
        body: 'x=1',
      })
      assert.equal(posted.status, 405)
      assert.equal(posted.headers['allow'], 'GET, HEAD')
      const head = await fetchPage(`${door.url}/`, { host: `${name}.btlink`, method: 'HEAD' })
      assert.equal(head.status, 200)
    }
  })

  it('load nothing from elsewhere, are kept by nobody, and run one script of their own', async () => {
    for (const name of PAGES) {
      const { headers, text } = await at(`${name}.btlink`, '/')
      const policy = headers['content-security-policy'] ?? ''
      assert.match(policy, /^default-src 'none'; /)
      assert.match(policy, /form-action 'none'; frame-ancestors 'none'$/)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['access-control-allow-origin'], undefined)
      const scripts = [...text.matchAll(/<script( nonce="([^"]+)")?/g)]
      assert.equal(scripts.length, name === 'check' ? 1 : 0)
      if (name === 'check') assert.ok(policy.includes(`'nonce-${scripts[0]?.[2]}'`))
      const outside = [...text.matchAll(/(?:src|href)="(https?:\/\/[^"/]+)/g)].map((one) => one[1])
      for (const origin of outside) {
        assert.match(
          origin ?? '',
          /^https?:\/\/((check\.)?btlink|192\.168\.1\.5|\[fd00::5\])(:\d+)?$/,
        )
      }
    }
    const [one, two] = await Promise.all([at('check.btlink', '/'), at('check.btlink', '/')])
    assert.notEqual(one.headers['content-security-policy'], two.headers['content-security-policy'])
  })

  it('write nothing that a client made up', async () => {
    const evil = `"><script>alert(1)</script>`
    const headers = {
      'X-Forwarded-Host': `setup.btlink${evil}`,
      'X-Forwarded-For': evil,
      'X-Forwarded-Proto': evil,
      'User-Agent': evil,
      Referer: evil,
      'Accept-Language': evil,
    }
    for (const name of PAGES) {
      for (const host of [`${name}.btlink`, `${name}.btlink:99999`, `${name}.btlink:1`]) {
        const { text } = await fetchPage(`${door.url}/?x=${encodeURIComponent(evil)}`, {
          host,
          headers,
        })
        assert.ok(!text.includes('alert(1)'), host)
      }
      for (const host of [
        `${name}.btlink${evil}`,
        `${name}.btlink:${evil}`,
        `${name}.btlink:8x`,
        `${name}.btlink@evil`,
      ]) {
        const text = await new Promise<string>((resolve, reject) => {
          const req = request(
            { host: '127.0.0.1', port: httpPort, headers: { host, accept: 'text/html' } },
            (res) => {
              let body = ''
              res.on('data', (chunk: Buffer) => (body += chunk.toString()))
              res.on('end', () => resolve(body))
            },
          )
          req.on('error', reject)
          req.end()
        })
        assert.doesNotMatch(text, /<script>alert/, host)
        assert.doesNotMatch(text, /<h1>(Set up|What works|You and)/, host)
      }
    }
  })

  it('tell a stranger no address of the box', async (t) => {
    const strange = await startDoor(t, { isHouse: () => false })
    for (const name of PAGES) {
      for (const host of [`${name}.btlink.gw.example`, `${name}.btlink`]) {
        const { text } = await fetchPage(`${strange.url}/`, { host })
        assert.doesNotMatch(text, /192\.168\.1\.5|fd00::5|2001:db8::5/, host)
      }
    }
    const { text } = await fetchPage(`${strange.url}/`, { host: 'my.btlink' })
    assert.match(text, /no: you may read what the box serves/)
    assert.match(text, /<code>127\.0\.0\.1<\/code>/)
  })

  it('believe a web server in front, and only that', async (t) => {
    const behind = await startDoor(t, { trustedProxies: ['127.0.0.1'] })
    const headers = {
      'X-Forwarded-Host': 'my.btlink.gw.example',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-For': '192.168.1.77, 203.0.113.9',
    }
    const { text } = await fetchPage(`${behind.url}/`, { host: 'inside', headers })
    assert.match(text, /<code>203\.0\.113\.9<\/code>/)
    assert.match(text, /over <code>https<\/code>, asking for <code>my\.btlink\.gw\.example</)
    assert.match(text, /no: you may read/)
    const url = new RegExp(`href="https://gw\\.example/\\.btlink/setup"`)
    const abroad = { ...headers, 'X-Forwarded-Host': 'setup.btlink.gw.example' }
    assert.match((await fetchPage(`${behind.url}/`, { host: 'inside', headers: abroad })).text, url)
    const plain = await fetchPage(`${door.url}/`, { host: 'my.btlink', headers })
    assert.match(plain.text, /<code>127\.0\.0\.1<\/code>/)
    assert.match(plain.text, /over <code>http<\/code>, asking for <code>my\.btlink</)
    await assert.rejects(startDoor(t, { trustedProxies: ['here'] }), {
      code: 'BTL_ERR_SETUP_PROXY_LIST',
    })
  })

  it('know a visitor over IPv6', async (t) => {
    const six = await startDoor(t, { address: '::' })
    const url = `http://[::1]:${six.proxy.httpPort}/`
    const check = await fetchPage(url, { host: 'check.btlink' })
    assert.match(check.text, /<li id="ipv6" data-state="yes"/)
    assert.match((await fetchPage(url, { host: 'my.btlink' })).text, /<code>::1<\/code> \(IPv6\)/)
    const four = await fetchPage(`${six.url}/`, { host: 'my.btlink' })
    assert.match(four.text, /<code>127\.0\.0\.1<\/code> \(IPv4\)/)
  })

  it('tell the house where the box is, without what leads nowhere', async () => {
    const { text } = await at('my.btlink', '/')
    assert.match(
      text,
      /<code>192\.168\.1\.5<\/code> <code>fd00::5<\/code> <code>2001:db8::5<\/code>/,
    )
    assert.doesNotMatch(text, /fe80/)
    assert.match(text, /yes: you may upload/)
  })
})

describe('the setup page', () => {
  it('gives addresses that work for who reads it', async (t) => {
    const byAddress = (await at(`192.168.1.5:${httpPort}`, '/.btlink/setup')).text
    assert.ok(byAddress.includes(`http://192.168.1.5:${httpPort}/.btlink/proxy.pac`))
    // Something in front leads port 80 to ours: nobody has to write one.
    const bare = (await at('192.168.1.5', '/.btlink/setup')).text
    assert.ok(bare.includes('<code>http://192.168.1.5/.btlink/proxy.pac</code>'))
    assert.ok(bare.includes('252,http://192.168.1.5/wpad.dat'))
    const six = (await at(`[fd00::5]:${httpPort}`, '/.btlink/setup')).text
    assert.ok(six.includes(`http://[fd00::5]:${httpPort}/.btlink/proxy.pac`))
    const abroad = (await at('gw.example', '/.btlink/setup')).text
    assert.ok(abroad.includes('http://gw.example/.btlink/proxy.pac'))
    const none = await startDoor(t, {
      interfaces: () => ({}),
      dns: async () => Promise.reject(new Error('down')),
    })
    const { status, text } = await fetchPage(`${none.url}/`, { host: 'setup.btlink' })
    assert.equal(status, 200)
    assert.match(text, /none at the moment/)
  })

  it('says where a resolver is that devices cannot ask', async (t) => {
    const odd = await startDoor(t, {
      dns: () => [{ address: '127.0.0.1', port: 5300 }],
      interfaces,
    })
    const { text } = await fetchPage(`${odd.url}/`, { host: 'setup.btlink' })
    assert.match(text, /port <code>5300<\/code>\. Devices ask at port 53 only/)
  })

  it('has a part for every kind of device and router, the visitor’s own first', async () => {
    const agents: [string, string][] = [
      ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1', 'apple-mobile'],
      ['Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140 Mobile Safari/537.36', 'android'],
      ['Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0', 'android'],
      ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140', 'windows'],
      ['Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0', 'firefox'],
      ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15', 'macos'],
      ['Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/140', 'chromeos'],
      ['Mozilla/5.0 (X11; Linux x86_64) Chrome/140', 'linux'],
      ['Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) SamsungBrowser', 'tv'],
    ]
    for (const [agent, own] of agents) {
      const { text } = await fetchPage(`${door.url}/`, {
        host: 'setup.btlink',
        headers: { 'User-Agent': agent },
      })
      const ids = [...text.matchAll(/<details id="([a-z-]+)"( open)?>/g)]
      assert.equal(ids[0]?.[1], own, agent)
      assert.ok(ids[0]?.[2], agent)
      assert.equal(ids.filter((one) => one[2]).length, 1)
      const expected = [
        'apple-mobile',
        'android',
        'windows',
        'chromeos',
        'macos',
        'linux',
        'firefox',
        'tv',
        'programs',
        'fritzbox',
        'openwrt',
        'dnsmasq',
        'isc-dhcp',
        'kea',
        'mikrotik',
        'unifi',
        'pfsense',
        'others',
      ]
      assert.deepEqual(new Set(ids.map((one) => one[1])), new Set(expected))
    }
    const unknown = await fetchPage(`${door.url}/`, {
      host: 'setup.btlink',
      headers: { 'User-Agent': 'curl/8' },
    })
    assert.doesNotMatch(unknown.text, /<details[^>]* open/)
  })

  it('warns of what gets in the way on each kind of device', async () => {
    const text = (await at('setup.btlink', '/')).text
    for (const words of [
      'Private DNS',
      'iCloud Private Relay',
      'DNS over HTTPS',
      'rebind',
      'open them again',
      'Certificate Trust Settings',
      'chrome://net-internals/#proxy',
      'secure channel',
      'domainsuffixwhitelist',
    ]) {
      assert.ok(text.includes(words), words)
    }
  })
})

describe('the check page', () => {
  const stateOf = (text: string, id: string) =>
    new RegExp(`<li id="${id}" data-state="(\\w+)"`).exec(text)?.[1]

  it('knows the way a visitor came', async () => {
    const direct = (await at(`check.btlink:${httpPort}`, '/')).text
    assert.match(direct, /by its name: this device asks a DNS server/)
    assert.equal(stateOf(direct, 'names'), 'yes')
    assert.equal(stateOf(direct, 'trust'), 'asked')
    assert.ok(direct.includes(`src="https://check.btlink:${door.proxy.httpsPort}/works.svg"`))
    const address = (await at(`192.168.1.5:${httpPort}`, '/.btlink/check')).text
    assert.equal(stateOf(address, 'names'), 'asked')
    assert.ok(address.includes(`src="http://check.btlink:${httpPort}/works.svg"`))
    const proxied = (await fetchPage('http://check.btlink/', { more: ['-x', door.url] })).text
    assert.match(proxied, /through its proxy/)
    assert.ok(proxied.includes('src="https://check.btlink/works.svg"'))
    const secure = await fetchPage('https://check.btlink/', {
      more: ['-x', door.url, '--cacert', door.ca, '--suppress-connect-headers'],
    })
    assert.equal(stateOf(secure.text, 'trust'), 'yes')
    assert.equal(stateOf(secure.text, 'house'), 'yes')
    assert.equal(stateOf(secure.text, 'ipv6'), 'no')
  })

  it('has pictures that answer on its own hosts only', async () => {
    const { status, headers, text } = await at('check.btlink', '/works.svg')
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'image/svg+xml')
    assert.match(text, /^<svg /)
    assert.equal((await at('setup.btlink', '/works.svg')).status, 404)
  })
})
