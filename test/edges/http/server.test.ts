import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { createHttpServer } from '../../../src/edges/http/index.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

async function open(t: Cleanup): Promise<{ server: Server; client: () => Socket }> {
  const limits = {
    headerTimeoutMs: 200,
    idleTimeoutMs: 600_000,
    maxConnections: 4,
    maxPerAddress: 2,
  }
  const server = createHttpServer(limits, (_req, res) => res.end('here'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    server,
    client() {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => undefined)
      finallyDo(t, () => void socket.destroy())
      return socket
    },
  }
}

const connections = async (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })

describe('a server', () => {
  it('gets its places back from clients that say nothing, read nothing and stay', async (t) => {
    const { server, client } = await open(t)
    const silent = Array.from({ length: 4 }, client)
    await until('all places to be taken', async () => (await connections(server)) === 4)
    await until('them to be free', async () => (await connections(server)) === 0, {
      timeoutMs: 5000,
    })
    assert.equal(silent.filter(({ destroyed }) => destroyed).length, 0)
  })

  it('keeps places from one address that wants them all, unless it is this machine', async (t) => {
    const { server } = await open(t)
    const come = (address: string) => {
      const socket = Object.assign(new PassThrough(), { remoteAddress: address })
      server.emit('connection', socket)
      return socket
    }
    const all = Array.from({ length: 4 }, () => come('::ffff:192.0.2.7'))
    const taken = () => all.map(({ destroyed }) => destroyed)
    assert.deepEqual(taken(), [false, false, true, true])
    assert.equal(come('192.0.2.8').destroyed, false)
    all[0]?.destroy()
    await once(all[0] ?? server, 'close')
    assert.equal(come('::ffff:192.0.2.7').destroyed, false)
    const proxies = Array.from({ length: 4 }, () => come('::ffff:127.0.0.1'))
    assert.ok(proxies.every(({ destroyed }) => !destroyed))
  })

  it('answers those who would rather speak HTTP/2, and hands on those who want a WebSocket', async (t) => {
    const { server, client } = await open(t)
    server.on('upgrade', (_req, socket) => socket.end('upgraded'))
    const ask = async (upgrade: string) => {
      const socket = client()
      socket.setEncoding('utf8')
      socket.write(
        `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`,
      )
      const [said] = (await once(socket, 'data')) as [string]
      return said
    }
    // So Java's HttpClient begins, and curl --http2.
    assert.match(await ask('h2c'), /^HTTP\/1\.1 200 /)
    assert.equal(await ask('WebSocket'), 'upgraded')
  })

  it('says what is wrong before it closes', async (t) => {
    const { client } = await open(t)
    const socket = client()
    socket.write('NONSENSE\r\n\r\n')
    socket.setEncoding('utf8')
    let said = ''
    for await (const text of socket) said += String(text)
    assert.match(said, /^HTTP\/1\.1 400 /)
  })
})
