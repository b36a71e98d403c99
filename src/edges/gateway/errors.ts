import { declareError } from '../../base/errors.ts'

export const UnknownHost = declareError(
  'BTL_ERR_GATEWAY_UNKNOWN_HOST',
  'this box serves no site under the host "%s"',
  404,
)
export const NoLink = declareError(
  'BTL_ERR_GATEWAY_NO_LINK',
  'the domain "%s" has no site: no TXT record at _btlink.%s names one',
  404,
)
export const BadPath = declareError('BTL_ERR_GATEWAY_BAD_PATH', 'the path is not right: %s', 400)
export const NotFound = declareError(
  'BTL_ERR_GATEWAY_NOT_FOUND',
  'this site has nothing at "%s"',
  404,
)
export const Gone = declareError('BTL_ERR_GATEWAY_GONE', 'the site says "%s" is gone', 410)
export const Withheld = declareError(
  'BTL_ERR_GATEWAY_WITHHELD',
  'the site withholds "%s" for legal reasons',
  451,
)
export const BadMethod = declareError(
  'BTL_ERR_GATEWAY_METHOD',
  '%s is not possible here: sites are read with GET and HEAD',
  405,
)
export const NotCached = declareError(
  'BTL_ERR_GATEWAY_NOT_CACHED',
  'not on this box yet, and the request forbids fetching (only-if-cached)',
  412,
)
export const PreconditionFailed = declareError(
  'BTL_ERR_GATEWAY_PRECONDITION',
  'the content is not the version the request insists on',
  412,
)
export const BadRange = declareError(
  'BTL_ERR_GATEWAY_RANGE',
  'the range lies outside the %s bytes of the file',
  416,
)
export const BadRedirects = declareError(
  'BTL_ERR_GATEWAY_BAD_REDIRECTS',
  'the _redirects file of this site cannot be used: %s',
  500,
)
export const BadFormat = declareError('BTL_ERR_GATEWAY_FORMAT', '%s', 406)
export const BadDatetime = declareError(
  'BTL_ERR_GATEWAY_DATETIME',
  'Accept-Datetime "%s" is no HTTP date',
  400,
)
export const Timeout = declareError(
  'BTL_ERR_GATEWAY_TIMEOUT',
  'nobody offered %s within %s seconds',
  504,
)
export const Busy = declareError(
  'BTL_ERR_GATEWAY_BUSY',
  'the box is answering %s requests already',
  503,
)
export const BadProxyList = declareError(
  'BTL_ERR_GATEWAY_PROXY_LIST',
  'btlink.trusted_proxies: "%s" is no address or network',
  500,
)
export const BadLink = declareError(
  'BTL_ERR_GATEWAY_LINK',
  '"%s" is no btlink name, infohash or magnet link: %s',
  400,
)
export const UploadRefused = declareError('BTL_ERR_GATEWAY_UPLOAD_REFUSED', '%s', 403)
export const BadUpload = declareError(
  'BTL_ERR_GATEWAY_UPLOAD',
  'the upload cannot be used: %s',
  400,
)
export const UploadTooLarge = declareError(
  'BTL_ERR_GATEWAY_UPLOAD_TOO_LARGE',
  'the upload is larger than the allowed %s',
  413,
)
export const ShortFile = declareError(
  'BTL_ERR_GATEWAY_SHORT_FILE',
  'a file on disk ends at byte %s, before its promised length',
  500,
)
