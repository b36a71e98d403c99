import { type Static, Type } from 'typebox'
import { count, duration } from '../../base/config-schema.ts'

/** Part of the `btlink` section. */
export const resolveConfigSchema = Type.Object(
  {
    record_cache: duration(
      60_000,
      'How long a resolved name is used without asking the DHT again.',
      {
        maximum: 86_400_000,
      },
    ),
    revalidate_patience: duration(
      1500,
      'How long a request waits for a newer version before the last known one is served.',
      { maximum: 60_000 },
    ),
    lookup_timeout: duration(20_000, 'How long a first lookup of a name may take.', {
      minimum: 100,
      maximum: 300_000,
    }),
    missing_cache: duration(30_000, 'How long a name that nobody holds is not looked up again.', {
      maximum: 3_600_000,
    }),
    max_cached_names: count(10_000, 'Names and immutable items held in memory.', {
      minimum: 16,
      maximum: 1_000_000,
    }),
  },
  { additionalProperties: false },
)

export type ResolveConfig = Static<typeof resolveConfigSchema>
