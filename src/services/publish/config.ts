import { type Static, Type } from 'typebox'
import { count, duration } from '../../base/config-schema.ts'

/** The `publish` section. */
export const publishConfigSchema = Type.Object(
  {
    republish_interval: duration(
      14_400_000,
      'How often signed records of own and pinned sites are put into the DHT again.',
      { minimum: 1_800_000, maximum: 86_400_000 },
    ),
    min_acks: count(10, 'Nodes that must hold a record before it counts as published.', {
      minimum: 1,
      maximum: 100,
    }),
    lookup_timeout: duration(
      8000,
      'How long publishing waits to learn the newest seq in the DHT.',
      {
        minimum: 10,
        maximum: 60_000,
      },
    ),
    put_timeout: duration(30_000, 'How long one put of a record may take.', {
      minimum: 100,
      maximum: 600_000,
    }),
    put_gap: duration(2000, 'Time between two records put again, so that they are no burst.', {
      minimum: 0,
      maximum: 600_000,
    }),
    watch_debounce: duration(1000, 'A watched folder is published when it was quiet for so long.', {
      minimum: 10,
      maximum: 60_000,
    }),
    watch_max_wait: duration(
      30_000,
      'A watched folder that is never quiet is published after so long.',
      { minimum: 100, maximum: 3_600_000 },
    ),
    rescan_interval: duration(
      30_000,
      'How often a watched folder is looked through where the system gives no notice.',
      { minimum: 100, maximum: 86_400_000 },
    ),
    max_files: count(100_000, 'Files in a published folder.', { minimum: 1, maximum: 100_000 }),
  },
  { additionalProperties: false },
)

export type PublishConfig = Static<typeof publishConfigSchema>

export interface PublisherConfig {
  publish: PublishConfig
  /** Of the `uploads` section. */
  uploads: { max_size: number; max_files: number }
  /** Of the `storage` section. */
  storage: { blob_threshold: number; chunk_size: number }
}
