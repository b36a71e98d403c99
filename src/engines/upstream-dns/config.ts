/** The `upstream` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, text, texts } from '../../base/config-schema.ts'

const SECOND = 1000

export const upstreamDnsConfigSchema = Type.Object(
  {
    servers: texts(
      ['system'],
      'DNS servers to ask: an address, tcp://address, tls://name, https://name/path, each with an optional port; #address or #name after it says the other half. system: those of /etc/resolv.conf.',
    ),
    fallback: texts(
      [],
      'Servers asked when all others fail, as encrypted ones do while the clock is wrong.',
    ),
    bootstrap: texts(
      ['system'],
      'Servers that are asked for the addresses of servers given by name; addresses only.',
    ),
    routes: texts(
      [],
      'Domains that have servers of their own, as domain=server or domain=server,server: fritz.box=192.168.178.1',
    ),
    strategy: Type.Union(
      [Type.Literal('strict'), Type.Literal('parallel'), Type.Literal('fastest')],
      {
        default: 'strict',
        description:
          'strict: in order, the next where one fails; parallel: two at once, the first answer counts; fastest: the one that was quickest of late.',
      },
    ),
    timeout: duration(5 * SECOND, 'Longest wait for an answer, all tries together.', {
      minimum: 100,
      maximum: 30 * SECOND,
    }),
    try_timeout: duration(1.5 * SECOND, 'Longest wait for one server before the next is asked.', {
      minimum: 50,
      maximum: 10 * SECOND,
    }),
    retry_after: duration(5 * SECOND, 'How long a server that failed is left alone at first.', {
      minimum: 50,
      maximum: 600 * SECOND,
    }),
    max_in_flight: count(256, 'Questions that wait for an answer at the same time.', {
      minimum: 1,
      maximum: 10_000,
    }),
    randomize_case: flag(
      true,
      'Spell names in random case over UDP, which a forger would have to guess.',
    ),
    ca_file: text('', 'PEM file with further authorities for tls:// and https:// servers.'),
  },
  { additionalProperties: false },
)

export type UpstreamDnsConfig = Static<typeof upstreamDnsConfigSchema>
