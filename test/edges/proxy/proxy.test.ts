import assert from 'node:assert/strict'
import { createServer as createHttpsServer } from 'node:https'
import { readFile } from 'node:fs/promises'
import { after, describe, it } from 'node:test'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createCertificate } from '../../support/certificates.ts'
import { curl } from '../../support/curl.ts'
import { missing, output } from '../../support/processes.ts'
import { finallyDo } from '../../support/temp.ts'
import { type Echo, listen, startHouse, startSite, wire } from './fixture.ts'
import { until } from '../../support/until.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const house = await startHouse(all)
const { proxy, ca, url } = house
const { infoHash } = await house.add({ 'index.html': '<p>hello', 'a.txt': 'of the torrent' })
const HOST = `${infoHash}-ih.btlink`
const POLICY = 'treat-as-public-address'

describe('a client of the proxy', () => {
  it('C01 opens a site by absolute form', async () => {
    const answer = await curl(`http://${HOST}/a.txt`, {
      more: ['--suppress-connect-headers', '-x', url],
    })
    assert.equal(answer.text(), 'of the torrent')
    assert.equal(answer.headers['content-security-policy'], POLICY)
  })

  it('C01 may write the host in any case, with a dot at its end and another Host header', async () => {
    for (const host of [HOST.toUpperCase(), `${HOST}.`, `${HOST}:80`]) {
      const answer = await curl(`http://${host}/a.txt`, {
        host: 'evil.example',
        more: ['--suppress-connect-headers', '-x', url],
      })
      assert.equal(answer.text(), 'of the torrent', host)
    }
  })

  it('C02 opens a site over https with a certificate of the box', async () => {
    const answer = await curl(`https://${HOST}/a.txt`, {
      more: ['--suppress-connect-headers', '-x', url, '--cacert', ca],
    })
    assert.equal(answer.text(), 'of the torrent')
    assert.equal(answer.headers['content-security-policy'], POLICY)
  })

  it('C04 gets plain HTTP inside a tunnel to port 80', async () => {
    const answer = await curl(`http://${HOST}/a.txt`, {
      more: ['-p', '--suppress-connect-headers', '-x', url],
    })
    assert.equal(answer.text(), 'of the torrent')
    assert.equal(answer.headers['content-security-policy'], POLICY)
  })

  it('C07 opens a domain with a link record with a certificate of its own root', async () => {
    const answer = await curl('https://linked.example/', {
      more: ['--suppress-connect-headers', '-x', url, '--cacert', ca],
    })
    // The gateway of this test does not know the domain; that it was asked is the point.
    assert.equal(answer.status, 404)
    assert.match(answer.text(), /BTL_ERR_GATEWAY_UNKNOWN_HOST/)
  })

  it('C23 opens the box itself, by address and without a proxy', async () => {
    const direct = await curl(`${url}/a.txt`, { host: HOST })
    assert.equal(direct.text(), 'of the torrent')
    assert.equal(direct.headers['content-security-policy'], undefined)
    assert.equal((await curl(`${url}/`)).status, 200)
  })

  it('C24 C35 opens a site over https without a proxy, and over http without being sent away', async () => {
    const to = ['--connect-to', `::127.0.0.1:${proxy.httpsPort}`, '--cacert', ca]
    const tls = await curl(`https://${HOST}/a.txt`, { more: to })
    assert.equal(tls.text(), 'of the torrent')
    assert.equal(tls.headers['content-security-policy'], POLICY)
    assert.equal((await curl(`${url}/a.txt`, { host: HOST })).status, 200)
  })

  it('C11 finds the PAC file on every host', async () => {
    const path = '/.btlink/proxy.pac'
    const type = 'application/x-ns-proxy-autoconfig'
    const more = ['--suppress-connect-headers', '-x', url, '--cacert', ca]
    for (const answer of [
      await curl(`${url}${path}`),
      await curl(`http://${HOST}${path}`, { more }),
      await curl(`https://${HOST}${path}`, { more }),
      await curl(`http://btlink${path}`, { more }),
    ]) {
      assert.equal(answer.headers['content-type'], type)
      assert.match(answer.text(), new RegExp(`PROXY 127.0.0.1:${proxy.httpPort};`))
    }
  })

  it('C17 asks the HTTPS proxy for http and https, over HTTP/1.1', async () => {
    const more = [
      '--suppress-connect-headers',
      '-x',
      `https://proxy.btlink:${proxy.httpsPort}`,
      '--proxy-cacert',
      ca,
    ]
    more.push('--cacert', ca, '--resolve', `proxy.btlink:${proxy.httpsPort}:127.0.0.1`)
    for (const scheme of ['http', 'https']) {
      const answer = await curl(`${scheme}://${HOST}/a.txt`, { more })
      assert.equal(answer.text(), 'of the torrent')
      assert.equal(answer.headers['content-security-policy'], POLICY)
    }
  })

  it('C26 needs only the usual variables: wget and python', async () => {
    const env = { ...process.env, http_proxy: url, https_proxy: url, SSL_CERT_FILE: ca }
    const wget = ['-qO-', `--ca-certificate=${ca}`, `https://${HOST}/a.txt`]
    assert.equal(await output('/usr/bin/wget', wget, { env }), 'of the torrent')
    const script = `import urllib.request as r
print(r.urlopen('http://${HOST}/a.txt').read().decode() + r.urlopen('https://${HOST}/a.txt').read().decode())`
    const python = await output('/usr/bin/python3', ['-c', script], { env })
    assert.equal(python.trim(), 'of the torrentof the torrent')
  })

  it('C33 is refused a WebSocket to a site, and told so', async () => {
    const headers = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' }
    for (const more of [
      ['--suppress-connect-headers', '-x', url],
      ['-p', '--suppress-connect-headers', '-x', url],
    ]) {
      const answer = await curl(`http://${HOST}/`, { headers, more })
      assert.equal(answer.status, 400)
      assert.match(answer.text(), /BTL_ERR_HTTP_UPGRADE_REFUSED/)
    }
  })

  it('is served although it asks for HTTP/2 in plain text, as Java does', async () => {
    const more = ['--http2', '--suppress-connect-headers', '-x', url]
    assert.equal((await curl(`http://${HOST}/a.txt`, { more })).text(), 'of the torrent')
  })
})

