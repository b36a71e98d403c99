/** The addresses of this machine, and under which of them a client that came to one finds the box. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { ipBytes } from '../../base/ip-address.ts'
import { DnsBadNetwork } from './errors.ts'
import { createNetworks, HOUSE } from './networks.ts'

export interface BoxAddresses {
  /** 4 bytes. */
  v4: Uint8Array | undefined
  /** 16 bytes; never link-local, which says nothing without a zone. */
  v6: Uint8Array | undefined
}

export type Interfaces = () => Record<string, NetworkInterfaceInfo[] | undefined>

const REREAD_MS = 1000
const MAX_CLIENTS = 1024
const house = createNetworks(HOUSE)
const LINK_LOCAL = createNetworks(['fe80::/10'])
const LOOPBACK = createNetworks(['127.0.0.0/8', '::1/128'])

function isOfTheHouse({ address }: NetworkInterfaceInfo): boolean {
  const bytes = ipBytes(address)
  return bytes !== undefined && house.has(bytes) && !LINK_LOCAL.has(bytes)
}

function isLinkLocal({ address }: NetworkInterfaceInfo): boolean {
  const bytes = ipBytes(address)
  return bytes !== undefined && LINK_LOCAL.has(bytes)
}

/** The IPv4 address of a client that came to a socket of both kinds (RFC 4291 §2.5.5.2). */
export const unmapped = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address

/** Whether it is written with its zone, as `ipBytes` takes none. */
const isZoned = ({ address }: NetworkInterfaceInfo): boolean => address.includes('%')

function literal(text: string): Uint8Array {
  const bytes = ipBytes(text)
  if (bytes === undefined) throw new DnsBadNetwork(text)
  return bytes
}

/**
 * @param given what those get who ask over loopback, since a resolver in front of us asks for the house:
 * literals, or `auto` for the first private network; undefined where nobody is in front
 * @throws DnsBadNetwork
 */
export function createBoxAddresses(
  now: () => number,
  interfaces: Interfaces = networkInterfaces,
  given?: readonly string[],
) {
  const literals = (given ?? []).filter((text) => text !== 'auto').map(literal)
  let readAt: number | undefined
  /** Of each interface; link-local addresses with their zone, as they are bound. */
  let lists: NetworkInterfaceInfo[][] = []
  let byLocal = new Map<string, BoxAddresses>()
  const byClient = new Map<string, BoxAddresses>()

  function refresh(): void {
    if (readAt !== undefined && now() - readAt < REREAD_MS) return
    readAt = now()
    lists = Object.entries(interfaces()).map(([name, list]) =>
      (list ?? []).map((info) =>
        isLinkLocal(info) ? { ...info, address: `${info.address}%${name}` } : info,
      ),
    )
    byLocal = new Map()
    byClient.clear()
  }

  function find(local: string): BoxAddresses {
    const own = ipBytes(local)
    if (given !== undefined && own && LOOPBACK.has(own)) return ofTheFront()
    return ofList(lists.find((one) => one.some(({ address }) => address === local)) ?? [], own)
  }

  /** Of the interface that the client's network or zone is at. */
  function findBy(client: string): BoxAddresses {
    const [text = '', zone] = client.split('%')
    const bytes = ipBytes(text)
    if (bytes === undefined || LOOPBACK.has(bytes)) return find('127.0.0.1')
    const isNear = (info: NetworkInterfaceInfo) =>
      zone === undefined
        ? createNetworks([info.cidr?.split('%')[0] ?? []].flat()).has(bytes)
        : info.address.endsWith(`%${zone}`)
    for (const list of lists) {
      const own = list.find(isNear)
      if (own) return ofList(list, ipBytes(own.address.split('%', 1)[0] ?? ''))
    }
    return ofTheFirst()
  }

  /** Of the first private network: its private addresses before those that the provider may change. */
  function ofTheFirst(): BoxAddresses {
    const isHouse = (info: NetworkInterfaceInfo) => !info.internal && isOfTheHouse(info)
    const first = lists.find((one) => one.some(isHouse))
    const known = [...(first ?? [])].sort((a, b) => Number(isHouse(b)) - Number(isHouse(a)))
    return ofList(known, undefined)
  }

  /** Where the house finds us, not this machine. */
  function ofTheFront(): BoxAddresses {
    const { v4, v6 } = given?.includes('auto') === true ? ofTheFirst() : ofList([], undefined)
    const written = (length: number) => literals.find((bytes) => bytes.length === length)
    return { v4: written(4) ?? v4, v6: written(16) ?? v6 }
  }

  function ofList(
    list: readonly NetworkInterfaceInfo[],
    own: Uint8Array | undefined,
  ): BoxAddresses {
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
    /** Of the interface that is nearest to a client, where it is not known to which address it came. */
    seenBy(client: string): BoxAddresses {
      refresh()
      let found = byClient.get(client)
      if (found === undefined) {
        found = findBy(client)
        if (byClient.size >= MAX_CLIENTS) byClient.clear()
        byClient.set(client, found)
      }
      return found
    },
    /**
     * What `auto` listens on: loopback and private addresses, and on the interfaces that have one also
     * the link-local one with its zone, which is what routers tell devices by IPv6 (RFC 8106).
     */
    ofTheHouse(): string[] {
      refresh()
      return lists
        .filter((list) => list.some(isOfTheHouse))
        .flatMap((list) => list.filter((info) => isOfTheHouse(info) || isZoned(info)))
        .map(({ address }) => address)
    },
    /** Networks this machine is directly connected to, as `address/length`. */
    networks(): string[] {
      refresh()
      return lists.flat().flatMap(({ cidr }) => cidr?.split('%')[0] ?? [])
    },
  }
}

export type BoxAddressBook = ReturnType<typeof createBoxAddresses>
