/** The `swarm` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, size, texts } from '../../base/config-schema.ts'

const SECOND = 1000

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const hour = (description: string) =>
  Type.String({
    pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
    shape: 'a time from 00:00 to 23:59',
    default: '00:00',
    description,
  })

const limitedHoursSchema = Type.Object(
  {
    from: hour('First minute, HH:MM in local time.'),
    to: hour('The minute it ends; the same as `from` is a whole day.'),
    days: Type.Array(Type.Union(DAYS.map((day) => Type.Literal(day))), {
      default: [],
      maxItems: 7,
      description: 'Days on which it begins; none are all.',
    }),
    download_limit: size(
      0,
      'Bytes a second in these hours; 0, also where it is left out, is no limit.',
    ),
    upload_limit: size(
      0,
      'Bytes a second in these hours; 0, also where it is left out, is no limit.',
    ),
  },
  { additionalProperties: false },
)

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
    download_limit: size(0, 'Bytes a second taken from peers and web seeds; 0 is no limit.'),
    upload_limit: size(0, 'Bytes a second given to peers; 0 is no limit.'),
    tcp_download_limit: size(0, 'Bytes a second taken from TCP peers; 0 is no limit.'),
    tcp_upload_limit: size(0, 'Bytes a second given to TCP peers; 0 is no limit.'),
    webrtc_download_limit: size(0, 'Bytes a second taken from browsers; 0 is no limit.'),
    webrtc_upload_limit: size(0, 'Bytes a second given to browsers; 0 is no limit.'),
    web_seed_download_limit: size(0, 'Bytes a second taken from web seeds; 0 is no limit.'),
    limit_schedule: Type.Array(limitedHoursSchema, {
      default: [],
      maxItems: 50,
      description:
        'Hours with other limits: `{ from: "23:00", to: "07:00", days: [mon, tue], download_limit: 0, upload_limit: 2MB }`. They stand in for download_limit and upload_limit; of two that overlap the first holds. Local time; no days are all days, and hours past midnight belong to the day they began on.',
    }),
    lan_exempt: flag(true, 'Leave peers of the own network out of every limit.'),
    seed_ratio: Type.Number({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description:
        'Torrents of others are no longer offered to strangers after so many times their size was given away; 0 is never.',
    }),
    seed_time: duration(
      0,
      'Torrents of others are no longer offered to strangers so long after they were first seeded; 0 is never.',
    ),
    grace: duration(
      60 * SECOND,
      'How long a torrent nobody wants stays in the swarm, and a seeded one without peers in memory.',
      { minimum: 100 },
    ),
    map_port: flag(
      false,
      'Ask the router to let peers from outside in to the peer port (PCP, NAT-PMP).',
    ),
    lsd: flag(true, 'Find peers on the own network by multicast (BEP 14).'),
    pex: flag(true, 'Exchange peer addresses with peers (BEP 11).'),
    trackers: flag(true, 'Ask the trackers that links name.'),
    web_seeds: flag(true, 'Fetch from the web seeds that links name (BEP 19).'),
    announce_urls: texts(
      [],
      'Trackers at which every seeded torrent is announced besides our own; http, udp, ws.',
    ),
    webrtc_hot_torrents: count(
      20,
      'Seeded torrents announced to WebSocket trackers at the same time; the others take turns.',
      { minimum: 1, maximum: 200 },
    ),
    bridge: flag(
      true,
      'Fetch what is missing of a visited torrent while a browser asks for it, or for others from a browser.',
    ),
    allow_local: flag(
      false,
      'Let strangers name loopback and private addresses as peers, trackers and web seeds; for tests and closed networks.',
    ),
  },
  { additionalProperties: false },
)

/** The section, and how often a seeded torrent is announced: `dht.announce_interval`, as in the seed's file. */
export type SwarmConfig = Static<typeof swarmConfigSchema> & { announce_interval: number }
