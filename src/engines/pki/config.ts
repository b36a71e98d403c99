/** The `pki` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, texts } from '../../base/config-schema.ts'

const DAY = 86_400_000

export const pkiConfigSchema = Type.Object(
  {
    leaf_lifetime: duration(90 * DAY, 'How long a certificate for one host is good.', {
      // Back-dated by a day, it has to last long enough to be used and to be made anew.
      minimum: 3 * DAY,
      // The most that Chrome and Safari take from public authorities; private ones may be held to it too.
      maximum: 398 * DAY,
    }),
    max_leaves: count(1000, 'Certificates of hosts kept in memory; the longest unused go first.', {
      minimum: 10,
      maximum: 5000,
    }),
    leaves_per_second: count(300, 'Average of certificates made a second.', {
      minimum: 1,
      maximum: 10_000,
    }),
    leaf_burst: count(1000, 'Certificates that may be made at once.', {
      minimum: 1,
      maximum: 100_000,
    }),
    box_names: texts(
      [],
      'Names of this box outside the top-level domain, such as box.lan, that the root certificate may vouch for as well; fixed when the root is made.',
    ),
    link_domains: texts(
      [],
      'Domains with link records that get https from a second root certificate of their own, beside those of `btlinkd ca link-domains on`; empty is none. Fixed when that root is made.',
    ),
  },
  { additionalProperties: false },
)

export type PkiConfig = Static<typeof pkiConfigSchema>

/** What the factory takes: the section, and what the rest of the daemon knows of names. */
export type PkiOptions = PkiConfig & {
  /** The one label all names end in, lower case. */
  tld: string
  /** Hosts under it that are no names and yet served, such as `setup.btlink`. */
  reserved_hosts: readonly string[]
}
