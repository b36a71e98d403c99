/** What goes through tunnels: large bodies, halves that end, WebSocket; and who may have how many. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { after, describe, it } from 'node:test'
import { WebSocketServer } from 'ws'
import { relay } from '../../../src/edges/proxy/relay.ts'
import { curl } from '../../support/curl.ts'
import { withoutNetns } from '../../support/household.ts'
import { output } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { listen, startHouse, startSite, type Wire, wire } from './fixture.ts'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const MB = 1024 * 1024

async function raw(t: Cleanup, onSocket: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const house = await startHouse(all, {
  connect_ports: Array.from({ length: 65_535 }, (_, i) => i + 1),
})
house.names.set('site.example', ['127.0.0.1'])
const { proxy, url } = house

/** Somebody with an address of the internet, on a cable of their own to this machine. */
async function publicNeighbour(t: Cleanup) {
  const netns = `btpx-${process.pid}`
  const [host, address] = ['11.7.7.1', '11.7.7.2']
  const ip = (...args: string[]) => output('/usr/sbin/ip', args)
  await ip('netns', 'add', netns)
  finallyDo(t, () => ip('netns', 'del', netns).then(() => undefined))
  await ip('link', 'add', netns, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
  await ip('addr', 'add', `${host}/30`, 'dev', netns)
  await ip('link', 'set', netns, 'up')
  await ip('-n', netns, 'addr', 'add', `${address}/30`, 'dev', 'eth0')
  await ip('-n', netns, 'link', 'set', 'eth0', 'up')
  return { netns, host, address }
}

const tunnel = (port: number, early = ''): Wire =>
  wire(proxy.httpPort, `CONNECT site.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n${early}`)
const opened = async ({ text }: Wire) => until('the tunnel', () => text().includes('\r\n\r\n'))

describe('a tunnel', () => {
  it('carries early bytes, and goes on one way when the other has ended', async (t) => {
    const port = await raw(t, (socket) => {
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      // Only when the client has said all does it answer: half of the connection is closed then.
      socket.on('end', () => socket.end(`heard ${Buffer.concat(chunks).toString()}`))
    })
    const client = tunnel(port, 'early ')
    await opened(client)
    client.socket.end('late')
    await client.closed
    assert.match(client.text(), /^HTTP\/1\.1 200 Connection established\r\n\r\nheard early late$/)
    await until('no connection', () => proxy.stats()['to_other_sites'] === 0)
  })

  it('carries large bodies both ways at once, byte for byte', async (t) => {
    const port = await raw(t, (socket) => socket.pipe(socket))
    const client = tunnel(port)
    await opened(client)
    const sent = createHash('sha1')
    const got = createHash('sha1')
    let left = 48 * MB
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk: Buffer) => got.update(chunk))
    while (left > 0) {
      const chunk = Buffer.alloc(Math.min(left, MB), left % 251)
      left -= chunk.length
      sent.update(chunk)
      if (!client.socket.write(chunk))
        await new Promise((drained) => client.socket.once('drain', drained))
    }
    client.socket.end()
    await client.closed
    assert.equal(got.digest('hex'), sent.digest('hex'))
  })

  it('holds little for a client that does not read', async (t) => {
    let written = 0
    const port = await raw(t, (socket) => {
      const chunk = Buffer.alloc(MB)
      const write = () => {
        while (written < 512 * MB && socket.write(chunk)) written += MB
        written += MB
      }
      socket.on('drain', write)
      write()
    })
    const client = tunnel(port)
    await opened(client)
    client.socket.pause()
    let before = -1
    await until('the site to be held back', () => {
      const isStill = written === before
      before = written
      return isStill
    })
    // What kernels hold on the way is theirs.
    assert.ok(written < 64 * MB, `${written}`)
    client.socket.destroy()
  })

  it('ends on both sides when one breaks', async (t) => {
    const sockets: Socket[] = []
    const port = await raw(t, (socket) => {
      socket.resume()
      sockets.push(socket)
    })
    const first = tunnel(port)
    await opened(first)
    first.socket.resetAndDestroy()
    await until('the site to hear of it', () => sockets[0]?.destroyed)
    const second = tunnel(port)
    await opened(second)
    sockets[1]?.resetAndDestroy()
    await second.closed
    await until('no connection', () => proxy.stats()['to_other_sites'] === 0)
  })

  it('ends when it moves nothing for the idle time', async (t) => {
    const port = await raw(t, () => undefined)
    const idle = await startHouse(t, { connect_ports: [port], tunnel_idle_timeout: 200 })
    idle.names.set('site.example', ['127.0.0.1'])
    const client = wire(
      idle.proxy.httpPort,
      `CONNECT site.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`,
    )
    await client.closed
    assert.match(client.text(), /^HTTP\/1\.1 200 /)
  })

  it('ends soon when one side has said all and the other is silent', async () => {
    const [client, ours] = duplexPair()
    const [theirs, site] = duplexPair()
    const done = relay(ours, theirs, { idleMs: 60_000, halfOpenMs: 100 })
    client.end('all')
    client.resume()
    site.resume()
    await done
    assert.ok(ours.destroyed && theirs.destroyed)
  })

  it('tries the other addresses of a name when the first does not answer', async (t) => {
    const port = await raw(t, (socket) => socket.pipe(socket))
    house.names.set('several.example', ['127.0.0.9', '127.0.0.8', '127.0.0.1'])
    const head = `CONNECT several.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`
    const client = wire(proxy.httpPort, `${head}echoed`)
    await until('the echo', () => client.text().endsWith('echoed'))
    client.socket.destroy()
  })

  it('carries what a site says first, before anybody asked', async (t) => {
    const port = await raw(t, (socket) => {
      socket.resume()
      socket.end('220 hello')
    })
    const client = tunnel(port)
    await until('the greeting', () => client.text().endsWith('\r\n\r\n220 hello'))
    client.socket.destroy()
  })

  it('tells a client why there is none', async () => {
    const refused: [string, number, string][] = [
      ['nowhere.example:443', 502, 'UNRESOLVED'],
      ['site.example:1', 502, 'UNREACHABLE'],
      ['10.0.0.1:443', 403, 'PRIVATE_ADDRESS'],
    ]
    for (const [target, status, code] of refused) {
      const client = wire(proxy.httpPort, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await client.closed
      assert.match(client.text(), new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*BTL_ERR_PROXY_${code}`))
    }
  })

  it('leads out of no other tunnel, and no plain request does either', async (t) => {
    const port = await startSite(t)
    const inside = (what: string) =>
      wire(proxy.httpPort, `CONNECT a.btlink:80 HTTP/1.1\r\nHost: x\r\n\r\n${what}`)
    for (const what of [
      `CONNECT site.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET http://site.example:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    ]) {
      const client = inside(what)
      await client.closed
      assert.match(client.text(), /HTTP\/1\.1 403 [\s\S]*BTL_ERR_PROXY_NESTED/)
    }
  })

  it('carries WebSocket to other sites, plain and echoed', async (t) => {
    const http = createHttpServer()
    const sockets = new WebSocketServer({ server: http })
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
    finallyDo(t, () => {
      for (const socket of sockets.clients) socket.terminate()
    })
    const port = await listen(t, http)
    // RFC 6455 §5.2: a masked text frame "hi", with a mask of zeros.
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
    const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
    const client = tunnel(
      port,
      `GET / HTTP/1.1\r\nHost: site.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n`,
    )
    await until('the upgrade', () => client.text().includes(' 101 '))
    client.socket.write(frame)
    await until('the echo', () => client.text().endsWith('\x82\x02hi'))
    client.socket.destroy()
  })
})

describe('plain requests', () => {
  it('carry large bodies both ways', async (t) => {
    const port = await startSite(t, (req, res) => void req.pipe(res))
    const folder = await tempFolder(t)
    const body = Buffer.alloc(24 * MB, 'body')
    await writeFile(join(folder, 'in'), body)
    for (const more of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const send = ['-sS', '-x', url, '--data-binary', `@${join(folder, 'in')}`, ...more]
      await output('/usr/bin/curl', [
        ...send,
        '-o',
        join(folder, 'out'),
        `http://site.example:${port}/`,
      ])
      assert.ok(body.equals(await readFile(join(folder, 'out'))))
    }
  })

  it('go over one connection of the client to several sites and to ours, in order', async (t) => {
    const port = await startSite(t, (req, res) => res.end(`site ${req.url}`))
    const { infoHash } = await house.add({ 'a.txt': 'of the torrent' })
    const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
    const { text, closed } = wire(
      proxy.httpPort,
      get(`http://site.example:${port}/1`) +
        get(`http://${infoHash}-ih.btlink/a.txt`) +
        get(`http://site.example:${port}/2`, 'Connection: close\r\n'),
    )
    await closed
    assert.match(text(), /site \/1[\s\S]*of the torrent[\s\S]*site \/2/)
  })

  it('may be HEAD, have no body, or be answered before they are whole', async (t) => {
    const port = await startSite(t, (req, res) => {
      if (req.url === '/204') res.writeHead(204).end()
      else if (req.url === '/304') res.writeHead(304, { etag: '"x"' }).end()
      else if (req.url === '/413') res.writeHead(413, { connection: 'close' }).end('too much')
      else
        res.writeHead(200, { 'content-length': 5 }).end(req.method === 'HEAD' ? undefined : 'hello')
    })
    const ask = async (path: string, method = 'GET') =>
      curl(`http://site.example:${port}${path}`, { method, more: ['-x', url] })
    assert.equal((await ask('/', 'HEAD')).headers['content-length'], '5')
    assert.equal((await ask('/204')).status, 204)
    assert.equal((await ask('/304')).headers['etag'], '"x"')
    assert.equal((await ask('/', 'DELETE')).text(), 'hello')
    assert.equal((await ask('/', 'TRACE')).status, 405)
    const head = `POST http://site.example:${port}/413 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx`
    const { text, closed } = wire(proxy.httpPort, head)
    await closed
    assert.match(text(), /^HTTP\/1\.1 413 [\s\S]*too much/)
  })
})

describe('clients of the proxy', () => {
  it('C30 outside the house are led to names only', { skip: withoutNetns() }, async (t) => {
    const port = await startSite(t)
    const lan = await startHouse(t, { address: '0.0.0.0', connect_ports: [port] })
    lan.names.set('site.example', ['127.0.0.1'])
    const { infoHash } = await lan.add({ 'a.txt': 'of the torrent' })
    const stranger = await publicNeighbour(t)
    const at = `http://${stranger.host}:${lan.proxy.httpPort}`
    const ask = async (target: string, more: string[] = []) =>
      curl(target, {
        netns: stranger.netns,
        more: ['--suppress-connect-headers', ...more, '-x', at],
      })
    assert.equal((await ask(`http://${infoHash}-ih.btlink/a.txt`)).text(), 'of the torrent')
    assert.match((await ask(`http://site.example:${port}/`)).text(), /BTL_ERR_PROXY_FOREIGN_CLIENT/)
    await assert.rejects(ask(`http://site.example:${port}/`, ['-p']), /403/)
    assert.deepEqual(lan.asked, [])
    const friends = await startHouse(t, {
      address: '0.0.0.0',
      connect_ports: [port],
      clients: [`${stranger.address}/32`],
    })
    friends.names.set('site.example', ['127.0.0.1'])
    const friendly = await curl(`http://site.example:${port}/`, {
      netns: stranger.netns,
      more: ['-x', `http://${stranger.host}:${friends.proxy.httpPort}`],
    })
    assert.equal(friendly.status, 200)
  })

  it('get only so many connections to other sites, each and together', async (t) => {
    const port = await raw(t, (socket) => socket.resume().on('end', () => socket.end()))
    const limited = await startHouse(t, {
      connect_ports: [port],
      max_tunnels: 3,
      max_tunnels_per_client: 2,
      max_connections_per_client: 6,
    })
    limited.names.set('site.example', ['127.0.0.1'])
    const open = () =>
      wire(limited.proxy.httpPort, `CONNECT site.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    const held = [open(), open()]
    for (const one of held) await opened(one)
    const third = open()
    await third.closed
    assert.match(third.text(), /^HTTP\/1\.1 429 [\s\S]*Retry-After: \d+[\s\S]*TOO_MANY_OF_CLIENT/)
    held[0]?.socket.destroy()
    await until('a free place', () => limited.proxy.stats()['to_other_sites'] === 1)
    const fourth = open()
    await opened(fourth)
    assert.match(fourth.text(), /^HTTP\/1\.1 200 /)
    // Connections that say nothing count too, and the seventh is closed at once.
    const silent = Array.from({ length: 8 }, () => wire(limited.proxy.httpPort, ''))
    await Promise.any(silent.map(({ closed }) => closed))
    for (const one of [...silent, ...held, fourth]) one.socket.destroy()
  })
})
