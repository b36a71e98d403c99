import { declareError } from '../../base/errors.ts'

export const NoCheck = declareError(
  'BTL_ERR_DOCTOR_NO_CHECK',
  'there is no check "%s": `btlinkd doctor --list` names them',
  404,
)
export const NoFix = declareError(
  'BTL_ERR_DOCTOR_NO_FIX',
  'there is no fix "%s": `btlinkd doctor --list` names them',
  404,
)
export const CannotFix = declareError('BTL_ERR_DOCTOR_CANNOT_FIX', '%s', 409)
