/** Questions over HTTP/2 (RFC 8484), on one connection that is kept. */
import { connect, type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2'
import { MAX_MESSAGE_BYTES } from '../../base/dns/codes.ts'
import type { Message } from '../../base/dns/message.ts'
import { messageOf } from '../../base/errors.ts'
import { openTls, type TlsIdentity } from './connect.ts'
import { UpstreamBadAnswer } from './errors.ts'
import { createKept } from './kept.ts'
import { readAnswer, type SentQuery } from './query.ts'
import type { StreamLink } from './stream.ts'
import type { Endpoint } from './udp.ts'

const IDLE_MS = 30_000
const MEDIA_TYPE = 'application/dns-message'

export interface HttpsDeps {
  /** For messages. */
  server: string
  endpoint(signal: AbortSignal): Promise<Endpoint>
  identity: TlsIdentity
  path: string
}

export function createHttpsLink(deps: HttpsDeps): StreamLink {
  const { server, identity, path } = deps
  const open = new Set<ClientHttp2Session>()
  /** Those that answered before: one that is gone may have been idle too long, and deserves another. */
  const proven = new WeakSet<ClientHttp2Session>()
  const broken = (why: string, cause?: unknown) => new UpstreamBadAnswer(server, why, { cause })

  async function begin(signal: AbortSignal): Promise<ClientHttp2Session> {
    const place = await deps.endpoint(signal)
    const socket = await openTls(place, identity, signal)
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy()
      throw broken('it does not speak HTTP/2')
    }
    const port = place.port === 443 ? '' : `:${place.port}`
    const bare = place.address.includes(':') ? `[${place.address}]` : place.address
    const session = connect(`https://${identity.name ?? bare}${port}`, {
      createConnection: () => socket,
    })
    open.add(session)
    // Streams hear of it themselves.
    session.on('error', () => undefined)
    session.on('close', () => void open.delete(session))
    session.setTimeout(IDLE_MS, () => session.close())
    return session
  }

  const kept = createKept(begin, (session) => !session.closed && !session.destroyed)

  return {
    async ask(make, signal) {
      for (let isLast = false; ; isLast = true) {
        const link = await kept.get(signal)
        const wasProven = proven.has(link)
        const sent = make()
        const stream = link.request({
          ':method': 'POST',
          ':path': path,
          accept: MEDIA_TYPE,
          'content-type': MEDIA_TYPE,
          'content-length': sent.bytes.length,
        })
        try {
          const message = answerOf(await bodyOf(stream, sent, signal), sent)
          proven.add(link)
          return message
        } catch (error) {
          if (signal.aborted) throw error
          const isGone = link.closed || link.destroyed
          if (isLast || !wasProven || !isGone) throw broken(messageOf(error), error)
        }
      }
    },
    close() {
      kept.close()
      for (const link of open) link.destroy()
    },
  }

  function answerOf(bytes: Uint8Array, sent: SentQuery): Message {
    const reading = readAnswer(bytes, sent)
    if (reading.kind === 'answer') return reading.message
    throw new Error(reading.kind === 'stray' ? reading.why : 'its question is another')
  }
}

/** The body of a 200 with the right type, at most one message long. */
async function bodyOf(
  stream: ClientHttp2Stream,
  sent: SentQuery,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const onAbort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  const chunks: Buffer[] = []
  let length = 0
  stream.on('response', (headers) => {
    const status = headers[':status'] ?? 0
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
    if (status !== 200) reject(new Error(`status ${status}`))
    else if (type !== MEDIA_TYPE) reject(new Error('its body is no DNS message'))
  })
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > MAX_MESSAGE_BYTES) reject(new Error('its body is too long'))
    else chunks.push(chunk)
  })
  stream.on('end', () => resolve(Buffer.concat(chunks)))
  stream.on('error', reject)
  stream.on('close', () => reject(new Error('it closed the stream')))
  stream.end(sent.bytes)
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL)
  }
}
