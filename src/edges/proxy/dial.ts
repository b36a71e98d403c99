/** Connections to other sites: a name is resolved once, judged, and only what was judged is reached. */
import type { LookupAddress } from 'node:dns'
import {
  connect as netConnect,
  isIP,
  type OnReadOpts,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net'
import { messageOf, printable } from '../../base/errors.ts'
import { addressSet } from '../http/index.ts'
import type { Authority } from './authority.ts'
import {
  BadPort,
  BadSetting,
  GatewayOnly,
  Late,
  PrivateAddress,
  Unreachable,
  Unresolved,
} from './errors.ts'
import { isPublicAddress } from './public-address.ts'

/** Addresses of a name. Rejects, or resolves to none, where it has none. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<readonly string[]>
export type Connect = (options: TcpNetConnectOpts) => Socket

export interface DialDeps {
  lookup: Lookup
  /** Without it net.connect. */
  connect?: Connect | undefined
  /** Addresses of this machine. */
  ownAddresses: () => readonly string[]
  /** Whether we listen on that port ourselves. */
  isOwnPort: (port: number) => boolean
}

export interface DialOptions {
  connect_ports: readonly number[]
  allow_private: readonly string[]
  connect_timeout: number
  other_sites: boolean
}

/** Where a request for another site leads: back to us, or to these addresses and no others. */
export type Way = { to: 'us' } | { to: 'site'; addresses: readonly string[] }

export interface Dialer {
  /** @throws GatewayOnly, BadPort, PrivateAddress (403), Unresolved (502), Late (504) */
  find(target: Authority, kind: 'tunnel' | 'request', signal: AbortSignal): Promise<Way>
  /** @throws Unreachable (502), Late (504) */
  connect(
    target: Authority,
    addresses: readonly string[],
    signal: AbortSignal,
    onread?: OnReadOpts,
  ): Promise<Socket>
}

// More would only make a client wait longer for the same refusal.
const MAX_ADDRESSES = 8

const bare = (address: string): string =>
  address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address

export function createDialer(deps: DialDeps, options: DialOptions): Dialer {
  const { lookup, connect = netConnect, ownAddresses, isOwnPort } = deps
  const allowed = addressSet(options.allow_private)
  if ('bad' in allowed) {
    throw new BadSetting('allow_private', printable(allowed.bad), 'is no address or network')
  }

  async function resolve(target: Authority, signal: AbortSignal): Promise<readonly string[]> {
    if (target.isAddress) return [target.host]
    // RFC 6761 §6.3, RFC 6762 §3: names that mean this machine, or one of this network.
    const last = target.host.split('.').at(-1) ?? ''
    if (last === 'localhost' || last === 'local') throw new PrivateAddress(target.host)
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.connect_timeout)])
    try {
      const found = await lookup(target.host, deadline)
      return found.slice(0, MAX_ADDRESSES).map(bare)
    } catch (error) {
      signal.throwIfAborted()
      if (deadline.aborted) throw new Late(target.host, { cause: error })
      throw new Unresolved(target.host, { cause: error })
    }
  }

  return {
    async find(target, kind, signal) {
      const { port } = target
      // By its address a box is asked for itself; whatever else there is, it does not even look up.
      if (!options.other_sites && !(target.isAddress && isOwnPort(port))) {
        throw new GatewayOnly(target.host)
      }
      // A plain request is HTTP whatever happens, so it may go to any port that no system service has.
      const mayGo = options.connect_ports.includes(port) || (kind === 'request' && port >= 1024)
      if (!mayGo && !isOwnPort(port)) throw new BadPort(port)
      const addresses = await resolve(target, signal)
      if (addresses.length === 0) throw new Unresolved(target.host)
      const own = new Set(ownAddresses())
      const isOwn = (address: string) => own.has(address) || address.startsWith('127.')
      // To our own port it is a request to us: dialled, it would come back for ever.
      if (isOwnPort(port) && addresses.some(isOwn)) return { to: 'us' }
      if (!options.other_sites) throw new GatewayOnly(target.host)
      if (!mayGo) throw new BadPort(port)
      const good = addresses.filter(
        (address) => allowed.has(address) || (isPublicAddress(address) && !own.has(address)),
      )
      if (good.length === 0) throw new PrivateAddress(target.host)
      return { to: 'site', addresses: good }
    },
    async connect(target, addresses, signal, onread) {
      signal.throwIfAborted()
      const pinned: LookupAddress[] = addresses.map((address) => ({
        address,
        family: isIP(address),
      }))
      const { promise, resolve: done, reject } = Promise.withResolvers<Socket>()
      const socket = connect({
        host: target.host,
        port: target.port,
        // Node tries them in turn with a head start for each (RFC 8305), and asks nobody else.
        autoSelectFamily: true,
        lookup: (_host, _options, give) => give(null, pinned),
        allowHalfOpen: true,
        noDelay: true,
        ...(onread && { onread }),
      })
      const timer = setTimeout(() => reject(new Late(target.host)), options.connect_timeout)
      const giveUp = () => reject(signal.reason)
      const fail = (error: Error) =>
        reject(new Unreachable(target.host, messageOf(error), { cause: error }))
      signal.addEventListener('abort', giveUp, { once: true })
      socket.once('connect', () => done(socket))
      socket.once('error', fail)
      try {
        return await promise
      } catch (error) {
        socket.destroy()
        throw error
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        socket.off('error', fail)
        // Until somebody reads it nobody else listens.
        socket.on('error', () => socket.destroy())
      }
    },
  }
}
