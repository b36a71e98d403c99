/** The `tracker` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, texts } from '../../base/config-schema.ts'

// A name, or an address without a port: the URLs in magnets bring their own.
const NAME = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const IPV6 = '(?!.*:::)(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}'
const HOST = `^(?:${NAME}(?:[.]${NAME})*|${IPV6}|\\[${IPV6}\\])$`
// As browsers write it: without a path, and without a slash at the end.
const ORIGIN = '^https?://[^/\\s]+$'
const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

export const trackerConfigSchema = Type.Object(
  {
    enabled: flag(true, 'Run a BitTorrent tracker.'),
    udp: flag(true, 'Answer over UDP as well (BEP 15).'),
    udp_port: port(6969, 'UDP port of the tracker.'),
    announce_interval: duration(30 * MINUTE, 'How often clients are asked to announce.', {
      minimum: SECOND,
      maximum: DAY,
    }),
    min_interval: duration(15 * MINUTE, 'How often clients may announce.', {
      minimum: SECOND,
      maximum: DAY,
    }),
    default_numwant: count(50, 'Peers returned where the client names no number.', {
      maximum: 1000,
    }),
    max_numwant: count(100, 'Peers returned at most.', { maximum: 1000 }),
    access: Type.Union([Type.Literal('own'), Type.Literal('list'), Type.Literal('open')], {
      default: 'own',
      description:
        'Which torrents are tracked: those of the box, those and the `allowed` ones, or anybody’s.',
    }),
    allowed: Type.Array(
      Type.String({ pattern: '^[0-9a-fA-F]{40}$', shape: 'an infohash of 40 hex digits' }),
      {
        default: [],
        maxItems: 100_000,
        description: 'Infohashes tracked besides those of the box, with `access: list`.',
      },
    ),
    public_hosts: Type.Array(
      Type.String({
        maxLength: 253,
        pattern: HOST,
        shape: 'a host name or address without a port',
      }),
      {
        default: [],
        maxItems: 16,
        description:
          'Host names or addresses others reach the tracker by, for magnets and torrents; those in the house need none.',
      },
    ),
    trusted_proxies: texts(
      [],
      'Addresses or networks whose X-Forwarded-For is believed in announces over HTTP.',
    ),
    max_torrents: count(100_000, 'Torrents tracked at the same time.', {
      minimum: 1,
      maximum: 1_000_000,
    }),
    max_peers: count(200_000, 'Peers known at the same time.', { minimum: 1, maximum: 2_000_000 }),
    max_peers_per_torrent: count(5000, 'Peers known of one torrent.', {
      minimum: 1,
      maximum: 100_000,
    }),
    max_peers_per_address: count(
      2000,
      'Peers, each one torrent, known of one IPv4 address or IPv6 /64; 0 for any number.',
    ),
    requests_per_second: count(
      50,
      'Announces and scrapes a second answered to one IPv4 address or IPv6 /64; 0 for any number.',
    ),
    burst: count(1000, 'Announces and scrapes of one address at once.', { minimum: 1 }),
    max_sockets: count(2000, 'WebSocket connections of browsers at the same time.'),
    max_sockets_per_address: count(50, 'WebSocket connections of one address.', { minimum: 1 }),
    socket_origins: Type.Array(
      Type.String({ pattern: ORIGIN, shape: 'an origin like https://site.example' }),
      {
        default: [],
        description:
          'Origins (https://site.example) whose pages may use the tracker over WebSocket; none for any page.',
      },
    ),
  },
  { additionalProperties: false },
)

export type TrackerConfig = Static<typeof trackerConfigSchema>
