import { type Static, Type } from 'typebox'
import { count, duration, size } from '../../base/config-schema.ts'

/** Part of the `btlink` section. */
export const libraryConfigSchema = Type.Object(
  {
    metainfo_timeout: duration(
      30_000,
      'How long a torrent nobody has given metadata for is waited for.',
      {
        minimum: 100,
        maximum: 600_000,
      },
    ),
    stall_timeout: duration(30_000, 'How long a reader waits for the next verified bytes.', {
      minimum: 100,
      maximum: 600_000,
    }),
    keep_whole_below: size(
      64 * 1024 * 1024,
      'A visited torrent up to this size is fetched whole, so that it can be read while the internet is down.',
    ),
    read_ahead: size(16 * 1024 * 1024, 'How far a reader is kept ahead of in a file.', {
      minimum: 65_536,
      maximum: 1024 ** 3,
    }),
    max_open_torrents: count(1000, 'Torrents whose file lists are held in memory.', {
      minimum: 8,
      maximum: 100_000,
    }),
  },
  { additionalProperties: false },
)

export type LibraryConfig = Static<typeof libraryConfigSchema>
