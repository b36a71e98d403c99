/** How a request came to us: what it may do in a browser depends on it. */
import type { IncomingMessage } from 'node:http'

const proxied = new WeakSet<object>()

/** Says that what comes over this socket was sent through our proxy (the inside of a CONNECT). */
export function markProxied(socket: object): void {
  proxied.add(socket)
}

/** Whether the client uses us as its proxy: an absolute-form target, or the inside of a CONNECT. */
export const arrivedByProxy = (req: IncomingMessage): boolean =>
  proxied.has(req.socket) || /^https?:/i.test(req.url ?? '')
