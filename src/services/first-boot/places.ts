/** Where the box keeps what it took from the card, on a root that cannot be written. */
import { join } from 'node:path'

export interface Places {
  /** `/etc/btlinkd` is a link to it. */
  etc: string
  /** As sshd is told by its configuration. */
  ssh: string
  /** Folder of iwd's networks; it reads them from there without a word. */
  iwd: string
  wpa: string
  /** The tz database. */
  zones: string
  /** Files of which one says which program joins wireless networks. */
  iwdUnit: string
  wpaProgram: string
  /** What the box begins with. */
  defaults: string
  /** Report of the last run, gone with the next boot. */
  report: string
}

export const PLACES: Places = {
  etc: '/var/etc/btlinkd',
  ssh: '/var/lib/ssh',
  iwd: '/var/lib/iwd',
  wpa: '/var/etc/wpa_supplicant',
  zones: '/usr/share/zoneinfo',
  iwdUnit: '/usr/lib/systemd/system/iwd.service',
  wpaProgram: '/usr/sbin/wpa_supplicant',
  defaults: '/usr/share/btlinkd/btlinkd.yaml',
  report: '/run/btlinkd/first-boot.json',
}

export const configFileIn = (etc: string): string => join(etc, 'btlinkd.yaml')
export const hostnameFileIn = (etc: string): string => join(etc, 'hostname')
export const keysFileIn = (ssh: string): string => join(ssh, 'authorized_keys')
/** A copy of each file of the card as it was last taken, without its secrets. */
export const takenIn = (etc: string, name: string): string => join(etc, 'from-card', name)
