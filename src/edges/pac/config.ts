/** The `pac` section of the configuration. */
import { type Static, Type } from 'typebox'
import { duration, texts } from '../../base/config-schema.ts'

const HOUR = 3_600_000

export const pacConfigSchema = Type.Object(
  {
    proxy_domains: texts(
      [],
      'Further domains that browsers send through the proxy, with everything below them.',
    ),
    max_age: duration(HOUR, 'How long browsers may keep the file before they ask again.', {
      maximum: 24 * HOUR,
    }),
  },
  { additionalProperties: false },
)

export type PacConfig = Static<typeof pacConfigSchema>
