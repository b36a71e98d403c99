import { declareError } from '../../base/errors.ts'

export const BadSetting = declareError('BTL_ERR_ACME_BAD_SETTING', 'acme.%s: "%s" %s', 400)
export const Unreachable = declareError(
  'BTL_ERR_ACME_UNREACHABLE',
  'the certificate authority cannot be asked for %s: %s',
  502,
)
export const BadAnswer = declareError(
  'BTL_ERR_ACME_BAD_ANSWER',
  'the certificate authority gave no usable answer: %s',
  502,
)
export const Refused = declareError(
  'BTL_ERR_ACME_REFUSED',
  'the certificate authority refused %s: %s',
  502,
)
export const NoChallenge = declareError(
  'BTL_ERR_ACME_NO_CHALLENGE',
  'the certificate authority does not take proof by %s for "%s"',
  502,
)
export const Late = declareError(
  'BTL_ERR_ACME_LATE',
  'no certificate for "%s" within %s seconds',
  504,
)
export const BadChain = declareError(
  'BTL_ERR_ACME_BAD_CHAIN',
  'the certificate for "%s" cannot be used: %s',
  502,
)
export const Unwritable = declareError(
  'BTL_ERR_ACME_UNWRITABLE',
  'cannot keep certificates in %s (%s): check its space, its owner and its mount',
  500,
)
