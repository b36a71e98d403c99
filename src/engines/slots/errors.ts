import { declareError } from '../../base/errors.ts'

export const NotAnImage = declareError(
  'BTL_ERR_SLOTS_NOT_AN_IMAGE',
  'this machine does not run an image of btlinkd (%s): apt or Ansible keep it up to date',
  409,
)
export const NoSuchSlot = declareError(
  'BTL_ERR_SLOTS_NO_SUCH_SLOT',
  'version %s cannot boot on this machine: %s',
  404,
)
export const NoRoomOnEsp = declareError(
  'BTL_ERR_SLOTS_NO_ROOM_ON_ESP',
  'the boot partition %s has %s free and the new kernel needs %s: remove files that you put there',
  507,
)
export const InstallFailed = declareError(
  'BTL_ERR_SLOTS_INSTALL_FAILED',
  'version %s could not be installed: %s',
  500,
)
