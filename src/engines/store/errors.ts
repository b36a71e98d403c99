import { declareError } from '../../base/errors.ts'

export const Full = declareError(
  'BTL_ERR_STORE_FULL',
  'no space left for %s: free some or move storage.blob_storage',
  507,
)
export const TooLarge = declareError(
  'BTL_ERR_STORE_TOO_LARGE',
  'content is larger than %s bytes',
  413,
)
export const NoBlob = declareError('BTL_ERR_STORE_NO_BLOB', 'no blob %s in the store', 404)
export const NoTorrent = declareError(
  'BTL_ERR_STORE_NO_TORRENT',
  'no info dict of torrent %s in the store',
  404,
)
export const Damaged = declareError(
  'BTL_ERR_STORE_DAMAGED',
  'the files of torrent %s are not what its pieces say: %s',
  502,
)
export const Unwritable = declareError(
  'BTL_ERR_STORE_UNWRITABLE',
  'cannot write in %s (%s): check its owner and its mount',
  500,
)
export const Corrupt = declareError(
  'BTL_ERR_STORE_CORRUPT',
  'the database %s is damaged (%s) and there is no good copy of it: `btlinkd backup restore FILE`, or `btlinkd reset --factory` to begin anew',
  500,
)
export const Gone = declareError(
  'BTL_ERR_STORE_GONE',
  'the database %s is empty or gone, yet this box has stored content: is its disk there? Else `btlinkd backup restore FILE`, or `btlinkd reset --factory` to begin anew',
  500,
)
export const InUse = declareError(
  'BTL_ERR_STORE_IN_USE',
  'the database %s is held by another btlinkd: stop that one first',
  503,
)
export const TooNew = declareError(
  'BTL_ERR_STORE_TOO_NEW',
  'the database %s is of version %s, this btlinkd knows %s: update btlinkd',
  500,
)
export const Closed = declareError('BTL_ERR_STORE_CLOSED', 'the store is not open', 503)
export const Disk = declareError('BTL_ERR_STORE_DISK', 'the disk failed under %s (%s)', 503)
export const BadKeyName = declareError(
  'BTL_ERR_STORE_BAD_KEY_NAME',
  'a key name is 1 to 64 of a-z A-Z 0-9 . _ - and begins with a letter or digit, got "%s"',
  400,
)
export const BadSeed = declareError(
  'BTL_ERR_STORE_BAD_SEED',
  'the seed of a key is 32 bytes, got %s',
  400,
)
export const NoKey = declareError('BTL_ERR_STORE_NO_KEY', 'there is no key named "%s"', 404)
export const KeyExists = declareError(
  'BTL_ERR_STORE_KEY_EXISTS',
  'a key named "%s" exists already',
  409,
)
export const KeyDamaged = declareError(
  'BTL_ERR_STORE_KEY_DAMAGED',
  'the key file %s does not hold 64 hex digits: restore it from a backup',
  500,
)
