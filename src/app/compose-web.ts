/** The web role: the household's own surface, on the store and on what the swarm role offers. */
import { join } from 'node:path'
import { steadyClock, systemClock } from '../base/ports/clock.ts'
import { createApi } from '../edges/api/index.ts'
import { createGateway } from '../edges/gateway/index.ts'
import { createTracker } from '../edges/tracker/index.ts'
import { createHouseClock } from '../engines/clock/index.ts'
import { createStore, storePaths } from '../engines/store/index.ts'
import { createDiskPart, createHealth } from '../services/health/index.ts'
import { createLibrary } from '../services/library/index.ts'
import { createLinks } from '../services/links/index.ts'
import { createPublisher } from '../services/publish/index.ts'
import { createResolver } from '../services/resolve/index.ts'
import { createHoldings } from '../services/swarm/index.ts'
import { announceHost, secureAnnounceUrls } from './announce-urls.ts'
import { createPatrol } from './doctor/patrol.ts'
import { composeDoor } from './door.ts'
import type { Config } from './config/schema.ts'
import { composeNames, linksOptions } from './house-names.ts'
import { createLog } from './log-lines.ts'
import { remoteDhtNode, remoteTorrentEngine } from './roles/remote-ports.ts'
import type { ComposedRole } from './roles/composed-role.ts'
import type { GivenSockets } from './roles/given-sockets.ts'
import { readListeners } from './roles/listeners.ts'
import { createRpcClient } from './roles/rpc-client.ts'
import { askUnix } from './roles/self-query.ts'
import { adminSocket, createRunFolder, swarmSocket } from './run-folder.ts'
import { packageFile, version } from './version.ts'
import { banner, publishWelcome } from './welcome-site.ts'

/** Beyond this our own door is full. */
const DOOR_MS = 3000

