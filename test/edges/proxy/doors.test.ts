/** The other ways in: HTTP/2 to the HTTPS proxy, SOCKS 5, TLS itself; and another box behind the proxy. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { text as readAll } from 'node:stream/consumers'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { readGreeting, readRequest } from '../../../src/edges/proxy/socks-message.ts'
import { curl } from '../../support/curl.ts'
import { missing, run } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type Echo, startHouse, startSite, wire } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const MB = 1024 * 1024
const OPENSSL = '/usr/bin/openssl'
const anyPort = Array.from({ length: 65_535 }, (_, i) => i + 1)
const house = await startHouse(all, { connect_ports: anyPort, socks_port: 0 })
house.names.set('site.example', ['127.0.0.1'])
const { proxy, url } = house
const root = await readFile(house.ca)
const { infoHash } = await house.add({
  'a.txt': 'of the torrent',
  'big.bin': Buffer.alloc(3 * MB, 'x'),
})
const HOST = `${infoHash}-ih.btlink`
const port = await startSite(all)

describe('the HTTPS proxy in HTTP/2', () => {
  async function session(t: Cleanup): Promise<ClientHttp2Session> {
    const opened = connectHttp2(`https://127.0.0.1:${proxy.httpsPort}`, {
      ca: root,
      servername: 'proxy.btlink',
    })
    finallyDo(t, () => opened.destroy())
    await new Promise<void>((done, fail) => {
      opened.once('connect', () => done())
      opened.once('error', fail)
    })
    return opened
  }
  const statusOf = async (stream: ClientHttp2Stream): Promise<number> =>
    new Promise((resolve, reject) => {
      stream.once('response', (headers) => resolve(headers[':status'] ?? 0))
      stream.once('error', reject)
    })
  const get = async (client: ClientHttp2Session, authority: string, path: string) => {
    const stream = client.request({ ':scheme': 'http', ':authority': authority, ':path': path })
    const headers = await new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>(
      (resolve, reject) => {
        stream.once('response', resolve)
        stream.once('error', reject)
      },
    )
    return { headers, body: await readAll(stream) }
  }

  it('C17 carries tunnels to names and to other sites side by side', async (t) => {
    const client = await session(t)
    const streams = [`${HOST}:80`, `site.example:${port}`].map((authority) => {
      const stream = client.request({ ':method': 'CONNECT', ':authority': authority })
      const host = authority.replace(/:80$/, '')
      stream.write(
        `GET http://${host}/a.txt HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      return stream
    })
    const [ours, other] = await Promise.all(
      streams.map(async (stream) => {
        assert.equal(await statusOf(stream), 200)
        return readAll(stream)
      }),
    )
    assert.match(ours ?? '', /of the torrent$/)
    assert.match(ours ?? '', /treat-as-public-address/)
    assert.match(other ?? '', /"method":"GET"/)
  })

  it('C17 carries https to names, with a certificate inside the tunnel', async (t) => {
    const client = await session(t)
    const stream = client.request({ ':method': 'CONNECT', ':authority': `${HOST}:443` })
    assert.equal(await statusOf(stream), 200)
    const tls = connectTls({
      socket: stream,
      servername: HOST,
      ca: root,
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    finallyDo(t, () => void tls.destroy())
    await new Promise<void>((done, fail) => {
      tls.once('secureConnect', () => done())
      tls.once('error', fail)
    })
    assert.equal(tls.alpnProtocol, 'http/1.1')
    tls.write(`GET /big.bin HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
    const answer = await readAll(tls)
    assert.match(answer, /^HTTP\/1\.1 200 OK/)
    assert.ok(answer.endsWith('x'.repeat(MB)))
  })

  it('C17 takes plain requests to names and other sites, with bodies', async (t) => {
    const client = await session(t)
    const ours = await get(client, HOST, '/a.txt')
    assert.equal(ours.body, 'of the torrent')
    assert.equal(ours.headers['content-security-policy'], 'treat-as-public-address')
    const post = client.request({
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': `site.example:${port}`,
      ':path': '/p?q',
      te: 'trailers',
    })
    post.end('a body')
    const told = JSON.parse(await readAll(post)) as Echo
    assert.deepEqual([told.method, told.url, told.body], ['POST', '/p?q', 'a body'])
    assert.ok(told.headers.some((one) => one.startsWith('1.1 btlink-')))
    const large = await get(client, HOST, '/big.bin')
    assert.equal(large.body.length, 3 * MB)
  })

  it('C17 outlives answers that HTTP/2 has no words for', async (t) => {
    const twice = ['Content-Type', 'ETag', 'X-Content-Type-Options', 'Set-Cookie']
    const site = await startSite(t, (req, res) => {
      res.writeHead(
        req.url === '/status' ? 700 : 200,
        twice.flatMap((name) => [name, 'one', name, 'two']),
      )
      res.end('body')
    })
    const client = await session(t)
    const doubled = await get(client, `site.example:${site}`, '/twice')
    assert.equal(doubled.headers[':status'], 200)
    assert.equal(doubled.headers['content-type'], 'one')
    assert.deepEqual(doubled.headers['set-cookie'], ['one', 'two'])
    assert.equal(doubled.body, 'body')
    const odd = await get(client, `site.example:${site}`, '/status')
    assert.equal(odd.headers[':status'], 502)
    assert.match(odd.body, /BTL_ERR_PROXY_/)
  })

  it('C18 says no in its own words, and goes on', async (t) => {
    const client = await session(t)
    const refused: [string, number][] = [
      ['10.0.0.1:443', 403],
      ['nowhere.example:443', 502],
      ['x', 400],
      ['127.0.0.1:1', 502],
    ]
    for (const [authority, status] of refused) {
      const stream = client.request({ ':method': 'CONNECT', ':authority': authority })
      assert.equal(await statusOf(stream), status, authority)
      assert.match(await readAll(stream), /BTL_ERR_PROXY_/)
    }
    assert.equal((await get(client, '10.0.0.1', '/')).headers[':status'], 403)
    assert.equal((await get(client, HOST, '/a.txt')).body, 'of the torrent')
  })

  it('refuses what HTTP/1.1 could not say, and goes on', async (t) => {
    const client = await session(t)
    const shelf: Record<string, string>[] = [
      { ':path': '/a b' },
      { ':path': '/a\u0001' },
      { ':path': 'nothing' },
      { ':path': '/\u00e9' },
      { ':method': 'G(T' },
      { ':authority': 'a b' },
      { ':authority': '' },
      { ':authority': 'user@site.example' },
      { ':scheme': 'ftp' },
      { 'content-length': '5' },
      { expect: '100-continue' },
    ]
    for (const odd of shelf) {
      const stream = client.request({
        ':scheme': 'http',
        ':authority': HOST,
        ':path': '/missing',
        ...odd,
      })
      const status = await Promise.race([
        statusOf(stream).catch(() => 0),
        new Promise<number>((done) => stream.once('close', () => done(0))),
      ])
      assert.ok(status === 0 || (status >= 400 && status < 500), JSON.stringify([odd, status]))
      stream.destroy()
    }
    assert.equal((await get(client, HOST, '/a.txt')).body, 'of the torrent')
  })

  it('lets go of everything when the client leaves', async (t) => {
    await until('no connection', () => proxy.stats()['to_other_sites'] === 0)
    const client = await session(t)
    const stream = client.request({ ':method': 'CONNECT', ':authority': `site.example:${port}` })
    assert.equal(await statusOf(stream), 200)
    assert.equal(proxy.stats()['to_other_sites'], 1)
    client.destroy()
    await until('no connection', () => proxy.stats()['to_other_sites'] === 0)
  })

  it('is not offered to sites, which are spoken to in HTTP/1.1', async (t) => {
    const protocols: Record<string, string> = {}
    for (const servername of ['proxy.btlink', HOST, 'setup.btlink']) {
      const tls = connectTls({
        port: proxy.httpsPort,
        servername,
        ca: root,
        ALPNProtocols: ['h2', 'http/1.1'],
      })
      finallyDo(t, () => void tls.destroy())
      await new Promise<void>((done, fail) => {
        tls.once('secureConnect', () => done())
        tls.once('error', fail)
      })
      protocols[servername] = String(tls.alpnProtocol)
    }
    assert.deepEqual(protocols, {
      'proxy.btlink': 'h2',
      [HOST]: 'http/1.1',
      'setup.btlink': 'http/1.1',
    })
  })

  it('survives bytes that are no HTTP/2', async (t) => {
    for (const junk of [
      'GET / HTTP/1.1\r\n\r\n',
      '\0'.repeat(500),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff',
    ]) {
      const tls = connectTls({
        port: proxy.httpsPort,
        servername: 'proxy.btlink',
        ca: root,
        ALPNProtocols: ['h2'],
      })
      tls.on('error', () => undefined)
      tls.write(Buffer.from(junk, 'latin1'))
      tls.resume()
      await Promise.race([new Promise((closed) => tls.once('close', closed)), sleep(300)])
      tls.destroy()
    }
    assert.equal((await get(await session(t), HOST, '/a.txt')).body, 'of the torrent')
  })
})

describe('TLS to the proxy', { skip: missing(OPENSSL) }, () => {
  const ask = async (...name: string[]) =>
    run(OPENSSL, ['s_client', '-connect', `127.0.0.1:${proxy.httpsPort}`, ...name])

  it('ends with an alert for names of others', async () => {
    const { stderr } = await ask('-servername', 'example.com')
    assert.match(stderr, /SSL alert number 112/)
  })

  it('shows the box itself to clients that name no host', async () => {
    const { stdout } = await ask('-noservername')
    assert.match(stdout, /BEGIN CERTIFICATE/)
  })

  it('is told by its first byte on either port, as HTTP is', async () => {
    const more = ['--connect-to', `::127.0.0.1:${proxy.httpPort}`, '--cacert', house.ca]
    assert.equal((await curl(`https://${HOST}/a.txt`, { more })).text(), 'of the torrent')
    const plain = await curl(`http://127.0.0.1:${proxy.httpsPort}/a.txt`, { host: HOST })
    assert.equal(plain.text(), 'of the torrent')
  })

  it('shows the host of the tunnel to clients that name none inside', async (t) => {
    const { socket, text } = wire(proxy.httpPort, `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until('the tunnel', () => text().includes('\r\n\r\n'))
    socket.removeAllListeners('data')
    const tls = connectTls({ socket, ca: root, checkServerIdentity: () => undefined })
    finallyDo(t, () => void tls.destroy())
    await new Promise<void>((done, fail) => {
      tls.once('secureConnect', () => done())
      tls.once('error', fail)
    })
    assert.equal(tls.getPeerCertificate().subjectaltname, `DNS:${HOST}`)
  })
})

describe('SOCKS 5', () => {
  it('C21 leads to names, http and https, and to other sites, names resolved here', async () => {
    const at = ['--socks5-hostname', `127.0.0.1:${proxy.socksPort}`, '--cacert', house.ca]
    for (const scheme of ['http', 'https']) {
      assert.equal((await curl(`${scheme}://${HOST}/a.txt`, { more: at })).text(), 'of the torrent')
    }
    const told = (await curl(`http://site.example:${port}/x`, { more: at })).json() as Echo
    assert.equal(told.url, '/x')
    await assert.rejects(curl('http://10.0.0.1/', { more: at }), /\(97\)|refused|connect/i)
    await assert.rejects(curl(`http://nowhere.example/`, { more: at }))
  })

  it('C21 is off unless a port is given', async (t) => {
    assert.equal((await startHouse(t)).proxy.socksPort, 0)
  })

  it('refuses passwords, other commands and other versions', async () => {
    const shelf: [string, string][] = [
      ['\x05\x01\x02', '\x05\xff'],
      ['\x05\x00', '\x05\xff'],
      ['\x04\x01\x00\x50\x7f\x00\x00\x01\x00', ''],
      ['GET / HTTP/1.1\r\n\r\n', ''],
      ['\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50', '\x05\x00\x05\x07'],
      ['\x05\x01\x00\x05\x01\x00\x09\x00\x50', '\x05\x00\x05\x08'],
      ['\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50', '\x05\x00\x05\x08'],
      ['\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00', '\x05\x00\x05\x08'],
      ['\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50', '\x05\x00\x05\x02'],
      ['\x05\x01\x00\x04\x01\x00\x01\x0a\x00\x00\x01\x00\x50', '\x05\x00'],
    ]
    for (const [bytes, reply] of shelf) {
      const { closed, text } = wire(proxy.socksPort, Buffer.from(bytes, 'latin1'))
      await closed
      assert.ok(text().startsWith(reply), JSON.stringify([bytes, text()]))
      assert.equal(
        text().length > 4 ? text()[4] : text().slice(reply.length),
        text().length > 4 ? '\0' : '',
      )
    }
  })

  it('is read in any pieces, and never beyond a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const read of [readGreeting, readRequest]) {
          const whole = read(bytes)
          if (whole.kind !== 'whole') continue
          assert.ok(whole.length <= bytes.length)
          // What came after a message changes nothing of it; less than it is no message.
          assert.deepEqual(read(bytes.subarray(0, whole.length)), whole)
          assert.notEqual(read(bytes.subarray(0, whole.length - 1)).kind, 'whole')
        }
      }),
    )
    const v6 = Uint8Array.from([5, 1, 0, 4, ...Array.from({ length: 15 }, () => 0), 1, 0, 80])
    assert.deepEqual(readRequest(v6), {
      kind: 'whole',
      value: { command: 1, authority: '[::1]:80' },
      length: 22,
    })
  })
})

describe('any port of the proxy', () => {
  it('survives whatever bytes it gets', async () => {
    const starts = [
      '',
      '\x16\x03\x01',
      '\x05\x01\x00',
      'CONNECT a.btlink:443 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET http://',
    ]
    const junk = fc.sample(
      fc.tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 600 })),
      150,
    )
    const ports = [proxy.httpPort, proxy.httpsPort, proxy.socksPort]
    const wires = junk.map(([start, bytes], index) =>
      wire(ports[index % 3] ?? 0, Buffer.concat([Buffer.from(start, 'latin1'), bytes])),
    )
    await sleep(300)
    for (const { socket } of wires) socket.destroy()
    const more = ['--suppress-connect-headers', '-x', url, '--cacert', house.ca]
    assert.equal((await curl(`https://${HOST}/a.txt`, { more })).text(), 'of the torrent')
    await until('no connection', () => proxy.stats()['connections'] === 0)
  })

  it('C32 waits for bodies as long as they move, longer than for heads', async (t) => {
    const patient = await startHouse(t, { header_timeout: 200, connect_ports: [port] })
    patient.names.set('site.example', ['127.0.0.1'])
    const head = `POST http://site.example:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nConnection: close\r\n\r\n`
    const { socket, text, closed } = wire(patient.proxy.httpPort, head)
    for (const piece of ['sl', 'ow', 'ly', '!!']) {
      // Node looks at the clock once a second.
      await sleep(500)
      socket.write(piece)
    }
    await closed
    assert.match(text(), /"body":"slowly!!"/)
  })
})

describe('a proxy without a gateway of its own', () => {
  it('C28 asks the gateway of another box', async (t) => {
    const apart = await startHouse(t, {
      gateway: `http://127.0.0.1:${house.port}`,
      deps: {
        serve: () => assert.fail('there is no gateway here'),
      },
    })
    const more = ['--suppress-connect-headers', '-x', apart.url, '--cacert', apart.ca]
    for (const target of [`http://${HOST}/a.txt`, `https://${HOST}/a.txt`]) {
      const answer = await curl(target, { more })
      assert.equal(answer.text(), 'of the torrent')
      assert.equal(answer.headers['content-security-policy'], 'treat-as-public-address')
      assert.equal(answer.headers['x-btlink-path'], '/a.txt')
    }
    const range = await curl(`http://${HOST}/a.txt`, { more: [...more, '-r', '0-1'] })
    assert.deepEqual([range.status, range.text()], [206, 'of'])
  })

  it('C28 tells it who asked, and how, and believes nobody else', async (t) => {
    const seen: Record<string, unknown>[] = []
    const other = await startSite(t, (req, res) => {
      seen.push(req.headers)
      res.end('x')
    })
    const apart = await startHouse(t, { gateway: `http://127.0.0.1:${other}` })
    const headers = { 'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'gopher' }
    const more = ['--suppress-connect-headers', '-x', apart.url, '--cacert', apart.ca]
    await curl(`https://${HOST}/`, { headers, more })
    assert.equal(seen[0]?.['x-forwarded-for'], '127.0.0.1')
    assert.equal(seen[0]['x-forwarded-proto'], 'https')
    assert.equal(seen[0]['host'], HOST)
  })

  it('C28 says so where the other box is away, is itself, or is no address', async (t) => {
    const away = await startHouse(t, { gateway: 'http://127.0.0.1:1' })
    assert.equal((await curl(`http://${HOST}/`, { more: ['-x', away.url] })).status, 502)
    for (const gateway of [
      '127.0.0.1:80',
      'https://x',
      'http://a b',
      'http://u@x',
      'http://x/path',
    ]) {
      await assert.rejects(startHouse(t, { gateway }), { code: 'BTL_ERR_PROXY_SETTING' })
    }
    for (const setting of [{ clients: ['x'] }, { allow_private: ['10.0.0.0/99'] }]) {
      await assert.rejects(startHouse(t, setting), { code: 'BTL_ERR_PROXY_SETTING' })
    }
    assert.equal((await curl(`${url}/`)).status, 200)
  })
})
