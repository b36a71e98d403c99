/** One tracker in a process of its own, for bench/tracker.ts: ours, or the server of bittorrent-tracker. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trackerConfig } from '../test/edges/tracker/tracker-config.ts'

export interface Ports {
  udp: number
  http: number
}

async function ours(): Promise<Ports> {
  const { createTracker } = await import('../src/edges/tracker/index.ts')
  const { silentLog } = await import('../src/base/ports/log.ts')
  const { systemClock } = await import('../src/base/ports/clock.ts')
  const statePath = await mkdtemp(join(tmpdir(), 'btl-bench-tracker-'))
  process.on('exit', () => void rm(statePath, { recursive: true, force: true }))
  const tracker = createTracker(
    {
      box: {
        holds: () => undefined,
        peerPort: () => 0,
        answerOffer: async () => Promise.resolve(undefined),
        meet: () => undefined,
      },
      log: silentLog,
      clock: systemClock,
      statePath,
    },
    trackerConfig({ access: 'open', requests_per_second: 0, max_peers_per_address: 0 }),
  )
  await tracker.start(new AbortController().signal)
  const server = createServer((req, res) => {
    if (!tracker.answer(req, res)) res.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { udp: tracker.udpPort, http: (server.address() as AddressInfo).port }
}

async function theirs(): Promise<Ports> {
  const { Server } = (await import('bittorrent-tracker')) as unknown as {
    Server: new (
      options: object,
    ) => {
      listen(port: number, done: () => void): void
      on(event: string, heard: () => void): void
      udp: { address(): AddressInfo }
      http: { address(): AddressInfo }
    }
  }
  const server = new Server({ udp: true, http: true, ws: false, stats: false })
  for (const event of ['error', 'warning']) server.on(event, () => undefined)
  await new Promise<void>((done) => {
    server.listen(0, done)
  })
  return { udp: server.udp.address().port, http: server.http.address().port }
}

process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ rss: process.memoryUsage().rss })
})
process.send?.(await (process.argv[2] === 'ours' ? ours() : theirs()))
// Whoever started it is gone.
process.on('disconnect', () => process.exit())
