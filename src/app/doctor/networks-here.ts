/** Names of the wireless networks that this machine joins: maps of such names tell where a house is. */
import { join } from 'node:path'
import type { Machine } from '../../services/doctor/index.ts'

/** iwd.network(5): a file a network. */
const IWD = '/var/lib/iwd'
const IWD_FILE = /^(=?)(.+)\.(?:psk|open|8021x)$/
/** Files that have lines with the name: as it is, in quotes, or as hex. */
const WRITTEN = [
  '/etc/wpa_supplicant',
  '/var/etc/wpa_supplicant',
  '/etc/NetworkManager/system-connections',
]
const LINE = /^\s*ssid=(?:"(.*)"|(.*?))\s*$/gm
const HEX = /^(?:[0-9a-f]{2}){2,32}$/i

const textOf = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8')

export async function networksHere(machine: Machine): Promise<string[]> {
  const names = (await machine.list(IWD)).flatMap((file) => {
    const [, isHex = '', name] = IWD_FILE.exec(file) ?? []
    return name === undefined ? [] : [isHex === '' ? name : textOf(name)]
  })
  for (const folder of WRITTEN) {
    for (const file of await machine.list(folder)) {
      const text = (await machine.read(join(folder, file))) ?? ''
      for (const [, quoted, bare = ''] of text.matchAll(LINE)) {
        const name = quoted ?? bare
        names.push(name, ...(HEX.test(name) ? [textOf(name)] : []))
      }
    }
  }
  return names
}
