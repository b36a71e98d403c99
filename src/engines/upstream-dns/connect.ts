/** Connections to servers: TCP, and TLS whose certificate says the name or address we meant. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { messageOf } from '../../base/errors.ts'
import { UpstreamBadAnswer } from './errors.ts'
import type { Endpoint } from './udp.ts'

export interface TlsIdentity {
  /** Undefined where the certificate is for the address. */
  name: string | undefined
  /** PEM; undefined for the authorities of Node. */
  ca: string[] | undefined
  protocol: 'dot' | 'h2'
}

async function opened<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<S> {
  const { promise, resolve, reject } = Promise.withResolvers<S>()
  const refused = (error: Error) =>
    reject(new UpstreamBadAnswer(endpoint.address, messageOf(error), { cause: error }))
  const onAbort = () => reject(signal.reason as Error)
  socket.once(event, () => resolve(socket))
  socket.once('error', refused)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await promise
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.removeListener('error', refused)
  }
}

/** @throws UpstreamBadAnswer; the reason of `signal` */
export const openTcp = async (endpoint: Endpoint, signal: AbortSignal): Promise<Socket> =>
  opened(connectTcp({ host: endpoint.address, port: endpoint.port }), 'connect', endpoint, signal)

/** @throws UpstreamBadAnswer; the reason of `signal` */
export async function openTls(
  endpoint: Endpoint,
  identity: TlsIdentity,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = connectTls({
    host: endpoint.address,
    port: endpoint.port,
    ALPNProtocols: [identity.protocol],
    minVersion: 'TLSv1.2',
    ...(identity.name !== undefined && { servername: identity.name }),
    ...(identity.ca !== undefined && { ca: identity.ca }),
  })
  return opened(socket, 'secureConnect', endpoint, signal)
}
