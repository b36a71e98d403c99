import { declareError } from '../../base/errors.ts'

export const BadDer = declareError('BTL_ERR_PKI_BAD_DER', 'not a certificate of ours: %s', 500)
export const ForeignName = declareError(
  'BTL_ERR_PKI_FOREIGN_NAME',
  'no certificate for "%s": %s',
  421,
)
export const TooFast = declareError(
  'BTL_ERR_PKI_TOO_FAST',
  'more than %s certificates a second were asked for',
  503,
)
export const NotReady = declareError(
  'BTL_ERR_PKI_NOT_READY',
  'the certificate authority of this box cannot be used: %s',
  503,
)
export const Damaged = declareError(
  'BTL_ERR_PKI_DAMAGED',
  'the certificate authority in %s is damaged (%s): restore a backup, or make a new one with "btlinkd ca rotate"',
  500,
)
export const Unwritable = declareError(
  'BTL_ERR_PKI_UNWRITABLE',
  'cannot keep a certificate authority in %s (%s): check its space, its owner and its mount',
  500,
)
export const Expired = declareError(
  'BTL_ERR_PKI_EXPIRED',
  'the certificate authority in %s ended on %s: make a new one with "btlinkd ca rotate"',
  503,
)
export const NoAuthority = declareError(
  'BTL_ERR_PKI_NO_AUTHORITY',
  'there is no certificate authority for %s',
  404,
)
export const Changed = declareError(
  'BTL_ERR_PKI_CHANGED',
  'somebody else replaced the certificate authority in %s at the same moment: look again',
  409,
)
export const BadBundle = declareError(
  'BTL_ERR_PKI_BAD_BUNDLE',
  'not an exported certificate authority for this box: %s',
  400,
)
export const BadPassphrase = declareError(
  'BTL_ERR_PKI_BAD_PASSPHRASE',
  'the passphrase does not open this export, or the export was changed',
  400,
)
export const WeakPassphrase = declareError(
  'BTL_ERR_PKI_WEAK_PASSPHRASE',
  'a passphrase has %s to %s characters, this one has %s',
  400,
)
export const TooManyDomains = declareError(
  'BTL_ERR_PKI_TOO_MANY_DOMAINS',
  '%s link domains are more than the %s that fit in one root',
  400,
)
export const ConfiguredDomain = declareError(
  'BTL_ERR_PKI_CONFIGURED_DOMAIN',
  '%s stands in pki.link_domains of the configuration: take it out there',
  409,
)
export const BadSetting = declareError('BTL_ERR_PKI_BAD_SETTING', 'pki.%s: "%s" %s', 400)
