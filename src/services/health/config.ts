import { type Static, Type } from 'typebox'
import { duration, size } from '../../base/config-schema.ts'

/** The `health` section. */
export const healthConfigSchema = Type.Object(
  {
    check_timeout: duration(2000, 'How long one part may take to say how it is.', {
      minimum: 10,
      maximum: 60_000,
    }),
    keep_for: duration(1000, 'How long an answer is given again before the parts are asked anew.', {
      maximum: 60_000,
    }),
    disk_low: size(512 * 1024 * 1024, 'Free space below which the disk is not well.'),
  },
  { additionalProperties: false },
)

export type HealthConfig = Static<typeof healthConfigSchema>
