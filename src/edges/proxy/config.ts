/** Part of the `proxy` section of the configuration; the gateway owns `address` and `http_port`. */
import { type Static, Type } from 'typebox'
import { count, duration, port, text, texts } from '../../base/config-schema.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

export const proxyServerConfigSchema = Type.Object(
  {
    https_port: port(44369, 'Port of the gateway and proxy for HTTPS.'),
    socks_port: Type.Union([Type.Literal('off'), Type.Integer({ minimum: 0, maximum: 65_535 })], {
      default: 'off',
      description: 'Port of the proxy for SOCKS5, or off.',
    }),
    gateway: text(
      '',
      'Address of the gateway of another box, such as http://192.168.1.5:42080, that answers for names in place of this one; empty is this box itself.',
    ),
    clients: texts(
      [],
      'Addresses or networks outside the house that may use the proxy for other sites too.',
    ),
    connect_ports: Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
      default: [80, 443],
      description: 'Ports of other sites that tunnels may lead to.',
    }),
    allow_private: texts(
      [],
      'Addresses or networks that the proxy may reach although they are private.',
    ),
    connect_timeout: duration(10 * SECOND, 'How long another site may take to be reached.', {
      minimum: 100,
    }),
    tunnel_idle_timeout: duration(
      15 * MINUTE,
      'A tunnel that moves no byte for so long is closed.',
      { minimum: SECOND },
    ),
    max_tunnels: count(1024, 'Connections to other sites at the same time.', { minimum: 1 }),
    max_tunnels_per_client: count(256, 'Connections to other sites that one client may have.', {
      minimum: 1,
    }),
    max_connections_per_client: count(512, 'Connections of one client at the same time.', {
      minimum: 1,
    }),
  },
  { additionalProperties: false },
)

export type ProxyServerConfig = Static<typeof proxyServerConfigSchema>

/** What the factory takes: the section, and keys of other sections. */
export type ProxyOptions = ProxyServerConfig & {
  /** `proxy.address` and `proxy.http_port`. */
  address: string
  http_port: number
  /** `btlink.header_timeout`, `btlink.idle_timeout`, `btlink.max_connections`. */
  header_timeout: number
  idle_timeout: number
  max_connections: number
  /** Name by which devices that trust the box reach its HTTPS proxy: `proxy.<tld>`. */
  secure_host: string
  /** Whether it leads to other sites at all; not with `mode: gateway-only`. */
  other_sites: boolean
  /** `log.request_headers`. */
  request_headers: boolean
}
