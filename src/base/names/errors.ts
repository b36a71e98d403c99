import { declareError } from '../errors.ts'

export const BadName = declareError(
  'BTL_ERR_BASE_BAD_NAME',
  'bad host "%s": %s; valid names are <40 hex digits>-ih.%s, [<salt>.]<base36 key>-pk.%s, <salt>-<base36 key>-pk.%s and <40 hex digits>-44.%s',
  400,
)
export const BadBase36 = declareError('BTL_ERR_BASE_BAD_BASE36', '"%s" is not base36: %s', 400)
export const BadMagnet = declareError('BTL_ERR_BASE_BAD_MAGNET', 'bad magnet link: %s', 400)
export const BadValue = declareError('BTL_ERR_BASE_BAD_VALUE', '"%s" is not %s: %s', 400)
export const UnwritableName = declareError(
  'BTL_ERR_BASE_UNWRITABLE_NAME',
  'this name cannot be written as %s: %s',
  400,
)
