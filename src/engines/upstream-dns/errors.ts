/** What the upstream engine throws. */
import { declareError } from '../../base/errors.ts'

export const UpstreamTimeout = declareError(
  'BTL_ERR_UPSTREAM_DNS_TIMEOUT',
  'no DNS server answered for %s in time',
  504,
)
export const UpstreamUnreachable = declareError(
  'BTL_ERR_UPSTREAM_DNS_UNREACHABLE',
  'no DNS server could be asked for %s: %s',
  502,
)
export const UpstreamFull = declareError(
  'BTL_ERR_UPSTREAM_DNS_FULL',
  '%s questions wait for DNS servers already',
  503,
)
/** Of one try; callers see it as the cause of another. */
export const UpstreamBadAnswer = declareError(
  'BTL_ERR_UPSTREAM_DNS_BAD_ANSWER',
  'DNS server %s gave no usable answer: %s',
  502,
)
export const UpstreamBadServer = declareError(
  'BTL_ERR_UPSTREAM_DNS_BAD_SERVER',
  '"%s" is no DNS server: %s',
  500,
)
export const UpstreamLoop = declareError(
  'BTL_ERR_UPSTREAM_DNS_LOOP',
  'DNS server "%s" is this resolver itself: questions would go round for ever',
  500,
)
