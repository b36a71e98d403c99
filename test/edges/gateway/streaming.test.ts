import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import { infoHash as infoHashOf, publicKey } from '../../../src/base/hashes.ts'
import { FakeBadMetainfo, FakeUnreachable } from '../../fakes/library.ts'
import { until } from '../../support/until.ts'
import { hostOfTorrent, KEY_HEX, KEY_LABEL, startGateway } from './fixture.ts'

const MB = 1024 * 1024
const fixture = await startGateway(
  { after: (fn) => after(fn) },
  { btlink: { wait_timeout: 700, max_requests: 8 } },
)
const bytes = randomBytes(4 * MB)

/** A torrent of its own for each test: `film` of 4 MB that nobody has yet. */
let count = 0
async function film(missing = true) {
  const name = `film ${count++}`
  const { infoHash } = await fixture.add(
    { 'film.mp4': bytes },
    { name, missing, pieceLength: 65_536 },
  )
  return { infoHash, host: hostOfTorrent(infoHash) }
}

/** The response as soon as its headers are there. */
async function open(host: string, path: string, headers: Record<string, string> = {}) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port: fixture.port, path, headers: { host, ...headers }, agent: false },
      resolve,
    )
    req.on('error', reject)
    req.end()
  })
}

async function collect(
  res: IncomingMessage,
): Promise<{ body: Buffer; error?: NodeJS.ErrnoException }> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of res) chunks.push(chunk as Buffer)
    return { body: Buffer.concat(chunks) }
  } catch (error) {
    return { body: Buffer.concat(chunks), error: error as NodeJS.ErrnoException }
  }
}

describe('content that is on its way', () => {
  it('flows as pieces arrive, long before the file is complete', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, 65_536)
    const res = await open(host, '/film.mp4')
    assert.equal(res.statusCode, 200)
    assert.equal(res.headers['content-length'], String(bytes.length))
    const first = await new Promise<Buffer>((resolve) => res.once('data', resolve))
    assert.ok(bytes.subarray(0, first.length).equals(first))
    assert.ok(first.length <= 65_536)
    res.pause()
    fixture.arrive(infoHash, 0, 65_536, MB)
    fixture.arrive(infoHash, 0, MB, bytes.length)
    const rest = await collect(res)
    assert.equal(rest.error, undefined)
    assert.ok(Buffer.concat([first, rest.body]).equals(bytes))
  })

  it('asks for nothing but the range', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 2 * MB, 3 * MB)
    const reply = await fixture.ask(host, '/film.mp4', {
      headers: { range: `bytes=${2 * MB}-${3 * MB - 1}` },
    })
    assert.equal(reply.status, 206)
    assert.ok(reply.body.equals(bytes.subarray(2 * MB, 3 * MB)))
    const asked = fixture.asked.filter((line) => line.startsWith(`available ${infoHash}`))
    // A range that is on disk needs no wait at all.
    assert.deepEqual(asked, [])
  })

  it('waits for the range that is asked, and for no other', async () => {
    const { infoHash, host } = await film()
    const reply = fixture.ask(host, '/film.mp4', {
      headers: { range: `bytes=${MB}-${2 * MB - 1}` },
    })
    await until('the question', () =>
      fixture.asked.includes(`available ${infoHash} 0 ${MB}-${2 * MB}`),
    )
    fixture.arrive(infoHash, 0, MB, 2 * MB)
    assert.ok((await reply).body.equals(bytes.subarray(MB, 2 * MB)))
    const asked = fixture.asked.filter((line) => line.startsWith(`available ${infoHash}`))
    assert.equal(asked.length, 1)
  })

  it('serves the middle of a file without extension whose beginning nobody has', async () => {
    const { infoHash } = await fixture.add({ film: bytes }, { name: 'untyped', missing: true })
    fixture.arrive(infoHash, 0, MB, 2 * MB)
    const host = hostOfTorrent(infoHash)
    const range = `bytes=${MB}-${2 * MB - 1}`
    const middle = await fixture.ask(host, '/film', { headers: { range } })
    assert.equal(middle.status, 206)
    assert.equal(middle.headers['content-type'], 'application/octet-stream')
    assert.equal((await fixture.ask(host, '/film', { method: 'HEAD' })).status, 200)
  })

  it('answers several ranges of a file that is not whole', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, 65_536)
    fixture.arrive(infoHash, 0, 3 * MB, 4 * MB)
    const range = `bytes=0-9,${3 * MB}-${3 * MB + 9}`
    const reply = await fixture.ask(host, '/film.mp4', { headers: { range } })
    assert.equal(reply.status, 206)
    assert.ok(reply.body.includes(bytes.subarray(0, 10)))
    assert.ok(reply.body.includes(bytes.subarray(3 * MB, 3 * MB + 10)))
    assert.equal(Number(reply.headers['content-length']), reply.body.length)
  })

  it('answers HEAD without asking for a byte', async () => {
    const { infoHash, host } = await film()
    const reply = await fixture.ask(host, '/film.mp4', { method: 'HEAD' })
    assert.equal(reply.status, 200)
    assert.equal(reply.headers['content-type'], 'video/mp4')
    assert.ok(!fixture.asked.some((line) => line.startsWith(`available ${infoHash}`)))
  })

  it('answers 412 to only-if-cached for bytes that are not here', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, 65_536)
    const headers = { 'cache-control': 'only-if-cached' }
    assert.equal((await fixture.ask(host, '/film.mp4', { headers })).status, 412)
    const here = { ...headers, range: 'bytes=0-99' }
    assert.equal((await fixture.ask(host, '/film.mp4', { headers: here })).status, 206)
    assert.ok(!fixture.asked.some((line) => line.startsWith(`available ${infoHash}`)))
  })
})

