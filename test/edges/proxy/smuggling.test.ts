/** Requests that two programs would read in two ways, and clients that break off. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { startHouse, startSite, wire } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
let reached = 0
const house = await startHouse(all, { header_timeout: 1000 })
const site = await startSite(all, (req, res) => {
  req.on('data', () => undefined)
  req.on('end', () => {
    reached++
    res.end(req.url === '/second' ? 'SMUGGLED' : 'first')
  })
})
house.names.set('site.example', ['127.0.0.1'])
const { proxy } = house
const TARGET = `http://site.example:${site}/first`
const HOST = `Host: site.example:${site}\r\n`
const SECOND = `GET http://site.example:${site}/second HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST ${TARGET} HTTP/1.1\r\n${HOST}`

/** Heads and bodies; the first request of each must be refused, and what hides in it never be read as another. */
const SHELF: Record<string, string> = {
  'length and chunked': `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECOND}`,
  'chunked and length': `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SECOND}`,
  'two lengths': `${POST}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${SECOND}`,
  'two equal lengths': `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  'a list of lengths': `${POST}Content-Length: 5, 5\r\n\r\nhello`,
  'a length with a sign': `${POST}Content-Length: +5\r\n\r\nhello`,
  'a length in hex': `${POST}Content-Length: 0x5\r\n\r\nhello`,
  'a negative length': `${POST}Content-Length: -1\r\n\r\nhello`,
  'an endless length': `${POST}Content-Length: 99999999999999999999\r\n\r\nhello`,
  'a space before the colon': `${POST}Content-Length : 5\r\n\r\nhello`,
  'a coding that is not known': `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'two codings': `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'two lines of codings': `${POST}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a coding before chunked': `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'a coding with a tab': `${POST}Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n`,
  'a coding in HTTP/1.0': `POST ${TARGET} HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'lines that end in LF': `GET ${TARGET} HTTP/1.1\n${HOST.trim()}\n\n`,
  'one line that ends in LF': `GET ${TARGET} HTTP/1.1\r\nA: b\n${HOST}\r\n`,
  'a line that ends in CR': `GET ${TARGET} HTTP/1.1\r\nA: b\rC: d\r\n${HOST}\r\n`,
  'a folded line': `GET ${TARGET} HTTP/1.1\r\nA: b\r\n c\r\n${HOST}\r\n`,
  'a folded coding': `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  'a line without colon': `GET ${TARGET} HTTP/1.1\r\n${HOST}nothing\r\n\r\n`,
  'a space before a line': `GET ${TARGET} HTTP/1.1\r\n A: b\r\n${HOST}\r\n`,
  'a zero byte in a value': `GET ${TARGET} HTTP/1.1\r\nA: b\0c\r\n${HOST}\r\n`,
  'a name with a bracket': `GET ${TARGET} HTTP/1.1\r\nA[: b\r\n${HOST}\r\n`,
  'an empty name': `GET ${TARGET} HTTP/1.1\r\n: b\r\n${HOST}\r\n`,
  'two hosts': `GET ${TARGET} HTTP/1.1\r\n${HOST}${HOST}\r\n`,
  'no host': `GET ${TARGET} HTTP/1.1\r\n\r\n`,
  'another version': `GET ${TARGET} HTTP/3.1\r\n${HOST}\r\n`,
  'a space in the target': `GET ${TARGET} x HTTP/1.1\r\n${HOST}\r\n`,
  'another scheme': `GET ftp://site.example:${site}/ HTTP/1.1\r\n${HOST}\r\n`,
  'https without a tunnel': `GET https://site.example:${site}/ HTTP/1.1\r\n${HOST}\r\n`,
  'no scheme': `GET site.example:${site} HTTP/1.1\r\n${HOST}\r\n`,
  'CONNECT with a length': `CONNECT site.example:443 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  'CONNECT with a coding': `CONNECT site.example:443 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'CONNECT with a path': `CONNECT site.example:443/x HTTP/1.1\r\n${HOST}\r\n`,
  'CONNECT with a scheme': `CONNECT https://site.example:443 HTTP/1.1\r\n${HOST}\r\n`,
  'TLS that begins with nonsense': '\x15\x03\x01',
}

