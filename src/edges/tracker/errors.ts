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
