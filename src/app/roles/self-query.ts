/** Questions that a role asks itself over its own sockets: what is fed to a watchdog must have been served. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { request, type RequestOptions } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLASS, FLAG, RCODE, TYPE } from '../../base/dns/codes.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import { nameOfText, ROOT } from '../../base/dns/name.ts'
import { declareError } from '../../base/errors.ts'
import type { DnsEndpoint } from '../../base/ports/house-dns.ts'

export const NoSelfAnswer = declareError('BTL_ERR_APP_NO_SELF_ANSWER', '%s', 500)

/**
 * We come from an address of the loopback that is nobody else's, so that limits for one client, used
 * up by another program of this machine, are not ours.
 */
const OUR_ADDRESS = '127.98.116.108'

/** Under a flood the kernel drops most of what comes by UDP: asked often, one gets through. */
const ASK_AGAIN_MS = 250

/**
 * One answer over UDP to a question that needs no other server.
 * @param tld names below it are our own
 * @throws NoSelfAnswer, or the reason of `signal`
 */
export async function askResolver(
  endpoints: readonly DnsEndpoint[],
  tld: string,
  signal: AbortSignal,
): Promise<void> {
  const endpoint = endpoints.find(({ address }) => address === '127.0.0.1') ?? endpoints[0]
  if (!endpoint) throw new NoSelfAnswer('answers DNS at no address')
  const { bytes } = encodeMessage({
    id: 0,
    flags: FLAG.RD,
    rcode: RCODE.NOERROR,
    questions: [{ name: nameOfText(tld) ?? ROOT, type: TYPE.SOA, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
  })
  const isV6 = endpoint.address.includes(':')
  const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4' })
  // What cannot be sent now is sent again.
  socket.on('error', () => {})
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    if (!isV6) socket.bind({ address: OUR_ADDRESS, port: 0, exclusive: true })
    else socket.bind({ port: 0, exclusive: true })
    await once(socket, 'listening', { signal })
    // Connected: the kernel lets no other address answer.
    socket.connect(endpoint.port, endpoint.address)
    await once(socket, 'connect', { signal })
    const answered = once(socket, 'message', { signal })
    const asking = (async () => {
      while (!either.aborted) {
        socket.send(bytes)
        await sleep(ASK_AGAIN_MS, undefined, { signal: either }).catch(() => {})
      }
    })()
    await answered
    over.abort()
    await asking
  } finally {
    over.abort()
    socket.close()
  }
}

async function answers(options: RequestOptions, signal: AbortSignal): Promise<void> {
  const asked = request({ ...options, agent: false, signal })
  asked.end()
  const [response] = (await once(asked, 'response', { signal })) as [NodeJS.ReadableStream]
  response.resume()
  asked.destroy()
}

/** Any answer of an HTTP server at a TCP port of this machine. */
export function askHttp(
  { address, port, host, path }: { address: string; port: number; host: string; path: string },
  signal: AbortSignal,
): Promise<void> {
  const isWild = address === '' || address === '::' || address === '0.0.0.0'
  const target = isWild ? '127.0.0.1' : address
  const from = target.includes(':') ? {} : { localAddress: OUR_ADDRESS }
  return answers({ host: target, port, path, headers: { host }, ...from }, signal)
}

/** Any answer of an HTTP server at a Unix socket. */
export const askUnix = (socketPath: string, path: string, signal: AbortSignal): Promise<void> =>
  answers({ socketPath, path, headers: { host: 'localhost' } }, signal)
