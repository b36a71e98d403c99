import { declareError } from '../../base/errors.ts'

export const LinksUnreachable = declareError(
  'BTL_ERR_LINKS_UNREACHABLE',
  'the link record at _btlink.%s could not be asked for: %s',
  503,
)
export const LinksBadRecord = declareError(
  'BTL_ERR_LINKS_BAD_RECORD',
  'dns.link_records: "%s" is no link record: %s',
  500,
)
