/** The `acme` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, text } from '../../base/config-schema.ts'

const MINUTE = 60_000

export const acmeConfigSchema = Type.Object(
  {
    directory: Type.String({
      // RFC 8555 §6.1: never without TLS.
      pattern: '^(https://[^\\s@]+)?$',
      shape: 'an https:// URL without a password',
      default: '',
      description: 'URL of the ACME directory of a public certificate authority; empty is off.',
    }),
    terms_agreed: flag(
      false,
      'Whether you agree to the terms of that authority; nothing is ordered before.',
    ),
    email: Type.String({
      // RFC 8555 §7.3: one address, without the header fields that mailto: may have.
      pattern: '^([^\\s@,?%]+@[^\\s@,?%]+)?$',
      shape: 'a mail address',
      default: '',
      description: 'Where the authority may write to; it is told when the account is made.',
    }),
    hosts: Type.Array(
      Type.String({ pattern: '^[0-9a-z.-]+( [0-9a-z.-]+)*$', shape: 'domains in lower case' }),
      {
        default: [],
        maxItems: 100,
        description:
          'Names of this gateway, and domains with link records, that get a certificate; an entry of several names, with spaces between, is one certificate for all of them.',
      },
    ),
    content_names: flag(
      false,
      'Whether every site under a gateway domain gets a certificate when it is first asked for. Public authorities allow few a week.',
    ),
    content_names_per_week: count(
      20,
      'Orders for such sites within seven days; the rest do without.',
      { minimum: 1, maximum: 500 },
    ),
    max_content_names: count(200, 'Certificates of such sites that are kept.', {
      minimum: 1,
      maximum: 1000,
    }),
    challenge: Type.Union([Type.Literal('http-01'), Type.Literal('tls-alpn-01')], {
      default: 'http-01',
      description:
        'How the authority sees that a name is ours: it asks at port 80, or at port 443 for those whose provider blocks 80.',
    }),
    order_timeout: duration(
      5 * MINUTE,
      'How long one order may take; after that it has failed and is tried again later.',
      { minimum: 1000, maximum: 60 * MINUTE },
    ),
    authority_ca: text(
      '',
      'PEM file with the root certificate of the directory itself, for authorities that browsers do not know; empty is the ones that Node knows.',
    ),
    eab_key_id: text(
      '',
      'Key identifier for external account binding, where the authority asks for it.',
    ),
    eab_hmac_key: Type.String({
      default: '',
      description: 'HMAC key that belongs to it, in base64url.',
      secret: true,
    }),
  },
  { additionalProperties: false },
)

export type AcmeConfig = Static<typeof acmeConfigSchema>

/** What the factory takes: the section, and what the rest of the daemon knows of names. */
export type AcmeOptions = AcmeConfig & {
  /** The one label all names end in, lower case. */
  tld: string
  /** Sites stand under `<name>.<tld>.<domain>`. */
  gateway_domains: readonly string[]
}
