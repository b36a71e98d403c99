/** What the checks have to know of the configuration. */
import { storePaths } from '../../engines/store/index.ts'
import type { Facts, WantedPort } from '../../services/doctor/index.ts'
import type { Config } from '../config/schema.ts'
import { rolesOf } from '../serve-args.ts'

export interface Source {
  /** The file that was read. */
  file: string | undefined
  mistakes: readonly string[]
  isValidConfig: Facts['isValidConfig']
}

const DNS_PORT = 53
/** An address with or without a port, as `upstream.servers` has them. */
const SERVER =
  /^(?:\[([0-9a-f:]+)\]|([0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*)|(\d+\.\d+\.\d+\.\d+))(?::(\d+))?$/i

function upstreamOf(text: string): Facts['upstreams'][number] {
  const [, bracketed, bare, v4, port] = SERVER.exec(text.trim()) ?? []
  return { text, address: bracketed ?? bare ?? v4, port: Number(port ?? DNS_PORT) }
}

function wantedPorts(config: Config): WantedPort[] {
  const { dns, proxy, gateway, dht, swarm, tracker } = config
  const roles = rolesOf(config)
  const web: WantedPort[] = [
    { key: 'proxy.http_port', listener: 'http', port: proxy.http_port, transports: ['tcp'] },
    { key: 'proxy.https_port', listener: 'https', port: proxy.https_port, transports: ['tcp'] },
    {
      key: 'gateway.port',
      listener: 'gateway',
      port: gateway.enabled ? gateway.port : 0,
      transports: ['tcp'],
    },
    {
      key: 'tracker.udp_port',
      listener: 'tracker',
      port: tracker.enabled ? tracker.udp_port : 0,
      transports: ['udp'],
    },
  ]
  return [
    ...(roles.includes('dns')
      ? [
          {
            key: 'dns.port',
            listener: 'dns',
            port: dns.port,
            transports: ['udp', 'tcp'],
          } satisfies WantedPort,
        ]
      : []),
    ...(roles.includes('web') ? web : []),
    ...(roles.includes('swarm')
      ? ([
          {
            key: 'dht.port',
            listener: 'dht',
            port: dht.enabled ? dht.port : 0,
            transports: ['udp'],
          },
          { key: 'swarm.port', listener: 'swarm', port: swarm.port, transports: ['tcp'] },
        ] satisfies WantedPort[])
      : []),
  ]
}

export function factsOf(config: Config, { file, mistakes, isValidConfig }: Source): Facts {
  const { dns, dht, acme, state_dir: stateDir } = config
  const paths = storePaths({ ...config.storage, stateDir })
  const hasFront = rolesOf(config).includes('dns') && dns.front.length > 0
  return {
    stateDir,
    configFile: file,
    mistakes,
    isValidConfig,
    tld: config.btlink.tld,
    roles: rolesOf(config),
    ports: wantedPorts(config),
    ...paths,
    diskLow: config.health.disk_low,
    dns: {
      enabled: rolesOf(config).includes('dns'),
      wpad: dns.wpad,
      blockPrivate: dns.block_private,
      front: dns.front,
      listen: dns.listen,
    },
    upstreams: config.upstream.servers.map(upstreamOf),
    dht: { enabled: dht.enabled, isAlone: dht.bootstrap_nodes.length === 0 },
    acme: acme.directory !== '' && acme.terms_agreed,
    // The parts of DNS are only loaded where there is such a resolver.
    front: hasFront
      ? async (written) => (await import('../dns-front.ts')).unboundTextLike(config, written)
      : undefined,
  }
}

/** The file that this daemon was started on, by its own arguments. */
export function configFileOf(argv: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const at = argv.indexOf('--config')
  return (at >= 0 ? argv[at + 1] : undefined) ?? env['BTLINKD_CONFIG']
}