describe('the answer to CONNECT', () => {
  it('C03 is a status line and nothing else', async (t) => {
    const { socket, text } = wire(proxy.httpPort, `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: x\r\n\r\n`)
    finallyDo(t, () => void socket.destroy())
    await until('an answer', () => text().includes('\r\n\r\n'))
    assert.equal(text(), 'HTTP/1.1 200 Connection established\r\n\r\n')
  })

  it('C05 loses nothing that was sent before it', async () => {
    const early = `CONNECT ${HOST}:80 HTTP/1.1\r\nHost: ${HOST}:80\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`
    const { text, closed } = wire(proxy.httpPort, early)
    await closed
    assert.match(text(), /^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    assert.match(text(), /of the torrent$/)
  })
})

describe('another site', () => {
  it('C08 C09 gets plain requests without what concerned the proxy, with Via and Btlink', async (t) => {
    const port = await startSite(t)
    house.names.set('site.example', ['127.0.0.1'])
    const answer = await curl(`http://Site.Example:${port}/p?q=1`, {
      more: ['--suppress-connect-headers', '-x', url, '-u', 'user:word', '-U', 'proxy:word'],
      headers: {
        Connection: 'X-Named, Host, Btlink',
        'X-Named': 'left out',
        'X-Kept': 'kept',
        TE: 'trailers',
        'Keep-Alive': 'timeout=5',
        Proxy: 'httpoxy',
        Btlink: 'forged',
        Via: '1.1 elsewhere',
      },
      method: 'POST',
      body: 'a body',
    })
    const { method, url: path, headers, body } = answer.json() as Echo
    assert.deepEqual([method, path, body], ['POST', '/p?q=1', 'a body'])
    const named = new Map<string, string[]>()
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]?.toLowerCase() ?? ''
      named.set(name, [...(named.get(name) ?? []), headers[i + 1] ?? ''])
    }
    assert.deepEqual(named.get('host'), [`site.example:${port}`])
    assert.deepEqual(named.get('x-kept'), ['kept'])
    assert.deepEqual(named.get('btlink'), ['1'])
    assert.deepEqual(named.get('authorization'), ['Basic dXNlcjp3b3Jk'])
    assert.deepEqual(named.get('connection'), ['close'])
    assert.equal(named.get('via')?.[0], '1.1 elsewhere')
    assert.match(named.get('via')?.[1] ?? '', /^1\.1 btlink-[0-9a-f]{8}$/)
    for (const gone of [
      'x-named',
      'te',
      'keep-alive',
      'proxy',
      'proxy-authorization',
      'proxy-connection',
    ]) {
      assert.equal(named.get(gone), undefined, gone)
    }
    assert.equal(answer.headers['x-secret'], undefined)
    assert.match(answer.headers['via'] ?? '', /^1\.1 btlink-/)
    assert.equal(answer.headers['set-cookie'], 'b=2')
  })

  it('C06 is reached over https through a blind tunnel', {
    skip: missing('/usr/bin/openssl'),
  }, async (t) => {
    const own = await createCertificate(t, ['site.example'], [])
    const server = createHttpsServer(
      { key: await readFile(own.key), cert: await readFile(own.certificate) },
      (_req, res) => res.end('behind its own certificate'),
    )
    const port = await listen(t, server)
    const tunnels = await startHouse(t, { connect_ports: [443, port] })
    tunnels.names.set('site.example', ['127.0.0.1'])
    const more = ['--suppress-connect-headers', '-x', tunnels.url, '--cacert', own.ca]
    const answer = await curl(`https://site.example:${port}/`, { more })
    assert.equal(answer.text(), 'behind its own certificate')
    const inside = [
      '--suppress-connect-headers',
      '-x',
      `https://proxy.btlink:${tunnels.proxy.httpsPort}`,
      '--cacert',
      own.ca,
    ]
    inside.push('--proxy-cacert', tunnels.ca)
    inside.push('--resolve', `proxy.btlink:${tunnels.proxy.httpsPort}:127.0.0.1`)
    const twice = await curl(`https://site.example:${port}/`, { more: inside })
    assert.equal(twice.text(), 'behind its own certificate')
  })

  it('C31 is never the proxy itself', async () => {
    const own = [`127.0.0.1:${proxy.httpPort}`, `127.0.0.2:${proxy.httpPort}`]
    house.names.set('box.example', ['127.0.0.1'])
    for (const host of [...own, `box.example:${proxy.httpPort}`]) {
      const before = proxy.stats()['requests_forwarded']
      const answer = await curl(`http://${host}/`, {
        more: ['--suppress-connect-headers', '-x', url],
      })
      assert.ok([200, 404].includes(answer.status), host)
      assert.equal(proxy.stats()['requests_forwarded'], before)
      const tunnelled = await curl(`http://${host}/`, {
        more: ['-p', '--suppress-connect-headers', '-x', url],
      })
      assert.equal(tunnelled.status, answer.status)
    }
  })

  it('C31 gets no request that went in a circle', async (t) => {
    // A second proxy whose only way out is the first, and the other way round.
    const port = await startSite(t, (req, res) => {
      const via = req.headers.via ?? ''
      void curl('http://site.example:8080/', {
        headers: { Via: via },
        more: ['--suppress-connect-headers', '-x', url],
      }).then(({ status }) => res.end(String(status)))
    })
    house.names.set('site.example', ['127.0.0.1'])
    const answer = await curl(`http://site.example:${port}/`, {
      more: ['--suppress-connect-headers', '-x', url],
    })
    assert.equal(answer.text(), '508')
  })
})

describe('the log of the proxy', () => {
  it('C34 has the headers of requests when asked to, and never what proves who somebody is', async (t) => {
    for (const request_headers of [true, false]) {
      const lines: string[] = []
      const debug = (fields: object) => void lines.push(JSON.stringify(fields))
      const told = await startHouse(t, { request_headers, deps: { log: { ...silentLog, debug } } })
      const more = ['-x', told.url, '-u', 'user:secret', '-U', 'proxy:secret', '-b', 'name=secret']
      await curl(`http://${HOST}/`, { headers: { 'X-Told': 'shown' }, more })
      const text = lines.join('\n')
      assert.equal(text.includes('shown'), request_headers)
      // In base64 "secret" ends both user:secret and proxy:secret in the same way.
      for (const hidden of ['secret', 'c2VjcmV0', 'dXNlcjpzZWNyZXQ='])
        assert.ok(!text.includes(hidden))
    }
  })
})
