/** What the DHT node throws at its callers; faults of strangers are counted, never thrown. */
import { declareError } from '../../base/errors.ts'

export const DhtBindFailed = declareError(
  'BTL_ERR_DHT_BIND',
  'cannot listen on %s for the DHT: %s',
  503,
)
export const DhtBadItem = declareError(
  'BTL_ERR_DHT_BAD_ITEM',
  'not an item the DHT would store: %s',
  400,
)
