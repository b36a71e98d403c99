/** What the checks have to know of the configuration. */
import { storePaths } from '../../engines/store/index.ts'
import type { Facts } from '../../services/doctor/index.ts'
import type { Config } from '../config/schema.ts'
import { declaredPorts } from '../declared-ports.ts'
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
    ports: declaredPorts(config),
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
    mapsPort: config.swarm.map_port,
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
