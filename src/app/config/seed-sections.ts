/**
 * Sections of the configuration whose rooms arrive with later versions. They are declared with the
 * keys and defaults people already have in their files, so that such a file loads as it is.
 */
import { Type } from 'typebox'
import { count, duration, flag, port, size, text, texts } from '../../base/config-schema.ts'

const MB = 1024 * 1024
const GB = 1024 * MB
const DAY = 24 * 60 * 60_000
const strict = { additionalProperties: false } as const

const perSecond = (fallback: number, description: string) =>
  Type.Number({ minimum: 0, maximum: 100_000, default: fallback, description })

export const blossomSchema = Type.Object(
  {
    enabled: flag(true, 'Serve blobs by the Blossom protocol.'),
    port: port(8082, 'TCP port of the Blossom server.'),
    max_blob_size: size(100 * MB, 'Largest blob taken.'),
    rate_limit: Type.Object(
      {
        requests_per_minute: count(100, 'Requests a minute from one address.'),
        burst_size: count(20, 'Requests from one address at once.'),
      },
      strict,
    ),
  },
  strict,
)

export const nostrSchema = Type.Object(
  {
    relays: texts(
      [
        'wss://freelay.sovbit.host',
        'wss://relay.damus.io',
        'wss://nos.lol',
        'wss://relay.nostr.band',
      ],
      'Relays that get torrent announcements (NIP-35).',
    ),
    video_relays: texts(
      ['wss://relay.damus.io', 'wss://nos.lol', 'wss://freelay.sovbit.host'],
      'Relays that get video events (NIP-71).',
    ),
    publish_nip35: flag(true, 'Announce torrents (NIP-35).'),
    publish_nip71: flag(true, 'Announce videos (NIP-71).'),
    auto_publish: flag(true, 'Announce uploads at once.'),
    private_key: Type.String({
      default: '',
      description: 'Private key in hex; one is made where it is empty.',
      secret: true,
    }),
  },
  strict,
)

export const transcodingSchema = Type.Object(
  {
    enabled: flag(true, 'Convert videos for browsers (needs ffmpeg).'),
    concurrent_jobs: count(2, 'Conversions at the same time.', { minimum: 1, maximum: 64 }),
    work_dir: text('./data/transcoded', 'Folder of converted files.'),
    auto_transcode: flag(true, 'Convert uploaded videos by themselves.'),
    min_file_size: size(50 * MB, 'Smaller files are left as they are.'),
  },
  strict,
)

export const adminSchema = Type.Object(
  {
    enabled: flag(true, 'Let the administrators in.'),
    pubkeys: texts([], 'Nostr public keys of the administrators.'),
    auto_cleanup: flag(true, 'Delete old files by themselves.'),
    cleanup_age: duration(90 * DAY, 'Age at which files of users are deleted.'),
    max_file_age: duration(365 * DAY, 'Age at which any file is deleted.'),
    default_user_storage_limit: size(10 * GB, 'Storage of one user.'),
  },
  strict,
)

const limit = (perSecondDefault: number, burst: number, what: string) => ({
  requests_per_second: perSecond(perSecondDefault, `${what} a second.`),
  burst_size: count(burst, `${what} at once.`),
})

export const rateLimitingSchema = Type.Object(
  {
    upload: Type.Object(
      {
        ...limit(1, 5, 'Uploads from one address'),
        max_file_size: size(3 * GB, 'Largest uploaded file.'),
      },
      strict,
    ),
    download: Type.Object(limit(50, 100, 'Downloads in all'), strict),
    stream: Type.Object(
      {
        ...limit(10, 20, 'Streams of one file'),
        max_concurrent: count(50, 'Streams at the same time.'),
      },
      strict,
    ),
    auth: Type.Object(
      {
        login_attempts_per_minute: count(10, 'Logins a minute from one address.'),
        burst_size: count(5, 'Logins from one address at once.'),
      },
      strict,
    ),
  },
  strict,
)
