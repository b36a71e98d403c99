/** The `swarm` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, size } from '../../base/config-schema.ts'

const SECOND = 1000

export const swarmConfigSchema = Type.Object(
  {
    port: port(6881, 'TCP port for BitTorrent peers.'),
    max_connections: count(200, 'Peer connections of all torrents together.', {
      minimum: 2,
      maximum: 10_000,
    }),
    max_connections_per_torrent: count(40, 'Peer connections of one torrent.', {
      minimum: 1,
      maximum: 1000,
    }),
    max_active: count(2000, 'Torrents in the swarm at the same time, seeded ones included.', {
      minimum: 1,
      maximum: 100_000,
    }),
    upload_slots: count(10, 'Peers of one torrent that are served at the same time.', {
      minimum: 1,
      maximum: 500,
    }),
    download_limit: size(0, 'Bytes a second taken from peers; 0 is no limit.'),
    upload_limit: size(0, 'Bytes a second given to peers; 0 is no limit.'),
    grace: duration(60 * SECOND, 'How long a torrent nobody wants stays in the swarm.', {
      minimum: 100,
    }),
    lsd: flag(true, 'Find peers on the own network by multicast (BEP 14).'),
    pex: flag(true, 'Exchange peer addresses with peers (BEP 11).'),
    trackers: flag(true, 'Ask the trackers that links name.'),
    web_seeds: flag(true, 'Fetch from the web seeds that links name (BEP 19).'),
    allow_local: flag(
      false,
      'Let strangers name loopback and private addresses as peers, trackers and web seeds; for tests and closed networks.',
    ),
  },
  { additionalProperties: false },
)

/** The section, and how often a seeded torrent is announced: `dht.announce_interval`, as in the seed's file. */
export type SwarmConfig = Static<typeof swarmConfigSchema> & { announce_interval: number }
