/** The addresses of this machine, and under which of them a client that came to one finds the box. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { ipBytes } from '../../base/ip-address.ts'
import { createNetworks, HOUSE } from './networks.ts'

export interface BoxAddresses {
  /** 4 bytes. */
  v4: Uint8Array | undefined
  /** 16 bytes; never link-local, which says nothing without a zone. */
  v6: Uint8Array | undefined
}

export type Interfaces = () => Record<string, NetworkInterfaceInfo[] | undefined>

const REREAD_MS = 1000
const house = createNetworks(HOUSE)
const LINK_LOCAL = createNetworks(['fe80::/10'])

export function createBoxAddresses(now: () => number, interfaces: Interfaces = networkInterfaces) {
  let readAt: number | undefined
  let lists: NetworkInterfaceInfo[][] = []
  let byLocal = new Map<string, BoxAddresses>()

  function refresh(): void {
    if (readAt !== undefined && now() - readAt < REREAD_MS) return
    readAt = now()
    lists = Object.values(interfaces()).map((list) => list ?? [])
    byLocal = new Map()
  }

  function find(local: string): BoxAddresses {
    const list = lists.find((one) => one.some(({ address }) => address === local)) ?? []
    const own = ipBytes(local)
    const stable = list
      .map(({ address }) => ipBytes(address))
      .filter((bytes) => bytes !== undefined && !LINK_LOCAL.has(bytes))
    const first = (length: number) =>
      own?.length === length && !LINK_LOCAL.has(own)
        ? own
        : stable.find((bytes) => bytes?.length === length)
    return { v4: first(4), v6: first(16) }
  }

  return {
    /** Of the interface that has `local`, and `local` itself before others of it. */
    seenFrom(local: string): BoxAddresses {
      refresh()
      let found = byLocal.get(local)
      if (found === undefined) {
        found = find(local)
        byLocal.set(local, found)
      }
      return found
    },
    /** Loopback and private addresses: what `auto` listens on. Link-local ones need a zone and are left out. */
    ofTheHouse(): string[] {
      refresh()
      return lists.flat().flatMap(({ address }) => {
        const bytes = ipBytes(address)
        return bytes && house.has(bytes) && !LINK_LOCAL.has(bytes) ? [address] : []
      })
    },
    /** Networks this machine is directly connected to, as `address/length`. */
    networks(): string[] {
      refresh()
      return lists.flat().flatMap(({ cidr }) => cidr?.split('%')[0] ?? [])
    },
  }
}

export type BoxAddressBook = ReturnType<typeof createBoxAddresses>
