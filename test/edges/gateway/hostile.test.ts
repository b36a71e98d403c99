import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { until } from '../../support/until.ts'
import { hostOfTorrent, startGateway } from './fixture.ts'

const fixture = await startGateway(
  { after: (fn) => after(fn) },
  { btlink: { header_timeout: 1000, wait_timeout: 2000 } },
)
const { infoHash } = await fixture.add({
  'index.html': 'home',
  'a b.txt': 'space',
  'a+b.txt': 'plus',
  'a#b.txt': 'hash',
  'a?b.txt': 'question',
  'a%2Fb.txt': 'escape',
  'a:b.txt': 'colon',
  'dir/a.txt': 'nested',
  '.btlink/info.json': 'from the torrent',
  '.btlink/own.txt': 'from the torrent',
  _redirects: '/way-in /.btlink/own.txt 200',
  '.well-known/x.txt': 'known',
})
const other = await fixture.add({ 'index.html': 'other' }, { name: 'other' })
const HOST = hostOfTorrent(infoHash)

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
const head = (line: string, ...headers: string[]) =>
  `${[line, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`
const get = (path: string, ...headers: string[]) =>
  head(`GET ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers)
const alive = async () => assert.equal((await fixture.ask(HOST, '/')).text, 'home')

describe('paths', () => {
  const bad: [string, string][] = [
    ['a bare percent sign', '/%'],
    ['an escape of no digits', '/%zz'],
    ['half an escape', '/a%4'],
    ['bytes that are not UTF-8', '/%ff%fe'],
    ['an overlong slash', '/%c0%af'],
    ['an escaped NUL', '/a%00.txt'],
    ['dot dot', '/../etc/passwd'],
    ['dot dot within', '/dir/../a.txt'],
    ['escaped dot dot', '/%2e%2e/a.txt'],
    ['half escaped dot dot', '/.%2e/a.txt'],
    ['a dot', '/./index.html'],
    ['hundreds of slashes', '/a'.repeat(300)],
  ]
  for (const [what, path] of bad) {
    it(`refuses ${what}`, async () => {
      const answer = await fixture.raw(get(path))
      assert.equal(statusOf(answer), 400, answer)
      assert.match(answer, /BTL_ERR_GATEWAY_BAD_PATH/)
    })
  }

  it('takes each segment by itself: an escaped slash is no separator', async () => {
    assert.equal((await fixture.ask(HOST, '/dir%2Fa.txt')).status, 404)
    assert.equal((await fixture.ask(HOST, '/dir/a.txt')).text, 'nested')
  })

  it('serves names with every sign that addresses use', async () => {
    const cases = [
      ['/a%20b.txt', 'space'],
      ['/a+b.txt', 'plus'],
      ['/a%2Bb.txt', 'plus'],
      ['/a%23b.txt', 'hash'],
      ['/a%3Fb.txt', 'question'],
      ['/a%252Fb.txt', 'escape'],
      ['/a:b.txt', 'colon'],
      ['/a%3ab.txt', 'colon'],
    ] as const
    for (const [path, body] of cases) assert.equal((await fixture.ask(HOST, path)).text, body, path)
  })

  it('makes runs of slashes one, and never sends the browser elsewhere', async () => {
    const answer = await fixture.raw(get('//'))
    assert.equal(statusOf(answer), 308)
    assert.match(answer, /\r\nLocation: \/\r\n/)
    const evil = await fixture.raw(get('//evil.example/%2e'))
    assert.ok([308, 400].includes(statusOf(evil)))
    assert.doesNotMatch(evil, /Location: \/\//)
    assert.match(await fixture.raw(get('//evil.example/')), /\r\nLocation: \/evil\.example\/\r\n/)
  })

  it('refuses a request line of 64 KB', async () => {
    const answer = await fixture.raw(get(`/${'a'.repeat(65_536)}`))
    assert.ok([414, 431].includes(statusOf(answer)), answer.slice(0, 200))
    await alive()
  })

  it('never serves .btlink from the torrent, in no spelling', async () => {
    for (const path of [
      '/.btlink/own.txt',
      '/%2ebtlink/own.txt',
      '/.btlin%6b/own.txt',
      '/.btlink',
    ]) {
      assert.equal((await fixture.ask(HOST, path)).status, 404, path)
    }
    assert.equal((await fixture.ask(HOST, '/way-in')).status, 404)
    assert.doesNotMatch(
      (await fixture.ask(HOST, '/?btlink-no-autoindex')).text,
      /own\.txt|\.btlink\/"/,
    )
    const info = await fixture.ask(HOST, '/.btlink/info.json')
    assert.doesNotMatch(info.text, /from the torrent/)
    assert.equal((await fixture.ask(HOST, '//.btlink/own.txt')).status, 404)
    // Another case is another name: the reserved one is lower case only.
    assert.equal((await fixture.ask(HOST, '/.well-known/x.txt')).text, 'known')
  })

  it('answers any path with a status of its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary-ascii', maxLength: 60 }), async (text) => {
        const path = `/${text.replace(/[^\x21-\x7e]/g, '%')}`
        const { status } = await fixture.ask(HOST, path)
        assert.ok([200, 204, 304, 308, 400, 404].includes(status), `${path}: ${status}`)
      }),
      { numRuns: 200 },
    )
  })
})

describe('hosts', () => {
  it('shows its own page under no name of somebody else, however like an address it looks', async () => {
    // Rebound to this box, such a name would make a stranger's page one origin with ours.
    for (const host of [
      '127.evil.example',
      '127.0.0.1.evil.example',
      '10.evil.example',
      'localhost.evil',
    ]) {
      const { status, text } = await fixture.ask(host, '/')
      assert.equal(status, 404, host)
      assert.doesNotMatch(text, /<form/)
    }
    assert.equal((await fixture.ask('127.0.0.1', '/')).status, 200)
  })

  it('lets the authority of an absolute target win over Host', async () => {
    const wins = await fixture.raw(
      head(`GET http://${HOST}/ HTTP/1.1`, `Host: ${hostOfTorrent(other.infoHash)}`),
    )
    assert.match(wins, /\r\n\r\nhome$/)
    const strange = await fixture.raw(head(`GET http://${HOST}/ HTTP/1.1`, 'Host: evil.example'))
    assert.match(strange, /\r\n\r\nhome$/)
    const refused = await fixture.raw(head('GET http://evil.example/ HTTP/1.1', `Host: ${HOST}`))
    assert.equal(statusOf(refused), 404)
  })

  it('keeps that apart from answers that are ready', async () => {
    // The same Host and the same path, asked before as a plain request.
    await fixture.ask(HOST, '/')
    const answer = await fixture.raw(
      head(`GET http://${hostOfTorrent(other.infoHash)}/ HTTP/1.1`, `Host: ${HOST}`),
    )
    assert.match(answer, /\r\n\r\nother$/)
    assert.equal((await fixture.ask(HOST, '/')).text, 'home')
  })

  const refusals: [string, string, number][] = [
    ['no Host', head('GET / HTTP/1.1'), 400],
    ['two Hosts', head('GET / HTTP/1.1', `Host: ${HOST}`, 'Host: evil.example'), 400],
    ['user information', head(`GET http://evil@${HOST}/ HTTP/1.1`, `Host: ${HOST}`), 400],
    ['another scheme', head(`GET ftp://${HOST}/ HTTP/1.1`, `Host: ${HOST}`), 400],
    ['a host of signs', head('GET / HTTP/1.1', 'Host: <script>.btlink', 'Accept: text/html'), 400],
    ['a port that is none', head('GET / HTTP/1.1', `Host: ${HOST}:99999`), 400],
  ]
  for (const [what, request, status] of refusals) {
    it(`refuses ${what}`, async () => {
      const answer = await fixture.raw(request)
      assert.equal(statusOf(answer), status, answer)
      assert.doesNotMatch(answer, /<script>/)
    })
  }
})

