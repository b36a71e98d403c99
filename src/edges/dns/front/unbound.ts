/**
 * The configuration of unbound in front of this resolver, for Debian's `/etc/unbound/unbound.conf.d/`:
 * unbound answers the house, asks the internet and validates; names of content it asks us for, and the
 * household's records it has a copy of.
 */
import type { DnsConfig } from '../config.ts'
import { DnsBadFront } from '../errors.ts'
import { CANARIES } from '../handlers/special-names.ts'
import { NOT_OF_THE_INTERNET } from '../networks.ts'
import type { FrontPlan, FrontServer } from './plan.ts'

export interface UnboundOptions {
  /** Addresses it answers at; none: every address of the machine, as they come and go. */
  interfaces: readonly string[]
  /** Its copy of our zone: what it starts with while we are away. */
  zoneFile: string
}

/** What its built-in zones lack (RFC 6762, 9476); for the rest it needs no word. */
const SPECIAL = ['local', 'alt']
/**
 * A clock that stands in 1970 takes every signature for one of the future. Time servers must be found
 * all the same, or it will never be set.
 */
const UNSIGNED = ['ntp.org']
const MAPPED = '::ffff:0:0/96'
const CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const seconds = (ms: number) => Math.floor(ms / 1000)

/** @throws DnsBadFront where unbound cannot ask these servers */
function forwardZone(zone: string, servers: readonly FrontServer[]): string[] {
  const [first] = servers
  const transport = first?.transport
  for (const { text, transport: own, address } of servers) {
    if (own === 'https') throw new DnsBadFront(text, 'cannot be asked by unbound: use tls://')
    if (own !== transport) throw new DnsBadFront(text, 'cannot be mixed with others by unbound')
    if (address === undefined) throw new DnsBadFront(text, 'needs its address behind # for unbound')
  }
  return [
    'forward-zone:',
    `  name: "${zone}."`,
    ...(transport === 'tls' ? ['  forward-tls-upstream: yes'] : []),
    ...(transport === 'tcp' ? ['  forward-tcp-upstream: yes'] : []),
    ...servers.map(({ address, port, name, transport: own }) => {
      const certificate = own === 'tls' && name !== undefined ? `#${name}` : ''
      return `  forward-addr: ${address}@${port}${certificate}`
    }),
    '',
  ]
}

const limits = (config: DnsConfig): string[] => [
  '  # Strangers get no byte, and nobody a large one.',
  '  max-udp-size: 1232',
  '  edns-buffer-size: 1232',
  '  deny-any: yes',
  '  minimal-responses: yes',
  // A window of a second, without anything saved up: what a client may ask at once.
  `  ip-ratelimit: ${config.burst}`,
  '  ip-ratelimit-factor: 0',
  `  incoming-num-tcp: ${config.max_connections}`,
  `  tcp-connection-limit: 0.0.0.0/0 ${config.max_connections_per_client}`,
  `  tcp-connection-limit: ::/0 ${config.max_connections_per_client}`,
  `  tcp-idle-timeout: ${config.idle_timeout}`,
  '  unwanted-reply-threshold: 10000000',
]

const memory = (config: DnsConfig): string[] => [
  `  msg-cache-size: ${Math.floor(config.cache_size / 3)}`,
  `  rrset-cache-size: ${Math.floor((config.cache_size * 2) / 3)}`,
  `  cache-max-ttl: ${seconds(config.max_ttl)}`,
  '  cache-max-negative-ttl: 3600',
  '  prefetch: yes',
  ...(config.stale_for === 0
    ? ['  serve-expired: no']
    : [
        '  serve-expired: yes',
        `  serve-expired-ttl: ${seconds(config.stale_for)}`,
        '  serve-expired-client-timeout: 1800',
        '  serve-expired-reply-ttl: 30',
        '  ede-serve-expired: yes',
      ]),
]

