/** The swarm role: what speaks with strangers, offered to the other roles over a socket. */
import { join } from 'node:path'
import { systemClock } from '../base/ports/clock.ts'
import type { WebRtc } from '../base/ports/web-rtc.ts'
import { createDhtNode, createNoDht } from '../engines/dht/index.ts'
import { storePaths } from '../engines/store/index.ts'
import { createTorrentEngine } from '../engines/torrent/index.ts'
import type { Config } from './config/schema.ts'
import { createLog } from './log-lines.ts'
import { offerPorts } from './roles/remote-ports.ts'
import type { ComposedRole } from './roles/composed-role.ts'
import { createRpcServer } from './roles/rpc-server.ts'
import { createRunFolder, swarmSocket } from './run-folder.ts'

const noWebRtc: WebRtc = {
  name: 'webrtc',
  start: async () => {},
  stop: async () => {},
  health: () => ({ status: 'ok', score: 100 }),
  answer: async () => Promise.reject(new Error('there is no WebRTC in this build')),
  offer: async () => [],
  accept: async () => {},
  close() {},
  onChannel() {},
  stats: () => ({}),
}

export function composeSwarm(config: Config): ComposedRole {
  const log = createLog('swarm', config.log)
  const clock = systemClock
  const layout = storePaths({ ...config.storage, stateDir: config.state_dir })
  const statePath = join(config.state_dir, 'dht')
  const dht = config.dht.enabled
    ? createDhtNode({ log, clock, statePath }, config.dht)
    : createNoDht()
  const { announce_interval } = config.dht
  const torrent = createTorrentEngine(
    { dht, webrtc: noWebRtc, layout, log, clock },
    { ...config.swarm, announce_interval },
  )
  const rpc = createRpcServer(swarmSocket(config.state_dir), offerPorts({ dht, torrent }), log)

  return {
    components: [createRunFolder(config.state_dir, 'swarm'), dht, torrent, rpc],
    async listeners() {
      const [info, peers] = await Promise.all([dht.info(), torrent.listening()])
      return {
        dht: { port: info.port, transport: 'udp' },
        swarm: { port: peers.port, transport: 'tcp' },
      }
    },
  }
}