describe('requests', () => {
  const smuggled: [string, string][] = [
    [
      'a body with two lengths',
      head('GET / HTTP/1.1', `Host: ${HOST}`, 'Transfer-Encoding: chunked', 'Content-Length: 5') +
        '0\r\n\r\n',
    ],
    [
      'two different lengths',
      head('GET / HTTP/1.1', `Host: ${HOST}`, 'Content-Length: 5', 'Content-Length: 6'),
    ],
    [
      'an unknown coding before chunked',
      head('GET / HTTP/1.1', `Host: ${HOST}`, 'Transfer-Encoding: chunked, identity') + '0\r\n\r\n',
    ],
    ['a header folded over lines', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: a\r\n b\r\n\r\n`],
    ['a space before the colon', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length : 5\r\n\r\n`],
    ['a NUL in the path', `GET /\0 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
    ['a NUL in a header', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: a\0b\r\n\r\n`],
    ['bare line feeds', `GET / HTTP/1.1\nHost: ${HOST}\n\n`],
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ]
  for (const [what, request] of smuggled) {
    it(`refuses ${what}`, async () => {
      const answer = await fixture.raw(request)
      assert.equal(statusOf(answer), 400, answer)
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'more than one answer')
      await alive()
    })
  }

  it('refuses headers above 16 KiB with 431', async () => {
    assert.equal(statusOf(await fixture.raw(get('/', `X: ${'a'.repeat(20_000)}`))), 431)
  })

  it('ends a client that sends its headers too slowly', async () => {
    const socket = connect(fixture.port, '127.0.0.1')
    let answer = ''
    let closed = false
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('close', () => (closed = true))
    socket.on('error', () => undefined)
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n`)
    const drip = setInterval(() => socket.write('X: a\r\n'), 200)
    await until('the end of it', () => closed, { timeoutMs: 8000 })
    clearInterval(drip)
    assert.equal(statusOf(answer), 408)
    await alive()
  })

  it('refuses methods that would write, and says which it knows', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
      const reply = await fixture.ask(HOST, '/', { method, body: method === 'POST' ? 'x=1' : '' })
      assert.equal(reply.status, 405, method)
      assert.equal(reply.headers.allow, 'GET, HEAD, OPTIONS')
    }
    const star = await fixture.raw(head('OPTIONS * HTTP/1.1', `Host: ${HOST}`))
    assert.equal(statusOf(star), 204)
    assert.equal(statusOf(await fixture.raw(head('TRACE / HTTP/1.1', `Host: ${HOST}`))), 405)
  })

  it('does not wait for the body of a request it refused', async () => {
    const answer = await fixture.raw(
      `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000000000\r\n\r\nabc`,
    )
    assert.equal(statusOf(answer), 405)
    assert.match(answer, /\r\nConnection: close\r\n/i)
  })

  it('refuses a WebSocket upgrade at once', async () => {
    const answer = await fixture.raw(
      `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    assert.equal(statusOf(answer), 400)
    assert.match(answer, /BTL_ERR_HTTP_UPGRADE_REFUSED/)
  })

  it('answers pipelined requests in order', async () => {
    const one = `GET /a%20b.txt HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
    const answer = await fixture.raw(one + get('/dir/a.txt'))
    assert.ok(answer.indexOf('space') < answer.indexOf('nested'))
  })

  it('writes no refusal into a body that is under way', async () => {
    const { infoHash: ih } = await fixture.add({ 'big.bin': Buffer.alloc(24_000_000) })
    const chunks: Buffer[] = []
    await new Promise<void>((resolve) => {
      const socket = connect(fixture.port, '127.0.0.1', () =>
        socket.write(`GET /big.bin HTTP/1.1\r\nHost: ${hostOfTorrent(ih)}\r\n\r\n`),
      )
      socket.once('data', () => socket.write('no HTTP at all\r\n\r\n'))
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
    const answer = Buffer.concat(chunks).toString('latin1')
    assert.equal(statusOf(answer), 200)
    assert.equal(answer.split('HTTP/1.1 ').length, 2)
  })

  it('asks nobody about a name that cannot be', async () => {
    const before = fixture.asked.length
    for (const host of ['a-b-ih.btlink', 'zz-44.btlink', '-pk.btlink', 'x.y.z-pk.btlink']) {
      assert.equal((await fixture.ask(host, '/')).status, 400, host)
    }
    assert.equal(fixture.asked.length, before)
  })

  it('survives bytes of any kind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await fixture.raw(Buffer.from(bytes), 30)
      }),
      { numRuns: 60 },
    )
    await alive()
  })
})
