import { declareError } from '../../base/errors.ts'

export const BadDomain = declareError(
  'BTL_ERR_PAC_DOMAIN',
  'pac.proxy_domains: "%s" is not a domain in lower case',
  500,
)
export const NoAddress = declareError(
  'BTL_ERR_PAC_NO_ADDRESS',
  'the address this box was asked at cannot be written into a proxy configuration',
  404,
)
export const BadMethod = declareError(
  'BTL_ERR_PAC_METHOD',
  'a proxy configuration can only be read, not "%s"',
  405,
)
