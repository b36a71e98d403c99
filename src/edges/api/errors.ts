import { declareError } from '../../base/errors.ts'

export const WrongHost = declareError(
  'BTL_ERR_API_WRONG_HOST',
  'the host "%s" is not one of this API: add it to gateway.hosts if it should be',
  421,
)
export const NotAllowed = declareError('BTL_ERR_API_NOT_ALLOWED', 'not allowed: %s', 403)
export const NoRoute = declareError('BTL_ERR_API_NO_ROUTE', 'there is no %s %s', 404)
export const BadInput = declareError('BTL_ERR_API_BAD_INPUT', '%s', 400)
export const NoSite = declareError('BTL_ERR_API_NO_SITE', 'this box knows no site %s', 404)
export const NoLink = declareError(
  'BTL_ERR_API_NO_LINK',
  'the domain %s has no site: no TXT record at _btlink.%s names one',
  404,
)
export const NoResolver = declareError(
  'BTL_ERR_API_NO_RESOLVER',
  'this box has no resolver: dns.enabled is false in its configuration',
  404,
)
export const ResolverSilent = declareError(
  'BTL_ERR_API_RESOLVER_SILENT',
  "the box's resolver gives no answer to this",
  502,
)
export const SocketPathTooLong = declareError(
  'BTL_ERR_API_SOCKET_PATH_TOO_LONG',
  'the path %s has over 107 bytes, the most a socket may have: choose a shorter state folder',
  500,
)
