/** The room's section as tests use it: any UDP port, no servers. */
import type { WebRtcConfig } from '../../../src/engines/webrtc/config.ts'

export const webRtcConfig: WebRtcConfig = {
  enabled: true,
  max_connections: 16,
  stun_servers: [],
  turn_servers: [],
  port_min: 0,
  port_max: 0,
  idle_time: 30_000,
}
