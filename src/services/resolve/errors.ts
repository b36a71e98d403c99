import { declareError } from '../../base/errors.ts'

export const NotFound = declareError(
  'BTL_ERR_RESOLVE_NOT_FOUND',
  'no record for %s: %s nodes answered and none holds it',
  404,
)
export const Unreachable = declareError(
  'BTL_ERR_RESOLVE_UNREACHABLE',
  'cannot look up %s: no DHT node answered',
  503,
)
export const Timeout = declareError(
  'BTL_ERR_RESOLVE_TIMEOUT',
  'no record for %s within %s seconds',
  504,
)
export const BadRecord = declareError(
  'BTL_ERR_RESOLVE_BAD_RECORD',
  'the record of %s names no infohash (BEP 46 asks for a dictionary with 20 bytes under "ih")',
  502,
)
export const NotLocal = declareError(
  'BTL_ERR_RESOLVE_NOT_LOCAL',
  '%s is not known on this box, and the request forbids asking the network',
  412,
)
