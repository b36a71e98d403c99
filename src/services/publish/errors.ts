import { declareError } from '../../base/errors.ts'

export const BadSalt = declareError(
  'BTL_ERR_PUBLISH_BAD_SALT',
  'a salt has at most 64 bytes, this one has %s',
  400,
)
export const BadFolder = declareError('BTL_ERR_PUBLISH_BAD_FOLDER', 'cannot publish %s: %s', 400)
export const BadName = declareError('BTL_ERR_PUBLISH_BAD_NAME', 'cannot publish %s: %s', 400)
export const Empty = declareError(
  'BTL_ERR_PUBLISH_EMPTY',
  'there are no bytes to publish in %s',
  400,
)
export const TooManyFiles = declareError(
  'BTL_ERR_PUBLISH_TOO_MANY_FILES',
  '%s has more than %s files',
  413,
)
export const Changing = declareError(
  'BTL_ERR_PUBLISH_CHANGING',
  'the files of %s change faster than they can be read: publish it when it is quiet',
  409,
)
export const Refused = declareError(
  'BTL_ERR_PUBLISH_REFUSED',
  'cannot make a torrent of %s: %s',
  400,
)
export const BadPath = declareError('BTL_ERR_PUBLISH_BAD_PATH', 'cannot store "%s": %s', 400)
export const TooLarge = declareError(
  'BTL_ERR_PUBLISH_TOO_LARGE',
  'the upload is larger than %s',
  413,
)
export const NoTorrent = declareError(
  'BTL_ERR_PUBLISH_NO_TORRENT',
  'the torrent %s is not on this box',
  404,
)
export const NoRecord = declareError(
  'BTL_ERR_PUBLISH_NO_RECORD',
  'no record of the name was found: nobody published it, or the network could not be asked',
  404,
)