describe('a request with two meanings', () => {
  for (const [what, bytes] of Object.entries(SHELF)) {
    it(`is refused: ${what}`, async () => {
      reached = 0
      const { socket, text, closed } = wire(proxy.httpPort, Buffer.from(bytes, 'latin1'))
      await Promise.race([closed, sleep(500, undefined, { ref: false })])
      socket.destroy()
      assert.match(text(), /^HTTP\/1\.1 (400|403|405|505) /, what)
      assert.ok(!text().includes('SMUGGLED') && !text().includes('first'), text())
      assert.equal(reached, 0)
    })
  }

  const CHUNKS: Record<string, string> = {
    'an extension that ends in LF': `5;a\nhello\r\n0\r\n\r\n`,
    'an extension with a CR': `5;a\rb\r\nhello\r\n0\r\n\r\n`,
    'a size with a space': `5 \r\nhello\r\n0\r\n\r\n`,
    'a size in hex with 0x': `0x5\r\nhello\r\n0\r\n\r\n`,
    'a negative size': `-5\r\nhello\r\n0\r\n\r\n`,
    'a size that overflows': `fffffffffffffffff\r\nhello\r\n0\r\n\r\n`,
    'data longer than its size': `2\r\nhello\r\n0\r\n\r\n`,
    'data that ends in LF': `5\r\nhello\n0\r\n\r\n`,
    'an end in LF': `5\r\nhello\r\n0\n\n`,
    'an extension without end': `5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`,
  }
  for (const [what, body] of Object.entries(CHUNKS)) {
    it(`is broken off: a chunk with ${what}`, async () => {
      reached = 0
      const bytes = `${POST}Transfer-Encoding: chunked\r\n\r\n${body}${SECOND}`
      const { socket, text, closed } = wire(proxy.httpPort, bytes)
      await Promise.race([closed, sleep(500, undefined, { ref: false })])
      socket.destroy()
      assert.ok(!text().includes('SMUGGLED') && !text().includes(' 200 '), text())
      assert.equal(reached, 0)
    })
  }

  it('is passed on with one: extensions and trailers of sound chunks are left out', async (t) => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const raw = createServer((socket) => {
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
        if (!text.endsWith('0\r\n\r\n')) return
        socket.end('HTTP/1.1 204 No Content\r\n\r\n')
        resolve(text)
      })
    })
    await new Promise<void>((ready) => void raw.listen(0, '127.0.0.1', ready))
    finallyDo(t, () => void raw.close())
    const address = raw.address()
    const port = typeof address === 'object' ? address?.port : 0
    const body = '5;name="a value"\r\nhello\r\n0;last\r\nX-Trailer: x\r\n\r\n'
    const head = `POST http://site.example:${port}/ HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
    const { socket } = wire(proxy.httpPort, head + body)
    finallyDo(t, () => void socket.destroy())
    assert.match(await promise, /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
  })
})

describe('an answer with two meanings', () => {
  const ANSWERS: Record<string, string> = {
    'length and chunked': 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'two lengths': 'Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello',
    'a zero byte': 'A: b\0c\r\n\r\n',
    'a line end in a value': 'A: b\rSet-Cookie: x\r\n\r\n',
    'a head without end': `A: ${'b'.repeat(100_000)}\r\n\r\n`,
    'no head at all': '',
    'another protocol': 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  }
  for (const [what, rest] of Object.entries(ANSWERS)) {
    it(`is not passed on: ${what}`, async (t) => {
      const raw = createServer((socket) => {
        socket.on('error', () => undefined)
        const isWhole = rest.startsWith('HTTP/')
        socket.end(rest === '' ? 'SSH-2.0-OpenSSH' : isWhole ? rest : `HTTP/1.1 200 OK\r\n${rest}`)
      })
      await new Promise<void>((ready) => void raw.listen(0, '127.0.0.1', ready))
      finallyDo(t, () => void raw.close())
      const address = raw.address()
      const port = typeof address === 'object' ? address?.port : 0
      const head = `GET http://site.example:${port}/ HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
      const { closed, text } = wire(proxy.httpPort, head)
      await closed
      assert.match(text(), /^HTTP\/1\.1 502 [\s\S]*BTL_ERR_PROXY_BROKEN_ANSWER/)
    })
  }
})

describe('a client that breaks off', () => {
  it('C32 in its head is sent away after the header time, in TLS, SOCKS and tunnels too', async (t) => {
    const slow = await startHouse(t, { header_timeout: 300, socks_port: 0 })
    const { httpPort, httpsPort, socksPort } = slow.proxy
    const starts: [number, string][] = [
      [httpPort, ''],
      [httpPort, 'GET http://site.example/ HTT'],
      [httpPort, 'CONNECT a.btlink:443 HTTP/1.1\r\n\r'],
      [httpPort, 'CONNECT a.btlink:443 HTTP/1.1\r\nHost: a.btlink\r\n\r\n'],
      [httpPort, 'CONNECT a.btlink:443 HTTP/1.1\r\nHost: a.btlink\r\n\r\n\x16\x03'],
      [httpPort, 'CONNECT a.btlink:80 HTTP/1.1\r\nHost: a.btlink\r\n\r\nGET / HT'],
      [httpsPort, '\x16\x03\x01'],
      [socksPort, ''],
      [socksPort, '\x05\x02\x00'],
      [socksPort, '\x05\x01\x00\x05\x01\x00\x03\x09a'],
    ]
    const wires = starts.map(([port, bytes]) => wire(port, Buffer.from(bytes, 'latin1')))
    for (const { closed } of wires) await closed
    await until('no connection', () => slow.proxy.stats()['connections'] === 0)
  })

  it('in the middle of an answer takes the connection to the site with it', async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const endless = await startSite(t, (_req, res) => {
      const timer = setInterval(() => res.write('x'.repeat(10_000)), 5)
      res.on('close', () => {
        clearInterval(timer)
        resolve()
      })
    })
    const head = `GET http://site.example:${endless}/ HTTP/1.1\r\n${HOST}\r\n`
    const { socket, text } = wire(proxy.httpPort, head)
    await until('the answer', () => text().length > 20_000)
    socket.destroy()
    await promise
    await until('no connection', () => proxy.stats()['to_other_sites'] === 0)
  })

  it('sees an answer break off where the site broke off', async (t) => {
    const short = await startSite(t, (_req, res) => {
      res.writeHead(200, { 'content-length': 1000 })
      res.write('only this', () => res.destroy())
    })
    const head = `GET http://site.example:${short}/ HTTP/1.1\r\n${HOST}\r\n`
    const { closed, text } = wire(proxy.httpPort, head)
    await closed
    assert.match(text(), /only this$/)
  })
})
