/** What the resolver throws at the box; faults of clients are answered or dropped, never thrown. */
import { declareError } from '../../base/errors.ts'

export const DnsBindFailed = declareError(
  'BTL_ERR_DNS_BIND',
  'cannot listen on %s for DNS: %s',
  503,
)
export const DnsBadRecord = declareError(
  'BTL_ERR_DNS_BAD_RECORD',
  'dns: "%s" is no record: %s',
  500,
)
export const DnsBadName = declareError(
  'BTL_ERR_DNS_BAD_NAME',
  'dns and upstream.routes: "%s" is no domain name',
  500,
)
export const DnsBadNetwork = declareError(
  'BTL_ERR_DNS_BAD_NETWORK',
  'dns: "%s" is no address or network',
  500,
)
export const DnsBadFront = declareError('BTL_ERR_DNS_BAD_FRONT', 'dns.front: "%s" %s', 500)
export const DnsOpenResolver = declareError(
  'BTL_ERR_DNS_OPEN',
  'dns.listen: %s is a public address; without dns.allow the whole internet would be answered',
  500,
)
