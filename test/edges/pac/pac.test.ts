import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { runInNewContext } from 'node:vm'
import { pacText, type PacRules } from '../../../src/edges/pac/index.ts'
import { curl } from '../../support/curl.ts'
import { missing, output } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { createTestPac, DIRECT, PROXIED } from './pac-hosts.ts'

const RULES: PacRules = {
  proxy: '192.168.1.5:42080',
  tld: 'btlink',
  proxyDomains: ['proxied.example'],
  directDomains: ['gw.proxied.example'],
}
const ROUTE = 'PROXY 192.168.1.5:42080; DIRECT'
const PYTHON = '/usr/bin/python3'
const PACPARSER = '/usr/lib/python3/dist-packages/pacparser'

type Find = (url: string, host: string) => string

/** What the text answers in an engine that has none of the PAC functions but those given. */
function evaluate(text: string, functions: object = {}): Find {
  const context = { ...functions }
  return runInNewContext(`${text}; FindProxyForURL`, context) as Find
}

async function serve(t: Cleanup, options: Parameters<typeof createTestPac> = [{ http: 42080 }]) {
  const pac = createTestPac(...options)
  const server = createServer((req, res) => {
    if (!pac.answer(req, res)) res.writeHead(404).end()
  })
  await new Promise<void>((ready) => void server.listen(0, '::', ready))
  finallyDo(t, () => void server.close())
  return (server.address() as AddressInfo).port
}

describe('the text of a PAC file', () => {
  it('sends hosts of the top-level domain and the proxy domains to us, the rest nowhere', () => {
    const find = evaluate(pacText(RULES))
    for (const host of PROXIED) assert.equal(find(`http://${host}/`, host), ROUTE, host)
    for (const host of DIRECT) assert.equal(find(`https://${host}/`, host), 'DIRECT', host)
  })

  it('is tiny, ASCII, without carriage returns, the clock, DNS or our address', () => {
    for (const links of [false, true]) {
      const text = pacText({ ...RULES, links })
      assert.match(text, /^[\n\x20-\x7e]+$/)
      assert.ok(text.length < 1000)
      assert.ok(!/myIpAddress|shExpMatch|Date|weekdayRange/.test(text))
      assert.equal(text.includes('dnsResolve'), links)
    }
  })

  it('means the same with CRLF line ends', () => {
    const find = evaluate(pacText({ ...RULES, links: true }).replaceAll('\n', '\r\n'), {
      dnsResolve: () => null,
    })
    assert.equal(find('http://x.btlink/', 'x.btlink'), ROUTE)
    assert.equal(find('http://x.example/', 'x.example'), 'DIRECT')
  })

  it('asks the HTTPS proxy first only in the variant for devices that trust the box', () => {
    assert.match(pacText(RULES), /"PROXY 192\.168\.1\.5:42080; DIRECT"/)
    assert.match(
      pacText({ ...RULES, secureProxy: 'proxy.btlink:44369' }),
      /"HTTPS proxy\.btlink:44369; PROXY 192\.168\.1\.5:42080; DIRECT"/,
    )
  })

  it('asks DNS for link records only in the variant with links, and only of full names', () => {
    const asked: string[] = []
    const dnsResolve = (name: string) => {
      asked.push(name)
      return name.startsWith('linked.example.') ? '192.168.1.5' : null
    }
    const find = evaluate(pacText({ ...RULES, links: true }), { dnsResolve })
    assert.equal(find('http://Linked.example./', 'Linked.example.'), ROUTE)
    assert.equal(find('http://other.example/', 'other.example'), 'DIRECT')
    for (const host of ['nas', '192.168.1.1', 'fd00::1', 'x.btlink']) find(`http://${host}/`, host)
    assert.deepEqual(asked, ['linked.example._btlink.btlink', 'other.example._btlink.btlink'])
  })

  it('works for another top-level domain', () => {
    const find = evaluate(pacText({ ...RULES, tld: 'house' }))
    assert.equal(find('http://x.house/', 'x.house'), ROUTE)
    assert.equal(find('http://x.btlink/', 'x.btlink'), 'DIRECT')
  })

  it('means the same to pacparser', { skip: missing(PYTHON, PACPARSER) }, async () => {
    const script = `
import json, sys, pacparser
text, hosts = json.load(sys.stdin)
pacparser.init()
pacparser.parse_pac_string(text)
print(json.dumps([pacparser.find_proxy('http://%s/' % h, h) for h in hosts]))`
    const hosts = [...PROXIED, ...DIRECT]
    const input = JSON.stringify([pacText(RULES), hosts])
    const said: unknown = JSON.parse(await output(PYTHON, ['-c', script], { input }))
    assert.deepEqual(said, [...PROXIED.map(() => ROUTE), ...DIRECT.map(() => 'DIRECT')])
  })
})

