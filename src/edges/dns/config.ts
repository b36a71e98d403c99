/** The `dns` section of the configuration: the house's resolver. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, size, text, texts } from '../../base/config-schema.ts'

const SECOND = 1000
const MB = 1024 * 1024

export const dnsConfigSchema = Type.Object(
  {
    enabled: flag(true, 'Answer DNS questions of the house.'),
    port: port(5300, 'UDP and TCP port of the resolver.'),
    listen: texts(
      ['auto'],
      'Addresses to answer at; auto: loopback and every private address of this machine, as they come and go.',
    ),
    allow: texts(
      [],
      'Networks that are answered besides private ones and those this machine is directly connected to.',
    ),
    max_rate: count(50, 'Questions a second that one client may ask for long.', {
      minimum: 1,
      maximum: 1_000_000,
    }),
    burst: count(200, 'Questions that one client may ask at once.', {
      minimum: 1,
      maximum: 1_000_000,
    }),
    cache_size: size(16 * MB, 'Answers kept in memory.', { minimum: 64 * 1024 }),
    max_ttl: duration(86_400 * SECOND, 'Longest time an answer counts as fresh.', {
      minimum: SECOND,
    }),
    stale_for: duration(
      86_400 * SECOND,
      'How long an answer may be given after its time when no server can be reached; 0: never.',
    ),
    discard_after: duration(
      1.9 * SECOND,
      'Answers over UDP that took longer are not sent: the client has asked again.',
      { minimum: 100 },
    ),
    records: texts(
      [],
      'Names of the house and their addresses or texts: nas.lan=192.168.1.5, example.org=TXT words.',
    ),
    link_records: texts(
      [],
      'Sites of ordinary domains, as domain=magnet or domain=btlink name: answered at _btlink.domain.',
    ),
    link_check: flag(
      false,
      'Answer <domain>._btlink.<tld> with our address where the domain has a site: for proxy scripts.',
    ),
    intercept_links: flag(
      false,
      'Answer with our address for every ordinary domain that has a site, which costs a second question for each domain; https then works for those that a root certificate of the box vouches for, and for no other.',
    ),
    local_domains: texts(
      ['lan', 'home', 'localdomain', 'home.arpa', 'internal'],
      'Domains of the house: never asked of the internet.',
    ),
    wpad: flag(
      false,
      'Answer wpad with our address, so that browsers find the proxy by themselves.',
    ),
    canaries: flag(
      true,
      'Tell browsers and phones that ask that this network has a resolver of its own.',
    ),
    block_private: flag(
      true,
      'Take private addresses out of answers from the internet: they are how a web page reaches into a house.',
    ),
    allow_private: texts([], 'Domains whose answers may have private addresses.'),
    max_connections: count(100, 'TCP connections at the same time.', {
      minimum: 1,
      maximum: 10_000,
    }),
    max_connections_per_client: count(20, 'TCP connections of one client at the same time.', {
      minimum: 1,
      maximum: 10_000,
    }),
    idle_timeout: duration(10 * SECOND, 'How long a TCP connection may be without a question.', {
      minimum: 100,
      maximum: 600 * SECOND,
    }),
    front: texts(
      [],
      'Resolvers in front of this one, as address@port: 127.0.0.1@53 is an unbound on this machine. They may copy the zone of local records, and are told when it changes.',
    ),
    house_addresses: texts(
      ['auto'],
      'Addresses of this box that clients of a resolver in front are given; auto: those of its first private network.',
    ),
    hostname: text(
      '',
      'What NS and SOA records call this box; empty: ns below the top-level domain.',
    ),
  },
  { additionalProperties: false },
)

export type DnsConfig = Static<typeof dnsConfigSchema>
