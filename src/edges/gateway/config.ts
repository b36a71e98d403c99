/** The gateway's sections: `btlink` (how names are served), `proxy` (where), `uploads` (who may add). */
import { Type, type Static } from 'typebox'
import { count, duration, flag, port, size, text, texts } from '../../base/config-schema.ts'

const SECOND = 1000
const MB = 1024 * 1024

/** Part of the `btlink` section; resolver and library own further keys of it. */
export const btlinkConfigSchema = Type.Object(
  {
    tld: Type.String({
      pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
      default: 'btlink',
      description: 'The top-level domain of content names.',
    }),
    redirect_bt: flag(
      false,
      'Redirect names under `.bt`, the top-level domain that btlink used before, to their new form.',
    ),
    gateway_domains: texts(
      [],
      'Further names of this box: its root page answers there, and sites under <name>.<tld>.<domain>.',
    ),
    trusted_proxies: texts(
      [],
      'Addresses or networks whose X-Forwarded-For, -Host and -Proto are believed.',
    ),
    wait_timeout: duration(
      60 * SECOND,
      'How long a request waits for its name and torrent, and then for the next bytes, whatever the parts behind it allow themselves: 504 before the first byte, a cut connection later.',
      { minimum: 100 },
    ),
    header_timeout: duration(
      5 * SECOND,
      'How long a client may take to send its request headers.',
      {
        minimum: 100,
      },
    ),
    idle_timeout: duration(
      5 * 60 * SECOND,
      'A connection that moves no byte for so long is closed.',
      {
        minimum: 1000,
      },
    ),
    memory_cache: size(16 * MB, 'Memory for small files that are asked often.'),
    max_connections: count(2048, 'Connections at the same time; further ones are closed.', {
      minimum: 1,
    }),
    max_requests: count(
      512,
      'Requests at the same time that wait for content; further ones get 503.',
      {
        minimum: 1,
      },
    ),
  },
  { additionalProperties: false },
)
export type BtlinkConfig = Static<typeof btlinkConfigSchema>

export const proxyConfigSchema = Type.Object(
  {
    address: text('::', 'Address the gateway listens on; `::` is every address, IPv4 and IPv6.'),
    http_port: port(42080, 'Port of the gateway.'),
  },
  { additionalProperties: false },
)
export type ProxyConfig = Static<typeof proxyConfigSchema>

export const uploadsConfigSchema = Type.Object(
  {
    access: Type.Union([Type.Literal('lan'), Type.Literal('off')], {
      default: 'lan',
      description: 'Who may upload on the root page: devices of the house, or nobody.',
    }),
    max_size: size(10 * 1024 * MB, 'Bytes of one upload.'),
    max_files: count(10_000, 'Files of one upload.', { minimum: 1 }),
    announce_dht: flag(true, 'Whether uploads are announced in the DHT.'),
  },
  { additionalProperties: false },
)
export type UploadsConfig = Static<typeof uploadsConfigSchema>

export interface GatewayConfig {
  btlink: BtlinkConfig
  /** Where to listen; without it requests are handed in by `server.emit('request', req, res)`. */
  proxy?: ProxyConfig
  uploads: UploadsConfig
}
