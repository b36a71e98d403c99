/** Addresses and routes of this machine. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { reachOf } from '../../base/ip-reach.ts'
import { ipBytes, ipText } from '../../base/ip-address.ts'
import type { Machine } from './ports.ts'

export interface Route {
  interface: string
  gateway: string
}

/** Virtual networks of containers and machines are nobody's house. */
const VIRTUAL = /^(?:docker|br-|veth|virbr|lxc|lxd|podman|cni|tailscale|wg|tun|tap)/

export const houseInterfaces = (): (NetworkInterfaceInfo & { interface: string })[] =>
  Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    VIRTUAL.test(name)
      ? []
      : (list ?? [])
          .filter(({ internal }) => !internal)
          .map((one) => ({ ...one, interface: name })),
  )

/** The first address of the house network: of the interface with the default route, where there is one. */
export async function houseAddress(machine: Machine) {
  const route = await defaultRoute(machine)
  const all = houseInterfaces().filter(({ family }) => family === 'IPv4')
  return all.find((one) => one.interface === route?.interface) ?? all[0]
}

/** Of the network that an address is in. */
export function broadcastOf(cidr: string | null): string {
  const [address = '', length = '32'] = (cidr ?? '').split('/')
  const bytes = ipBytes(address)
  if (bytes?.length !== 4) return '255.255.255.255'
  const bits = Number(length)
  return ipText(bytes.map((byte, i) => byte | (0xff >> Math.max(0, Math.min(8, bits - 8 * i)))))
}

/** proc_net_route: little-endian hex words. */
export async function defaultRoute(machine: Machine): Promise<Route | undefined> {
  for (const line of ((await machine.read('/proc/net/route')) ?? '').split('\n').slice(1)) {
    const [name = '', destination, gateway = '', flags = '0'] = line.trim().split(/\s+/)
    const isUp = (Number.parseInt(flags, 16) & 1) === 1
    if (destination !== '00000000' || !isUp || !/^[0-9A-F]{8}$/.test(gateway)) continue
    return { interface: name, gateway: ipText(Buffer.from(gateway, 'hex').toReversed()) }
  }
  return undefined
}

/** Of IPv6; the kernel's own "unreachable" entries are none. */
export async function defaultRoute6(machine: Machine): Promise<Route | undefined> {
  for (const line of ((await machine.read('/proc/net/ipv6_route')) ?? '').split('\n')) {
    const [destination = '', length, , , gateway = '', , , , flags = '0', name = ''] = line
      .trim()
      .split(/\s+/)
    const isReject = (Number.parseInt(flags, 16) & 0x0200) !== 0
    if (length !== '00' || !/^0{32}$/.test(destination) || isReject || name === 'lo') continue
    return { interface: name, gateway: ipText(Buffer.from(gateway, 'hex')) }
  }
  return undefined
}

export const publicIpv6 = (): string[] =>
  houseInterfaces()
    .filter(({ family, address }) => family === 'IPv6' && reachOf(address) === 'public')
    .map(({ address }) => address)
