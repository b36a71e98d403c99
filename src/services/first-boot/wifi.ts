/** A wireless network as the two programs that join one want it written. */
import { pbkdf2Sync } from 'node:crypto'

export interface Wifi {
  ssid: string
  /** Empty for an open network; 64 hex digits are the key itself. */
  password: string
  hidden: boolean
  /** ISO 3166-1, two letters; empty where it was not said. */
  country: string
}

const HEX_KEY = /^[0-9a-f]{64}$/i

/** IEEE 802.11-2020, J.4.1: the key of a passphrase. */
export const keyOf = ({ ssid, password }: Wifi): string =>
  HEX_KEY.test(password)
    ? password.toLowerCase()
    : pbkdf2Sync(password, ssid, 4096, 32, 'sha1').toString('hex')

const hex = (text: string): string => Buffer.from(text).toString('hex')

/** iwd.network(5), "FILE FORMAT": names of other letters are `=` and hex. */
export function iwdFile(wifi: Wifi): { name: string; text: string } {
  const isPlain = /^[A-Za-z0-9 _-]+$/.test(wifi.ssid)
  const name = `${isPlain ? wifi.ssid : `=${hex(wifi.ssid)}`}.${wifi.password === '' ? 'open' : 'psk'}`
  const lines = wifi.password === '' ? [] : ['[Security]', `PreSharedKey=${keyOf(wifi)}`]
  if (wifi.hidden) lines.push('[Settings]', 'Hidden=true')
  return { name, text: `${lines.join('\n')}\n` }
}

/** wpa_supplicant.conf(5): nothing of it is quoted, so that no name can end its own quotes. */
export function wpaFile(wifi: Wifi): string {
  const lines = [
    'ctrl_interface=DIR=/run/wpa_supplicant',
    ...(wifi.country === '' ? [] : [`country=${wifi.country}`]),
    'network={',
    `  ssid=${hex(wifi.ssid)}`,
    ...(wifi.hidden ? ['  scan_ssid=1'] : []),
    ...(wifi.password === '' ? ['  key_mgmt=NONE'] : [`  psk=${keyOf(wifi)}`]),
    '}',
  ]
  return `${lines.join('\n')}\n`
}
