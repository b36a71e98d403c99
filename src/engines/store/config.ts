import { type Static, Type } from 'typebox'
import { count, duration, size, text } from '../../base/config-schema.ts'

/** The `storage` section. */
export const storageConfigSchema = Type.Object(
  {
    blob_threshold: size(
      104_857_600,
      'From this size on a published file makes its torrent use pieces of chunk_size.',
      { minimum: 1 },
    ),
    chunk_size: size(
      2_097_152,
      'Piece length of torrents with a file of blob_threshold or more; a power of two.',
      { minimum: 16_384, maximum: 67_108_864 },
    ),
    metadata_db: text(
      '',
      'The database of sites and their history; empty is state.db in the state folder.',
    ),
    blob_storage: text('', 'Folder of the blobs; empty is store/blobs in the state folder.'),
    chunk_storage: text('', 'Folder of the torrents; empty is store/torrents in the state folder.'),
    snapshot_interval: duration(
      3_600_000,
      'After changes to own sites and pins, how long until a good copy of the database is written beside it.',
      { minimum: 1000 },
    ),
    min_free: size(
      67_108_864,
      'Space that writes of content leave free on the disk, so that the daemon itself can go on.',
    ),
    history_limit: count(1000, 'Versions remembered of each site; the oldest go first.', {
      minimum: 2,
      maximum: 1_000_000,
    }),
    site_limit: count(20_000, 'Sites remembered that were only visited; the longest unseen go.', {
      minimum: 10,
      maximum: 10_000_000,
    }),
  },
  { additionalProperties: false },
)

export type StorageConfig = Static<typeof storageConfigSchema>

/** What the factory takes: the section, and the state folder that empty paths mean. */
export type StoreConfig = StorageConfig & { stateDir: string }
