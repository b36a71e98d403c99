import { declareError } from '../../base/errors.ts'

export const BadConfig = declareError('BTL_ERR_CONFIG_INVALID', '%s', 500)
export const UnreadableConfig = declareError(
  'BTL_ERR_CONFIG_UNREADABLE',
  'cannot read the configuration %s: %s',
  500,
)
