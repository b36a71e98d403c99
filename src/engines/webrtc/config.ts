/** The `webrtc` section of the configuration. */
import { type Static, Type } from 'typebox'
import { count, duration, flag, port, texts } from '../../base/config-schema.ts'

const SECOND = 1000

export const webrtcConfigSchema = Type.Object(
  {
    enabled: flag(true, 'Exchange data with browsers over WebRTC.'),
    max_connections: count(64, 'Browsers connected or being connected at a time.', {
      minimum: 1,
      maximum: 1000,
    }),
    stun_servers: texts(
      [],
      'Servers asked for our outside address, as host:port. None: browsers of this network only.',
    ),
    turn_servers: Type.Array(Type.String(), {
      default: [],
      description:
        'Relays for browsers that cannot reach us, as user:password@host:port; an end of ?transport=tcp is possible.',
      secret: true,
    }),
    port_min: port(0, 'Lowest UDP port for browsers; 0 lets the system choose.'),
    port_max: port(0, 'Highest UDP port for browsers; each takes one.'),
    idle_time: duration(
      120 * SECOND,
      'The process with the WebRTC code ends after this time without browsers and offers.',
      { minimum: 0 },
    ),
  },
  { additionalProperties: false },
)

export type WebRtcConfig = Static<typeof webrtcConfigSchema>
