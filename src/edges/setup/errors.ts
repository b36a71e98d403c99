import { declareError } from '../../base/errors.ts'

export const BadMethod = declareError(
  'BTL_ERR_SETUP_METHOD',
  'this can only be read, not "%s"',
  405,
)
export const NotFound = declareError('BTL_ERR_SETUP_NOT_FOUND', 'this box has no page at "%s"', 404)
export const BadRealm = declareError(
  'BTL_ERR_SETUP_REALM',
  'certificates are for names or for links, not for "%s"',
  400,
)
export const NotForScripts = declareError(
  'BTL_ERR_SETUP_NOT_FOR_SCRIPTS',
  'a site may not read the certificate of this box: open it as an address of its own',
  403,
)
export const BadProxyList = declareError(
  'BTL_ERR_SETUP_PROXY_LIST',
  'btlink.trusted_proxies: "%s" is no address or network',
  500,
)
