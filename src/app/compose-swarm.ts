/** The swarm role: what speaks with strangers, offered to the other roles over a socket. */
import { join } from 'node:path'
import { steadyClock, systemClock } from '../base/ports/clock.ts'
import { createDhtNode, createNoDht } from '../engines/dht/index.ts'
import { storePaths } from '../engines/store/index.ts'
import { createTorrentEngine } from '../engines/torrent/index.ts'
import { createWebRtc } from '../engines/webrtc/index.ts'
import type { Config } from './config/schema.ts'
import { createLog } from './log-lines.ts'
import { offerSwarmPorts } from './roles/remote-ports.ts'
import type { ComposedRole } from './roles/composed-role.ts'
import { createRpcClient } from './roles/rpc-client.ts'
import { createRpcServer } from './roles/rpc-server.ts'
import { createRunFolder, roleFolder, swarmSocket } from './run-folder.ts'

export function composeSwarm(config: Config): ComposedRole {
  const log = createLog('swarm', config.log)
  const clock = systemClock
  const layout = storePaths({ ...config.storage, stateDir: config.state_dir })
  const statePath = join(config.state_dir, 'dht')
  const dht = config.dht.enabled
    ? createDhtNode({ log, clock, statePath }, config.dht)
    : createNoDht()
  const { announce_interval } = config.dht
  const runDir = roleFolder(config.state_dir, 'swarm')
  const webrtc = createWebRtc({ log, clock: steadyClock, runDir }, config.webrtc)
  const torrent = createTorrentEngine(
    { dht, webrtc, layout, log, clock },
    { ...config.swarm, announce_interval },
  )
  const rpc = createRpcServer(swarmSocket(config.state_dir), offerSwarmPorts({ dht, torrent }), log)
  const self = createRpcClient('swarm', swarmSocket(config.state_dir))

  return {
    components: [createRunFolder(config.state_dir, 'swarm'), dht, webrtc, torrent, rpc, self],
    async listeners() {
      const [info, peers] = await Promise.all([dht.info(), torrent.listening()])
      return {
        dht: { port: info.port, transport: 'udp' },
        swarm: { port: peers.port, transport: 'tcp' },
      }
    },
    async ask(signal) {
      await self.call('torrent.listening', [signal])
    },
    async status() {
      const [{ nodes4, nodes6 }, { port, stats }] = await Promise.all([
        dht.info(),
        torrent.listening(),
      ])
      const { torrents = 0, connections = 0 } = stats
      return `${torrents} torrents, ${connections} peers at port ${port}, ${nodes4 + nodes6} DHT nodes`
    },
  }
}
