/** By which address of the box a magnet's tracker is reached: the one its reader came by, or that of the house's network. */
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'

const LOOPBACK = /^(?:127\.|::1$)/
const MAPPED = /^::ffff:(?=\d+\.)/

/** The first IPv4 address on a network; undefined on a box that has none. */
function houseAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}

/**
 * @param localAddress that a request came to; undefined on the admin socket
 * @param listens what the API listens on: a listener on loopback is reached nowhere else
 */
export function announceHost(localAddress: string | undefined, listens: string): string {
  const address = localAddress?.replace(MAPPED, '')
  if (address !== undefined && !LOOPBACK.test(address)) return address.split('%', 1)[0] ?? address
  if (LOOPBACK.test(listens)) return listens
  // A link copied on the box itself is meant for other devices too.
  return houseAddress() ?? address ?? '127.0.0.1'
}

/**
 * The tracker for pages that came over https: those may open no `ws:`. Whoever got them trusts the box
 * under its names, and only under those.
 * @param httpsPort 0 while it does not listen
 */
export function secureAnnounceUrls(connection: Socket, tld: string, httpsPort: number): string[] {
  const isSecure = 'encrypted' in connection && connection.encrypted === true
  return isSecure && httpsPort > 0 ? [`wss://${tld}:${httpsPort}/announce`] : []
}
