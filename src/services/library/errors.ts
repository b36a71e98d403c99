import { declareError } from '../../base/errors.ts'

export const MetainfoTimeout = declareError(
  'BTL_ERR_LIBRARY_TIMEOUT',
  'nobody gave the metadata of %s within %s seconds',
  504,
)
export const Stalled = declareError(
  'BTL_ERR_LIBRARY_STALLED',
  'no peer gave the next bytes of file %s of %s within %s seconds',
  504,
)
export const BadMetainfo = declareError(
  'BTL_ERR_LIBRARY_BAD_METAINFO',
  'the metadata of %s breaks the rules: %s',
  502,
)
export const NotLocal = declareError(
  'BTL_ERR_LIBRARY_NOT_LOCAL',
  '%s is not on this box, and the request forbids asking the network',
  412,
)
