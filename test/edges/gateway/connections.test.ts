import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createServer } from 'node:tls'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { hostOfTorrent, startGateway } from './fixture.ts'

const OPENSSL = '/usr/bin/openssl'
const fixture = await startGateway({ after: (fn) => after(fn) }, { btlink: { idle_timeout: 1000 } })
const big = Buffer.alloc(64 * 1024 * 1024, 'x')
const { infoHash } = await fixture.add(
  { 'a.txt': 'hello', 'big.bin': big, 'd/x': 'x' },
  { pieceLength: 1024 * 1024 },
)
const HOST = hostOfTorrent(infoHash)

describe('connections', () => {
  it('may come from elsewhere, inside TLS', { skip: missing(OPENSSL) }, async (t) => {
    const folder = await tempFolder(t)
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
    await output(OPENSSL, [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=test',
      '-keyout',
      key,
      '-out',
      cert,
    ])
    const tls = createServer({ key: await readFile(key), cert: await readFile(cert) }, (socket) =>
      fixture.gateway.server.emit('connection', socket),
    )
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
    t.after(() => tls.close())
    const { port } = tls.address() as AddressInfo
    const text = await new Promise<string>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/',
        headers: { host: HOST },
        rejectUnauthorized: false,
        agent: false as const,
      }
      const req = request(options, (res) => {
        let body = ''
        res.on('data', (chunk: Buffer) => (body += chunk.toString()))
        res.on('end', () => resolve(body))
      })
      req.on('error', reject)
      req.end()
    })
    assert.ok(text.includes(`ws=${encodeURIComponent(`https://${HOST}/.btlink/webseed/`)}`))
  })

  it('of old clients are served: HTTP/1.0, with and without Host', async () => {
    const plain = await fixture.raw(`GET /a.txt HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`)
    assert.match(plain, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n\r\nhello$/)
    const nameless = await fixture.raw('GET / HTTP/1.0\r\n\r\n')
    assert.match(nameless, /^HTTP\/1\.1 404 /)
  })

  it('that read nothing are closed after the idle time, and hold little memory until then', async () => {
    const before = process.memoryUsage().arrayBuffers
    const sockets = Array.from({ length: 40 }, () => {
      const socket = connect(fixture.port, '127.0.0.1', () =>
        socket.write(`GET /big.bin HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`),
      )
      socket.on('error', () => undefined)
      socket.pause()
      return socket
    })
    await until('all of them', () => (fixture.gateway.stats()['active'] ?? 0) === 40)
    const held = process.memoryUsage().arrayBuffers - before
    // Two buffers of 512 KiB each at the most.
    assert.ok(held < 40 * 1.5 * 1024 * 1024, `${held} bytes`)
    await until('their end', () => fixture.gateway.stats()['active'] === 0, { timeoutMs: 10_000 })
    for (const socket of sockets) socket.destroy()
    assert.equal((await fixture.ask(HOST, '/a.txt')).text, 'hello')
  })

  it('end when the gateway stops, whatever they wait for', async (t) => {
    const other = await startGateway(t)
    const cold = await other.add({ 'a.txt': 'x' }, { missing: true })
    const asked = other.ask(hostOfTorrent(cold.infoHash), '/a.txt').then(
      () => 'answered',
      () => 'closed',
    )
    await until('the wait', () => other.gateway.stats()['active'] === 1)
    await other.gateway.stop()
    assert.equal(await asked, 'closed')
    await other.gateway.stop()
    assert.equal((await other.gateway.health()).status, 'down')
  })
})