export function composeWeb(config: Config, given: GivenSockets): ComposedRole {
  const log = createLog('web', config.log)
  const stateDir = config.state_dir
  const houseClock = createHouseClock({
    clock: systemClock,
    log,
    file: join(stateDir, 'clock'),
    builtFile: packageFile,
  })
  const clock = houseClock.time
  const layout = storePaths({ ...config.storage, stateDir })

  // Three sections of the seed's file bound an upload: the smallest holds.
  const uploads = {
    ...config.uploads,
    max_size: Math.min(
      config.uploads.max_size,
      config.gateway.max_upload_size,
      config.rate_limiting.upload.max_file_size,
    ),
  }

  const swarm = createRpcClient('swarm', swarmSocket(stateDir))
  const dht = remoteDhtNode(swarm)
  const holdings = createHoldings({ engine: remoteTorrentEngine(swarm), log })
  const { engine } = holdings
  const store = createStore({ log }, { ...config.storage, stateDir })
  const { torrents, sites } = store

  const resolver = createResolver({ dht, sites, clock, log }, config.btlink)
  const library = createLibrary({ engine, torrents, sites, layout, log }, config.btlink)
  const publisher = createPublisher(
    { store, engine, dht, library, clock, log, ownFolders: [stateDir] },
    { publish: config.publish, uploads, storage: config.storage },
  )
  const tracker = createTracker(
    {
      box: {
        holds: (infoHash) => holdings.holds(infoHash),
        peerPort: () => holdings.peerPort(),
        answerOffer: (infoHash, offer, signal) => engine.answerOffer(infoHash, offer, signal),
        // Whoever is not introduced now announces again.
        meet: (infoHash, peers) => void engine.meet(infoHash, peers).catch(() => {}),
      },
      log,
      clock,
      statePath: join(stateDir, 'tracker'),
    },
    config.tracker,
  )
  const announceUrls = (localAddress: string | undefined): string[] =>
    tracker.announceUrls(announceHost(localAddress, config.gateway.address), api.port)
  const names = composeNames(config, log)
  const links = createLinks({ upstream: names, clock: steadyClock, log }, linksOptions(config))
  const gateway = createGateway(
    {
      resolver,
      library,
      publisher,
      links,
      log,
      clock: steadyClock,
      announceUrls: (connection) => {
        const urls = announceUrls(connection.localAddress)
        // None where the tracker is switched off.
        return urls.concat(
          urls.length > 0 ? secureAnnounceUrls(connection, config.btlink.tld, proxy.httpsPort) : [],
        )
      },
    },
    { btlink: config.btlink, uploads },
  )
  const { acme, pki, proxy, setup, ...door } = composeDoor(
    {
      log,
      clock,
      names,
      links,
      dns: () => names.endpoints(),
      serve: (req, res) => gateway.server.emit('request', req, res),
      upgrade: (req, socket, head) => tracker.upgrade(req, socket, head),
    },
    config,
    given,
  )

  const disk = createDiskPart({ folder: stateDir }, config.health)
  const health = createHealth(
    {
      parts: [
        houseClock,
        store,
        disk,
        dht,
        engine,
        gateway,
        tracker,
        resolver,
        library,
        publisher,
      ].concat(proxy, pki, acme, links, names.parts),
      clock,
    },
    config.health,
  )
  const patrol = createPatrol({ log, database: store.care }, config)
  const api = createApi(
    {
      store,
      resolver,
      publisher,
      dht,
      engine,
      pki,
      links,
      dns: names.house,
      health,
      doctor: patrol,
      clock: houseClock,
      async stats() {
        const [node, peers, dns] = await Promise.allSettled([
          dht.info(),
          engine.listening(),
          names.stats(),
        ])
        return {
          gateway: gateway.stats(),
          resolve: resolver.stats(),
          library: library.stats(),
          publish: publisher.stats(),
          api: api.stats(),
          tracker: tracker.stats(),
          proxy: proxy.stats(),
          pki: pki.stats(),
          links: links.stats(),
          acme: acme.stats(),
          setup: setup.stats(),
          doctor: patrol.stats(),
          clock: houseClock.stats(),
          ...(dns.status === 'fulfilled' && dns.value),
          ...(node.status === 'fulfilled' && { dht: node.value.stats }),
          ...(peers.status === 'fulfilled' && { torrent: peers.value.stats }),
        }
      },
      listeners: () => readListeners(stateDir),
      tracker,
      announceUrls,
      isHouse: (address) => door.isHouse(address),
      log,
    },
    {
      gateway: config.gateway,
      tld: config.btlink.tld,
      requestHeaders: config.log.request_headers,
      adminSocket: adminSocket(stateDir),
      maxSockets: config.tracker.enabled ? config.tracker.max_sockets : 0,
      mode: config.mode,
      version: version(),
    },
  )

  return {
    components: [
      createRunFolder(stateDir, 'web'),
      houseClock,
      store,
      // Its open questions end with the connection that carries them.
      holdings,
      swarm,
      resolver,
      library,
      publisher,
      gateway,
      tracker,
      ...names.components,
      links,
      pki,
      proxy,
      // The authority asks at the proxy's door.
      acme,
      api,
      // It asks over the API's own socket.
      patrol,
    ],
    async listeners() {
      return {
        ...door.listeners(),
        ...(api.port > 0 && { gateway: { port: api.port, transport: 'tcp' } }),
        ...(tracker.udpPort > 0 && { tracker: { port: tracker.udpPort, transport: 'udp' } }),
      }
    },
    async ask(signal) {
      const half = AbortSignal.timeout(DOOR_MS)
      // Clients may have taken every place at the door, which is no reason to end them all.
      await door
        .ask(AbortSignal.any([signal, half]))
        .catch(() => askUnix(adminSocket(stateDir), '/api/health', signal))
    },
    status: () => `${door.status()}, ${api.port > 0 ? `API at port ${api.port}` : 'no API'}`,
    async afterStart(signal) {
      const { tld } = config.btlink
      const welcomeHost = await publishWelcome(
        { keys: store.keys, sites, publisher, log },
        tld,
        signal,
      )
      return banner({
        welcomeHost,
        tld,
        httpPort: proxy.httpPort,
        dns: await names.endpoints(),
        apiPort: api.port,
        trackers: announceUrls(undefined),
      })
    },
  }
}
