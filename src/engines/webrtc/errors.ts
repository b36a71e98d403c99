/** What the room throws at its callers; faults of strangers on open channels are counted, never thrown. */
import { declareError } from '../../base/errors.ts'

export const WebRtcBadSdp = declareError(
  'BTL_ERR_WEBRTC_BAD_SDP',
  'not an SDP for a data channel: %s',
  400,
)
export const WebRtcFull = declareError(
  'BTL_ERR_WEBRTC_FULL',
  'all %s WebRTC connections are in use',
  503,
)
export const WebRtcTimeout = declareError(
  'BTL_ERR_WEBRTC_TIMEOUT',
  'the WebRTC process did not answer within %s ms',
  504,
)
export const WebRtcEnded = declareError('BTL_ERR_WEBRTC_ENDED', 'WebRTC is not running: %s', 503)
export const WebRtcDisabled = declareError(
  'BTL_ERR_WEBRTC_DISABLED',
  'WebRTC is switched off: set webrtc.enabled',
  503,
)
export const WebRtcBadServer = declareError(
  'BTL_ERR_WEBRTC_BAD_SERVER',
  'webrtc.%s has an entry that is not %s',
  500,
)
export const WebRtcBadPorts = declareError(
  'BTL_ERR_WEBRTC_BAD_PORTS',
  'webrtc.port_min %s and port_max %s are no range: give both, or neither',
  500,
)
