/** The ports as other roles hold them keep what the ports promise: the same suites, over a socket. */
import { join } from 'node:path'
import {
  offerSwarmPorts,
  remoteDhtNode,
  remoteTorrentEngine,
} from '../../../src/app/roles/remote-ports.ts'
import { createRpcClient } from '../../../src/app/roles/rpc-client.ts'
import { createRpcServer } from '../../../src/app/roles/rpc-server.ts'
import type { DhtNode } from '../../../src/base/ports/dht-node.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { TorrentEngine } from '../../../src/base/ports/torrent-engine.ts'
import { complyAsDhtNode } from '../../compliance/dht-node.ts'
import { complyAsTorrentEngine } from '../../compliance/torrent-engine.ts'
import { startNetwork } from '../../engines/dht/network.ts'
import { loopback, startEngine } from '../../engines/torrent/support.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

interface Ports {
  dht: DhtNode
  torrent: TorrentEngine
}

// A suite about one port never calls the other.
const absent = undefined as unknown

/** The far end of a socket whose near end has `local`. */
async function farEnd(
  folder: string,
  local: Partial<Ports>,
): Promise<Ports & { stop(): Promise<void> }> {
  const path = join(folder, 'role.sock')
  const ports = { dht: absent, torrent: absent, ...local } as Ports
  const server = createRpcServer(path, offerSwarmPorts(ports), silentLog)
  await server.start(new AbortController().signal)
  const client = createRpcClient('swarm', path)
  return {
    dht: remoteDhtNode(client),
    torrent: remoteTorrentEngine(client),
    async stop() {
      await client.stop()
      await server.stop()
    },
  }
}

complyAsDhtNode('the remote DHT node', async () => {
  const network = await startNetwork(4)
  const cleanups: (() => unknown)[] = []
  const t: Cleanup = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) }
  const nodes: DhtNode[] = []
  for (const { node } of network.nodes) {
    const far = await farEnd(await tempFolder(t, 'rpc'), { dht: node })
    cleanups.push(() => far.stop())
    nodes.push(far.dht)
  }
  const [a, b, ...rest] = nodes
  if (!a || !b) throw new Error('a network needs two nodes')
  return {
    nodes: [a, b, ...rest],
    async stop() {
      for (const cleanup of cleanups.toReversed()) await cleanup()
      await network.stop()
    },
  }
})

complyAsTorrentEngine('the remote torrent engine', async (t) => {
  const { engine, layout, port } = await startEngine(t)
  const far = await farEnd(await tempFolder(t, 'rpc'), { torrent: engine })
  t.after(() => far.stop())
  return { engine: far.torrent, layout, hints: loopback(port) }
})