describe('a browser that asks for a PAC file', () => {
  it('gets it with its own type, by the address that it used', async (t) => {
    const port = await serve(t)
    for (const path of ['/.btlink/proxy.pac', '/wpad.dat', '/proxy.pac', '/wpad.dat?x=1']) {
      const answer = await curl(`http://127.0.0.1:${port}${path}`)
      assert.equal(answer.status, 200, path)
      assert.equal(answer.headers['content-type'], 'application/x-ns-proxy-autoconfig')
      assert.equal(answer.headers['content-disposition'], 'inline; filename=btlink.pac')
      assert.equal(answer.headers['cache-control'], 'max-age=3600')
      assert.match(answer.text(), /"PROXY 127\.0\.0\.1:42080; DIRECT"/)
    }
  })

  const hosts: [asked: string, proxy: string][] = [
    ['192.168.1.5', '192.168.1.5:42080'],
    ['192.168.1.5:80', '192.168.1.5:42080'],
    ['[fd00::5]', '[fd00::5]:42080'],
    ['[fd00::5]:42080', '[fd00::5]:42080'],
    ['Box.lan', 'box.lan:42080'],
    ['localhost:42080', 'localhost:42080'],
    // These work only with the proxy, or only for WPAD: the address does for everybody.
    ['wpad', '127.0.0.1:42080'],
    ['wpad.lan', '127.0.0.1:42080'],
    ['x-ih.btlink', '127.0.0.1:42080'],
    ['btlink.', '127.0.0.1:42080'],
    // Nothing that a client writes may become a part of the text.
    ['a"; return "PROXY evil', '127.0.0.1:42080'],
    ['evil;x', '127.0.0.1:42080'],
    ['', '127.0.0.1:42080'],
  ]
  for (const [asked, proxy] of hosts) {
    it(`at "${asked}" is sent to ${proxy}`, async (t) => {
      const port = await serve(t)
      const answer = await curl(`http://127.0.0.1:${port}/.btlink/proxy.pac`, {
        more: ['-H', asked === '' ? 'Host;' : `Host: ${asked}`],
      })
      assert.ok(answer.text().includes(`"PROXY ${proxy}; DIRECT"`), answer.text())
    })
  }

  it('gets the variants it asks for, the HTTPS proxy by a name that has a certificate', async (t) => {
    const secured = await serve(t, [{ http: 42080, https: 44369 }])
    const text = async (port: number, query: string) =>
      (await curl(`http://127.0.0.1:${port}/.btlink/proxy.pac${query}`)).text()
    assert.match(
      await text(secured, '?secure=1'),
      /"HTTPS proxy\.btlink:44369; PROXY 127\.0\.0\.1:42080; DIRECT"/,
    )
    assert.match(await text(secured, '?links=1&secure=1'), /HTTPS[\s\S]*dnsResolve/)
    assert.ok(!(await text(secured, '?secure=0&links=')).includes('HTTPS'))
    assert.ok(!(await text(await serve(t), '?secure=1')).includes('HTTPS'))
  })

  it('reaches it over IPv6, through the proxy, and by HEAD', async (t) => {
    const port = await serve(t)
    const v6 = await curl(`http://[::1]:${port}/.btlink/proxy.pac`, { host: 'wpad' })
    assert.match(v6.text(), /"PROXY \[::1\]:42080; DIRECT"/)
    const more = ['-x', `http://127.0.0.1:${port}`]
    const proxied = await curl('http://x-ih.btlink/.btlink/proxy.pac', { more })
    assert.match(proxied.text(), /"PROXY 127\.0\.0\.1:42080; DIRECT"/)
    const head = await curl(`http://127.0.0.1:${port}/wpad.dat`, { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(head.body.length, 0)
  })

  it('finds the files of sites behind the proxy as they are', async (t) => {
    const port = await serve(t)
    const more = ['-x', `http://127.0.0.1:${port}`]
    for (const path of ['/wpad.dat', '/proxy.pac']) {
      assert.equal((await curl(`http://x-ih.btlink${path}`, { more })).status, 404)
    }
    for (const path of ['/', '/.btlink/proxy.pacs', '/.btlink/', '/WPAD.DAT', '//wpad.dat']) {
      assert.equal((await curl(`http://127.0.0.1:${port}${path}`)).status, 404, path)
    }
  })

  it('cannot write it', async (t) => {
    const port = await serve(t)
    const answer = await curl(`http://127.0.0.1:${port}/wpad.dat`, { method: 'POST', body: 'x' })
    assert.equal(answer.status, 405)
    assert.equal(answer.headers['allow'], 'GET, HEAD')
    assert.match(answer.text(), /BTL_ERR_PAC_METHOD/)
  })
})

describe('the configuration of PAC files', () => {
  it('refuses domains that could end the text early', () => {
    for (const domain of ['a"b', 'A.example', '.example', 'a..b', 'x'.repeat(64), '']) {
      assert.throws(() => createTestPac({ http: 1 }, { proxy_domains: [domain] }), {
        code: 'BTL_ERR_PAC_DOMAIN',
      })
    }
  })
})
