/** What the tracker throws at the box; faults of clients are answered and counted, never thrown. */
import { declareError } from '../../base/errors.ts'

export const TrackerBindFailed = declareError(
  'BTL_ERR_TRACKER_BIND',
  'cannot listen on %s for the tracker: %s',
  503,
)
export const TrackerBadProxy = declareError(
  'BTL_ERR_TRACKER_BAD_PROXY',
  'tracker.trusted_proxies: "%s" is no address or network',
  500,
)
export const TrackerSocketsFull = declareError(
  'BTL_ERR_TRACKER_SOCKETS_FULL',
  'the tracker holds as many WebSocket connections as it may',
  503,
)
export const TrackerTooManySockets = declareError(
  'BTL_ERR_TRACKER_TOO_MANY_SOCKETS',
  'too many WebSocket connections from this address',
  429,
)
export const TrackerForeignOrigin = declareError(
  'BTL_ERR_TRACKER_FOREIGN_ORIGIN',
  'pages of this origin may not use the tracker',
  403,
)
