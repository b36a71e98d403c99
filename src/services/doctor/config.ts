import { type Static, Type } from 'typebox'
import { count, duration } from '../../base/config-schema.ts'

const HOUR = 3_600_000

/** The `doctor` section. */
export const doctorConfigSchema = Type.Object(
  {
    every: duration(
      6 * HOUR,
      'How often the daemon looks at everything by itself and writes to the log what became worse; 0 is never.',
      { maximum: 30 * 24 * HOUR },
    ),
    check_timeout: duration(8000, 'How long one check may take; then its answer is unknown.', {
      minimum: 100,
      maximum: 120_000,
    }),
    at_once: count(4, 'Checks at the same time.', { minimum: 1, maximum: 32 }),
    sample: count(20, 'Files of the store that are read again in each run, to find bit rot.', {
      maximum: 10_000,
    }),
    backup_age: duration(30 * 24 * HOUR, 'Age from which on a backup counts as old.', {
      minimum: HOUR,
      maximum: 3650 * 24 * HOUR,
    }),
  },
  { additionalProperties: false },
)

export type DoctorConfig = Static<typeof doctorConfigSchema>
