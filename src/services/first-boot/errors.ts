import { declareError } from '../../base/errors.ts'

export const Unwritable = declareError('BTL_ERR_FIRST_BOOT_UNWRITABLE', 'cannot keep %s: %s', 500)
