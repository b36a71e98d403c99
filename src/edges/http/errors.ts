/** Errors of the HTTP layer itself; what rooms throw keeps its own code on the wire. */
import { declareError } from '../../base/errors.ts'

export const InternalFault = declareError(
  'BTL_ERR_HTTP_INTERNAL',
  'the box could not answer this; its log has the reason',
  500,
)
export const BadRequest = declareError('BTL_ERR_HTTP_BAD_REQUEST', 'not a request: %s', 400)
export const HeadersTooLarge = declareError(
  'BTL_ERR_HTTP_HEADERS_TOO_LARGE',
  'the address and headers of the request are larger than 16 KiB',
  431,
)
export const HeadersTooSlow = declareError(
  'BTL_ERR_HTTP_TOO_SLOW',
  'the request did not arrive in time',
  408,
)
export const UpgradeRefused = declareError(
  'BTL_ERR_HTTP_UPGRADE_REFUSED',
  'this host does not speak "%s"',
  400,
)
export const ClientLeft = declareError(
  'BTL_ERR_HTTP_CLIENT_LEFT',
  'the client closed the connection',
  499,
)
