import { declareError } from '../../base/errors.ts'

export const BadKey = declareError(
  'BTL_ERR_UPDATE_BAD_KEY',
  'the public key %s is none of minisign: %s',
  500,
)
export const BadSignature = declareError(
  'BTL_ERR_UPDATE_BAD_SIGNATURE',
  'the release at %s is not signed by its vendor: %s',
  403,
)
export const BadRelease = declareError(
  'BTL_ERR_UPDATE_BAD_RELEASE',
  'the release at %s cannot be read: %s',
  502,
)
export const NotForUs = declareError(
  'BTL_ERR_UPDATE_NOT_FOR_US',
  'the release %s is not for this box: %s',
  409,
)
export const Unreachable = declareError('BTL_ERR_UPDATE_UNREACHABLE', 'no release at %s: %s', 503)
export const BadFile = declareError(
  'BTL_ERR_UPDATE_BAD_FILE',
  'the file %s is not what was signed: %s',
  502,
)
export const BadDelta = declareError(
  'BTL_ERR_UPDATE_BAD_DELTA',
  'the pack %s cannot be unpacked: %s',
  502,
)
export const NoRoom = declareError(
  'BTL_ERR_UPDATE_NO_ROOM',
  'the update needs %s in %s and %s are free: delete what is not needed, or unpin sites',
  507,
)
export const NoSource = declareError(
  'BTL_ERR_UPDATE_NO_SOURCE',
  'there is nothing to install: %s',
  404,
)
export const NoOther = declareError(
  'BTL_ERR_UPDATE_NO_OTHER',
  'there is no version beside %s to go back to',
  404,
)
