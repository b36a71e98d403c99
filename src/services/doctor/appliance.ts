/** Our image, whose `/etc` cannot be written: what is set there on a Debian is set on its card. */
import type { Machine } from './ports.ts'

const OS_RELEASE = '/etc/os-release'

/** Of our image, not of another Debian. */
export async function isAppliance(machine: Machine): Promise<boolean> {
  return /^(?:IMAGE_)?ID="?btlinkd"?$/m.test((await machine.read(OS_RELEASE)) ?? '')
}

/** Of the image that runs. */
export async function imageVersion(machine: Machine): Promise<string | undefined> {
  return /^IMAGE_VERSION="?([^"\n]*)/m.exec((await machine.read(OS_RELEASE)) ?? '')?.[1]
}
