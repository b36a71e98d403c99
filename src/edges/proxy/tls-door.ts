/** The TLS of every connection: a certificate for the host that the client names, made when it is asked for. */
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { codeOf } from '../../base/errors.ts'
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import { hangUp } from '../http/index.ts'

export interface TlsDeps {
  leaf(host: string, signal?: AbortSignal): Promise<Leaf>
  fallback(signal?: AbortSignal): Promise<Leaf>
  /** What shows a certificate authority that the host is ours, while it asks (RFC 8737). */
  proof?: ((host: string) => Leaf | undefined) | undefined
}

export interface Handshake {
  /** Host of the certificate for clients that name none; without it the box's own. */
  host?: string
  /** Whether HTTP/2 may be spoken under that name, '' where the client names none. */
  mayHttp2: (serverName: string) => boolean
  /** Whether the client looks for a proof; it gets nothing else. */
  asksForProof: boolean
  timeoutMs: number
}

export interface TlsDoor {
  /** Resolves to the inside, or to undefined where the handshake failed: the stream is closed then. */
  open(stream: Duplex, handshake: Handshake): Promise<TLSSocket | undefined>
}

// RFC 8446 §6: fatal alerts as records; Node itself hangs up without a word, and browsers then say
// that the connection was reset.
const alert = (description: number) => Buffer.from([0x15, 3, 3, 0, 2, 2, description])
const UNRECOGNIZED_NAME = alert(112)
const INTERNAL_ERROR = alert(80)

const HTTP_1 = 'http/1.1'
// RFC 8737 §6.2. Whoever offers it offers nothing else.
const PROOF = 'acme-tls/1'
// RFC 7301 §3.1: a name in the list has its length before it.
const OFFERED_PROOF = Buffer.from(`\x0a${PROOF}`, 'latin1')

/**
 * OpenSSL asks for the certificate before it tells what else the client wants, so we look ourselves. Who
 * writes these bytes elsewhere in the hello gets no connection, which is what it asked for.
 * @param hello what came first; authorities send theirs in one piece
 */
export const asksForProof = (hello: Uint8Array): boolean =>
  Buffer.from(hello.buffer, hello.byteOffset, hello.length).includes(OFFERED_PROOF)

export function createTlsDoor(deps: TlsDeps): TlsDoor {
  // The issuer gives the same leaf while it has it: so does its context, with its session tickets.
  const contexts = new WeakMap<Leaf, SecureContext>()
  const contextOf = (leaf: Leaf): SecureContext => {
    const known = contexts.get(leaf)
    if (known) return known
    const made = createSecureContext({ cert: leaf.cert, key: leaf.key })
    contexts.set(leaf, made)
    return made
  }

  const alertOf = (error: unknown): Uint8Array =>
    codeOf(error) === 'BTL_ERR_PKI_FOREIGN_NAME' ? UNRECOGNIZED_NAME : INTERNAL_ERROR

  return {
    async open(stream, { host, mayHttp2, asksForProof: asked, timeoutMs }) {
      let secureContext: SecureContext
      try {
        secureContext = contextOf(await (host === undefined ? deps.fallback() : deps.leaf(host)))
      } catch (error) {
        hangUp(stream, alertOf(error))
        return undefined
      }
      const { promise, resolve } = Promise.withResolvers<TLSSocket | undefined>()
      let proof: Leaf | undefined
      // In TLS 1.3 the protocol is chosen before the certificate, in TLS 1.2 after it.
      const proofFor = (name: string): Leaf | undefined => {
        if (asked) proof ??= deps.proof?.(name)
        return proof
      }
      const socket = new TLSSocket(stream, {
        isServer: true,
        secureContext,
        ALPNCallback: ({ servername, protocols }) => {
          if (protocols.includes(PROOF) && proofFor(servername)) return PROOF
          if (mayHttp2(servername) && protocols.includes('h2')) return 'h2'
          return protocols.includes(HTTP_1) ? HTTP_1 : undefined
        },
        SNICallback: (name, use) => {
          Promise.resolve(proofFor(name) ?? deps.leaf(name)).then(
            (leaf) => use(null, contextOf(leaf)),
            (error: unknown) => {
              const refused = () =>
                use(error instanceof Error ? error : new Error('no certificate', { cause: error }))
              if (stream.writable) stream.write(alertOf(error), refused)
              else refused()
            },
          )
        },
      })
      const fail = () => {
        resolve(undefined)
        socket.destroy()
        stream.destroy()
      }
      const timer = setTimeout(fail, timeoutMs)
      socket.on('error', fail)
      socket.once('close', fail)
      stream.once('close', () => socket.destroy())
      socket.once('secure', () => {
        // tls.Server does so too, and HTTP/2 waits for it.
        Object.assign(socket, { secureConnecting: false })
        // RFC 8737 §3: the handshake was all of it.
        if (proof) socket.end(() => stream.destroy())
        resolve(proof ? undefined : socket)
      })
      try {
        return await promise
      } finally {
        clearTimeout(timer)
        socket.off('close', fail)
      }
    },
  }
}