describe('content that does not come', () => {
  it('answers 504 where nobody has the torrent, with a page that tries again', async () => {
    const { infoHash, host } = await film()
    fixture.fails.set(infoHash, 'never')
    const page = await fixture.ask(host, '/film.mp4', { headers: { accept: 'text/html,*/*' } })
    assert.equal(page.status, 504)
    assert.equal(page.headers['retry-after'], '5')
    assert.equal(page.headers['cache-control'], 'no-store')
    assert.match(page.text, /<meta http-equiv="refresh" content="5">/)
    const program = await fixture.ask(host, '/film.mp4')
    const { code, message, requestId } = JSON.parse(program.text) as Record<string, string>
    assert.equal(code, 'BTL_ERR_GATEWAY_TIMEOUT')
    assert.match(message ?? '', /nobody offered/)
    assert.equal(program.headers['x-request-id'], requestId)
  })

  it('answers 504 where the first bytes do not come', async () => {
    const { host } = await film()
    const reply = await fixture.ask(host, '/film.mp4')
    assert.equal(reply.status, 504)
    assert.equal(reply.headers['content-length'], String(reply.body.length))
  })

  it('breaks the connection where the rest does not come, so that nothing takes it for whole', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, MB)
    const res = await open(host, '/film.mp4')
    assert.equal(res.statusCode, 200)
    const { body, error } = await collect(res)
    assert.equal(error?.code, 'ECONNRESET')
    assert.ok(body.length <= MB)
    assert.ok(bytes.subarray(0, body.length).equals(body))
  })

  it('resets the socket rather than ending it', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, MB)
    const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      const socket = connect(fixture.port, '127.0.0.1', () =>
        socket.write(`GET /film.mp4 HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
      )
      socket.on('data', () => undefined)
      socket.on('error', resolve)
      socket.on('end', () => resolve(undefined))
    })
    assert.equal(failure?.code, 'ECONNRESET')
  })

  it('passes on what resolver and library say', async () => {
    const { infoHash, host } = await film()
    fixture.fails.set(infoHash, new FakeBadMetainfo('pieces'))
    assert.equal((await fixture.ask(host, '/')).status, 502)
    const key = publicKey(KEY_HEX)
    fixture.point(key, Buffer.from('down'), { infoHash, freshness: 'fresh', ageSeconds: 0 })
    fixture.fails.set(`${KEY_HEX}:down`, new FakeUnreachable())
    const down = await fixture.ask(`down.${KEY_LABEL}.btlink`, '/')
    assert.equal(down.status, 503)
    assert.equal(down.headers['retry-after'], '10')
    const missing = await fixture.ask(`nobody.${KEY_LABEL}.btlink`, '/')
    assert.equal(missing.status, 404)
    assert.match(missing.text, /BTL_ERR_RESOLVE_NOT_FOUND/)
  })

  it('says nothing of the inside where something breaks', async () => {
    const { infoHash, host } = await film()
    fixture.fails.set(infoHash, new Error('secret /path'))
    const reply = await fixture.ask(host, '/')
    assert.equal(reply.status, 500)
    assert.match(reply.text, /BTL_ERR_HTTP_INTERNAL/)
    assert.doesNotMatch(reply.text, /secret/)
  })
})

describe('clients that leave', () => {
  it('end the search for a torrent', async () => {
    const { infoHash, host } = await film()
    fixture.fails.set(infoHash, 'never')
    const socket = connect(fixture.port, '127.0.0.1', () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
    )
    await until('the search', () => fixture.asked.includes(`open ${infoHash}`))
    socket.destroy()
    await until('its end', () => fixture.aborted.includes(infoHash), {
      timeoutMs: 500,
      everyMs: 10,
    })
  })

  it('end the wait for bytes', async () => {
    const { infoHash, host } = await film()
    fixture.arrive(infoHash, 0, 0, 65_536)
    const res = await open(host, '/film.mp4')
    await new Promise((resolve) => res.once('data', resolve))
    res.destroy()
    await until('its end', () => fixture.aborted.includes(`available ${infoHash}`), {
      timeoutMs: 500,
      everyMs: 10,
    })
  })

  it('leave nothing counted as active, whenever they go', async () => {
    const { host } = await film(false)
    for (let i = 0; i < 30; i++) {
      const res = await open(host, '/film.mp4')
      await new Promise((resolve) => res.once('data', resolve))
      res.destroy()
    }
    await until('idleness', () => fixture.gateway.stats()['active'] === 0)
    assert.equal((await fixture.ask(host, '/film.mp4')).body.length, bytes.length)
  })
})

describe('many at once', () => {
  it('share one slow torrent and all get it', async () => {
    const { infoHash, host } = await film()
    const replies = Array.from({ length: 6 }, async () => fixture.ask(host, '/film.mp4'))
    await until('all of them', () => fixture.gateway.stats()['active'] === 6)
    for (let at = 0; at < bytes.length; at += MB) fixture.arrive(infoHash, 0, at, at + MB)
    const digest = createHash('sha1').update(bytes).digest('hex')
    for (const { status, body } of await Promise.all(replies)) {
      assert.equal(status, 200)
      assert.equal(createHash('sha1').update(body).digest('hex'), digest)
    }
  })

  it('ask the library once while an answer is fresh', async () => {
    const { infoHash, host } = await film(false)
    for (let i = 0; i < 20; i++)
      await fixture.ask(host, '/film.mp4', { headers: { range: 'bytes=0-1' } })
    assert.equal(fixture.asked.filter((line) => line === `open ${infoHash}`).length, 1)
  })

  it('are refused with 503 beyond the limit, and welcome again afterwards', async () => {
    const { infoHash, host } = await film()
    const waiting = Array.from({ length: 8 }, async () => fixture.ask(host, '/film.mp4'))
    await until('a full house', () => fixture.gateway.stats()['active'] === 8)
    const refused = await fixture.ask(host, '/film.mp4')
    assert.equal(refused.status, 503)
    assert.equal(refused.headers['retry-after'], '10')
    fixture.arrive(infoHash, 0, 0, bytes.length)
    for (const { status } of await Promise.all(waiting)) assert.equal(status, 200)
    assert.equal((await fixture.ask(host, '/film.mp4')).status, 200)
  })
})

describe('names while the DHT is silent', () => {
  it('serve the last known version and say so', async () => {
    const { infoHash } = await fixture.add({ 'index.html': 'last known' })
    fixture.point(publicKey(KEY_HEX), Buffer.from('stale'), {
      infoHash: infoHashOf(infoHash),
      seq: 3,
      freshness: 'stale',
      ageSeconds: 7200,
    })
    const reply = await fixture.ask(`stale.${KEY_LABEL}.btlink`, '/')
    assert.equal(reply.text, 'last known')
    assert.equal(reply.headers['x-btlink-stale'], '1')
    assert.equal(reply.headers['x-btlink-seq'], '3')
  })
})
