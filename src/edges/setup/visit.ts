/** Who asks, from where and by which way: what the pages tell a visitor about the device in their hand. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { plainAddress } from '../../base/ip-reach.ts'
import {
  arrivedByProxy,
  clientAddress,
  type AddressSet,
  type RequestTarget,
} from '../http/index.ts'
import type { Spot } from './spots.ts'

export interface Visit extends Omit<Spot, 'asked'> {
  scheme: 'http' | 'https'
  /** The visitor's own, IPv4 without mapping and IPv6 without zone. */
  address: string
  isHouse: boolean
  viaProxy: boolean
  /** The address the visitor reached; undefined where only this machine has it. */
  reached: string | undefined
  userAgent: string
}

const LOOPBACK = /^(127\.|::1$)/

export function readVisit(
  req: IncomingMessage,
  { scheme }: RequestTarget,
  spot: Spot,
  house: { proxies: AddressSet; isHouse: (address: string) => boolean },
): Visit {
  const { kind, root, host, port } = spot
  const address = plainAddress(clientAddress(req, house.proxies)) ?? ''
  const local = plainAddress(req.socket.localAddress ?? '')
  const isUseful = local !== undefined && !LOOPBACK.test(local) && !/^fe[89ab]/i.test(local)
  return {
    kind,
    root,
    host,
    port,
    scheme,
    address,
    isHouse: house.isHouse(address),
    viaProxy: arrivedByProxy(req),
    reached: isUseful ? local : undefined,
    userAgent: (req.headers['user-agent'] ?? '').slice(0, 500),
  }
}

export const familyOf = (address: string): 4 | 6 => (isIP(address) === 6 ? 6 : 4)