const SAFETY = [
  '  ede: yes',
  '  hide-identity: yes',
  '  hide-version: yes',
  '  hide-trustanchor: yes',
  '  harden-short-bufsize: yes',
  '  harden-large-queries: yes',
  '  use-caps-for-id: yes',
  '  qname-minimisation: yes',
  '  # Our authority is on this machine.',
  '  do-not-query-localhost: no',
  '  # One that comes back is asked again at once.',
  '  infra-keep-probing: yes',
  '  infra-host-ttl: 60',
  '  infra-cache-max-rtt: 2000',
  '  # Clients wait five seconds: better a failure before that than none.',
  '  outbound-msg-retry: 3',
]

/** @throws DnsBadFront */
export function unboundFront(plan: FrontPlan, config: DnsConfig, options: UnboundOptions): string {
  const { authority, ours, servers, routes } = plan
  const asked = `${authority.address}@${authority.port}`
  const soa = 'SOA localhost. nobody.invalid. 1 3600 1200 604800 60'
  const everywhere = ['  interface: 0.0.0.0', '  interface: ::0', '  interface-automatic: yes']
  const isBlocking = config.block_private
  const usesTls = [servers, ...routes.map((route) => route.servers)].some((list) =>
    list.some(({ transport }) => transport === 'tls'),
  )
  return [
    '# unbound in front of btlinkd, made by: btlinkd dns front unbound',
    '# To be made again when the sections dns or upstream of btlinkd.yaml change.',
    'server:',
    // A policy zone needs respip.
    '  module-config: "respip validator iterator"',
    `  port: ${plan.port}`,
    ...(options.interfaces.length === 0
      ? everywhere
      : options.interfaces.map((one) => `  interface: ${one}`)),
    '  access-control: 0.0.0.0/0 deny',
    '  access-control: ::/0 deny',
    ...plan.networks.map((network) => `  access-control: ${network} allow`),
    ...limits(config),
    ...memory(config),
    ...SAFETY,
    ...(usesTls ? [`  tls-cert-bundle: "${CA_BUNDLE}"`] : []),
    '  # Names that lead into the house are no names of the internet.',
    ...(isBlocking
      ? [...NOT_OF_THE_INTERNET, MAPPED].map((network) => `  private-address: ${network}`)
      : []),
    ...plan.mayBePrivate.map((domain) => `  private-domain: "${domain}."`),
    '  # No signature of the root vouches for these.',
    ...[...ours, ...routes.map(({ zone }) => zone), ...UNSIGNED].map(
      (domain) => `  domain-insecure: "${domain}."`,
    ),
    '  # Names that must not leave the house; those of private networks are built in.',
    ...SPECIAL.filter((domain) => !ours.includes(domain)).flatMap((domain) => [
      `  local-zone: "${domain}." static`,
      `  local-data: "${domain}. 60 IN ${soa}"`,
    ]),
    '  local-zone: "resolver.arpa." always_nodata',
    // What is built in comes before our zone and before routes, unless it is told to look on.
    ...[...ours.slice(1), ...routes.map(({ zone }) => zone), ...plan.writtenAndSpecial].map(
      (domain) => `  local-zone: "${domain}." transparent`,
    ),
    '',
    `# ${config.records.length + config.link_records.length} records of the household${config.canaries ? `, and ${CANARIES.length} canaries` : ''}: answered also while btlinkd is away.`,
    'rpz:',
    `  name: "${plan.policyZone}."`,
    `  primary: ${asked}`,
    `  zonefile: "${options.zoneFile}"`,
    '  # btlinkd asks which serial is held: it keeps none.',
    '  for-downstream: yes',
    '',
    ...ours.flatMap((domain) => [
      'stub-zone:',
      `  name: "${domain}."`,
      `  stub-addr: ${asked}`,
      '',
    ]),
    ...routes.flatMap((route) => forwardZone(route.zone, route.servers)),
    ...(servers.length === 0 ? [] : forwardZone('', servers)),
  ].join('\n')
}
