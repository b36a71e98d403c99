/**
 * One WebSocket tracker in a process of its own, for bench/tracker-socket.ts.
 *
 *   node --expose-gc bench/tracker-socket-server.ts btlinkd|bittorrent-tracker
 *
 * Prints `{port}`; each line on stdin is answered by `{cpuMs, rss, peers}`.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import Server from 'bittorrent-tracker/server'
import { systemClock } from '../src/base/ports/clock.ts'
import { silentLog } from '../src/base/ports/log.ts'
import { createSocketTracker } from '../src/edges/tracker/socket-tracker.ts'
import { SOCKET_CONFIG } from '../test/edges/tracker/socket-harness.ts'

interface Running {
  port: number
  peers(): number
}

async function own(): Promise<Running> {
  const tracker = createSocketTracker(
    {
      box: {
        holds: () => undefined,
        peerPort: () => 0,
        answerOffer: async () => undefined,
        meet: () => undefined,
      },
      allowed: () => true,
      addressPeers: () => ({ complete: 0, incomplete: 0, downloaded: 0 }),
      completed: () => undefined,
      clientAddress: (req) => req.socket.remoteAddress ?? '',
      log: silentLog,
      clock: systemClock,
    },
    {
      ...SOCKET_CONFIG,
      max_sockets: 10_000,
      max_sockets_per_address: 10_000,
      // All comes from one address, and is meant to be as much as it can be: the budget is kept, but large.
      max_peers_per_address: 1_000_000,
      requests_per_second: 100_000_000,
      burst: 100_000_000,
    },
  )
  const server = createServer()
  server.on('upgrade', (req, socket, head) => tracker.upgrade(req, socket, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    peers: () => tracker.stats()['socket_peers'] ?? 0,
  }
}

async function foreign(): Promise<Running> {
  const server = new Server({ http: true, udp: false, ws: true, stats: false })
  server.on('error', () => {})
  server.on('warning', () => {})
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.http?.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    peers: () =>
      Object.values(server.torrents).reduce(
        (sum, { complete, incomplete }) => sum + complete + incomplete,
        0,
      ),
  }
}

const running = process.argv[2] === 'btlinkd' ? await own() : await foreign()
console.log(JSON.stringify({ port: running.port }))
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line.startsWith('gc')) globalThis.gc?.()
    const { user, system } = process.cpuUsage()
    const { rss } = process.memoryUsage()
    console.log(
      JSON.stringify({ cpuMs: (user + system) / 1000, rss, peers: running.peers(), asked: line }),
    )
  })
  .on('close', () => process.exit())
