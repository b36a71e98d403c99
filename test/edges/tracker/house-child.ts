/** A tracker whose box has port 42000, for a namespace of its own; prints its ports as JSON. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createTracker } from '../../../src/edges/tracker/index.ts'
import { trackerConfig } from './tracker-config.ts'

const tracker = createTracker(
  {
    box: {
      holds: () => 'part',
      peerPort: () => 42_000,
      answerOffer: async () => Promise.resolve(undefined),
      meet: (_hash, peers) => console.log(JSON.stringify({ met: peers })),
    },
    log: silentLog,
    clock: systemClock,
    statePath: process.argv[2] ?? '',
  },
  trackerConfig(),
)
await tracker.start(new AbortController().signal)
const server = createServer((req, res) => {
  if (!tracker.answer(req, res)) res.writeHead(404).end()
})
server.listen(0, '::')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
console.log(JSON.stringify({ http: port, udp: tracker.udpPort }))
process.stdin.on('end', () => process.exit()).resume()
