/** Who is of the house, and may be led to other sites. */
import { networkInterfaces } from 'node:os'
import { isIP } from 'node:net'
import { printable } from '../../base/errors.ts'
import { addressSet, isHouseAddress } from '../http/index.ts'
import { BadSetting } from './errors.ts'

/** IPv6 networks this machine is in, with global addresses: `2001:db8:1:2::5/64`. */
export const machineNetworks = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv6' && !internal)
    .flatMap(({ cidr }) => (cidr === null ? [] : [cidr]))

/**
 * Devices of a house have global addresses in IPv6, in the network that the box is in. In IPv4 whoever
 * shares a public network with us is a stranger.
 * @param allowed `proxy.clients`
 * @param networks see `machineNetworks`; asked anew, as providers change them
 * @throws BadSetting where `allowed` holds something else than addresses and networks
 */
export function createHouse(
  allowed: readonly string[],
  networks: () => readonly string[],
): (address: string) => boolean {
  const clients = addressSet(allowed)
  if ('bad' in clients) {
    throw new BadSetting('clients', printable(clients.bad), 'is no address or network')
  }
  return (address) => {
    if (isHouseAddress(address) || clients.has(address)) return true
    if (isIP(address) !== 6) return false
    const own = addressSet(networks())
    return 'has' in own && own.has(address)
  }
}
