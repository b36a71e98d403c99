/** The `dht` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, text, texts } from '../../base/config-schema.ts'

const SECOND = 1000

export const dhtConfigSchema = Type.Object(
  {
    enabled: flag(true, 'Take part in the BitTorrent DHT.'),
    port: port(6883, 'UDP port of the DHT node, the same for IPv4 and IPv6.'),
    bootstrap_nodes: texts(
      [
        'router.bittorrent.com:6881',
        'dht.transmissionbt.com:6881',
        'router.utorrent.com:6881',
        'dht.libtorrent.org:25401',
      ],
      'Nodes asked first, as host:port; nodes of the last run are asked as well.',
    ),
    announce_interval: duration(900 * SECOND, 'How often a seeded torrent is announced again.', {
      minimum: SECOND,
    }),
    max_torrents: count(10_000, 'Infohashes whose announced peers are kept for others.', {
      minimum: 1,
      maximum: 1_000_000,
    }),
    max_peers_per_torrent: count(200, 'Announced peers kept for one infohash.', {
      minimum: 1,
      maximum: 10_000,
    }),
    max_items: count(1000, 'Stored items (BEP 44) kept for others.', {
      minimum: 1,
      maximum: 100_000,
    }),
    allow_local: flag(
      false,
      'Accept loopback and private addresses as nodes and peers; for tests and closed networks.',
    ),
    min_interval: duration(
      10 * SECOND,
      'Shortest pause between two rounds of upkeep: retries of the first nodes, refreshes.',
      { minimum: 50, maximum: 900 * SECOND },
    ),
    read_only: Type.Union([Type.Literal('auto'), Type.Literal('on'), Type.Literal('off')], {
      default: 'auto',
      description:
        'Whether to tell others not to keep us as a node (BEP 43); auto: while nobody can reach us.',
    }),
    packets_per_second: count(
      25,
      'Average of packets a second that upkeep and announces may send.',
      {
        minimum: 1,
        maximum: 10_000,
      },
    ),
    burst: count(60, 'Packets that upkeep and announces may send at once.', {
      minimum: 1,
      maximum: 10_000,
    }),
    ipv6: flag(true, 'Take part in the IPv6 DHT as well (BEP 32).'),
    bind_address: text('0.0.0.0', 'IPv4 address to listen on.'),
    bind_address6: text('::', 'IPv6 address to listen on.'),
  },
  { additionalProperties: false },
)

export type DhtConfig = Static<typeof dhtConfigSchema>
