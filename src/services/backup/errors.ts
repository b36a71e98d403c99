import { declareError } from '../../base/errors.ts'

export const NotABackup = declareError(
  'BTL_ERR_BACKUP_NOT_A_BACKUP',
  'this is no backup of btlinkd: %s',
  400,
)
export const Damaged = declareError(
  'BTL_ERR_BACKUP_DAMAGED',
  'the backup is damaged (%s): take another copy of it',
  400,
)
export const BadPassphrase = declareError(
  'BTL_ERR_BACKUP_BAD_PASSPHRASE',
  'the passphrase does not open this backup',
  400,
)
export const WeakPassphrase = declareError(
  'BTL_ERR_BACKUP_WEAK_PASSPHRASE',
  'a passphrase has %s to %s characters, this one has %s',
  400,
)
export const TooNew = declareError(
  'BTL_ERR_BACKUP_TOO_NEW',
  'the backup is of form %s, made by btlinkd %s; this one knows form %s: update btlinkd first',
  400,
)
export const Unreadable = declareError('BTL_ERR_BACKUP_UNREADABLE', 'cannot back up %s: %s', 500)
export const NoSpace = declareError(
  'BTL_ERR_BACKUP_NO_SPACE',
  'the backup needs %s in %s, which has %s',
  507,
)
export const Unwritable = declareError(
  'BTL_ERR_BACKUP_UNWRITABLE',
  'cannot restore into %s: %s',
  500,
)
export const Unfinished = declareError(
  'BTL_ERR_BACKUP_UNFINISHED',
  'a restore of %s was cut short and cannot go on (%s): run `btlinkd backup resume` as root',
  500,
)
