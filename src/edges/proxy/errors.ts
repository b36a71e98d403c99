import { declareError } from '../../base/errors.ts'

export const BadTarget = declareError(
  'BTL_ERR_PROXY_TARGET',
  '"%s" is no host and port that a proxy can be asked for',
  400,
)
export const BadFraming = declareError(
  'BTL_ERR_PROXY_FRAMING',
  'where the body of the request ends is not clear: %s',
  400,
)
export const BadMethod = declareError(
  'BTL_ERR_PROXY_METHOD',
  'the proxy does not pass on "%s"',
  405,
)
export const ForeignClient = declareError(
  'BTL_ERR_PROXY_FOREIGN_CLIENT',
  'the proxy is for devices of the house, not for %s',
  403,
)
export const GatewayOnly = declareError(
  'BTL_ERR_PROXY_GATEWAY_ONLY',
  'this box answers for names, and is no proxy for "%s"',
  403,
)
export const BadPort = declareError(
  'BTL_ERR_PROXY_PORT',
  'the proxy leads to no port %s: see proxy.connect_ports',
  403,
)
export const PrivateAddress = declareError(
  'BTL_ERR_PROXY_PRIVATE_ADDRESS',
  '"%s" is within the house or this box, where the proxy leads to nothing',
  403,
)
export const Nested = declareError(
  'BTL_ERR_PROXY_NESTED',
  'this is the inside of a tunnel to %s already',
  403,
)
export const Loop = declareError(
  'BTL_ERR_PROXY_LOOP',
  'this request has been through this proxy before',
  508,
)
export const TooManyOfClient = declareError(
  'BTL_ERR_PROXY_TOO_MANY_OF_CLIENT',
  'this client has %s connections to other sites already',
  429,
)
export const TooMany = declareError(
  'BTL_ERR_PROXY_TOO_MANY',
  'the proxy has %s connections to other sites already',
  503,
)
export const Unresolved = declareError(
  'BTL_ERR_PROXY_UNRESOLVED',
  'the name "%s" has no address',
  502,
)
export const Unreachable = declareError(
  'BTL_ERR_PROXY_UNREACHABLE',
  '"%s" cannot be reached: %s',
  502,
)
export const Late = declareError('BTL_ERR_PROXY_LATE', '"%s" did not answer in time', 504)
export const BrokenAnswer = declareError(
  'BTL_ERR_PROXY_BROKEN_ANSWER',
  '"%s" gave no answer that can be passed on: %s',
  502,
)
export const BadSetting = declareError('BTL_ERR_PROXY_SETTING', 'proxy.%s: "%s" %s', 500)
