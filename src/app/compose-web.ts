/** The web role: the household's own surface, on the store and on what the swarm role offers. */
import { systemClock } from '../base/ports/clock.ts'
import { createGateway } from '../edges/gateway/index.ts'
import { createStore, storePaths } from '../engines/store/index.ts'
import { createLibrary } from '../services/library/index.ts'
import { createPublisher } from '../services/publish/index.ts'
import { createResolver } from '../services/resolve/index.ts'
import type { Config } from './config/schema.ts'
import { createLog } from './log-lines.ts'
import { remoteDhtNode, remoteTorrentEngine } from './roles/remote-ports.ts'
import type { ComposedRole } from './roles/role.ts'
import { createRpcClient } from './roles/rpc-client.ts'
import { createRunFolder, swarmSocket } from './run-folder.ts'
import { banner, publishWelcome } from './welcome-site.ts'

export function composeWeb(config: Config): ComposedRole {
  const log = createLog('web', config.log)
  const clock = systemClock
  const stateDir = config.state_dir
  const layout = storePaths({ ...config.storage, stateDir })

  const swarm = createRpcClient('swarm', swarmSocket(stateDir))
  const dht = remoteDhtNode(swarm)
  const engine = remoteTorrentEngine(swarm)
  const store = createStore({ log }, { ...config.storage, stateDir })
  const { torrents, sites } = store

  const resolver = createResolver({ dht, sites, clock, log }, config.btlink)
  const library = createLibrary({ engine, torrents, sites, layout, log }, config.btlink)
  const publisher = createPublisher(
    { store, engine, dht, library, clock, log },
    { publish: config.publish, uploads: config.uploads, storage: config.storage },
  )
  const gateway = createGateway(
    { resolver, library, publisher, log, clock },
    { btlink: config.btlink, proxy: config.proxy, uploads: config.uploads },
  )

  return {
    components: [createRunFolder(stateDir), store, swarm, resolver, library, publisher, gateway],
    listeners: () => Promise.resolve({ http: { port: gateway.port, transport: 'tcp' } }),
    async afterStart(signal) {
      const { tld } = config.btlink
      const welcomeHost = await publishWelcome({ keys: store.keys, sites, publisher }, tld, signal)
      return banner({ welcomeHost, tld, httpPort: gateway.port, apiPort: 0 })
    },
  }
}
