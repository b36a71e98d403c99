/** HTTPS to one authority and to nobody else: bounded answers, no redirects, no other host. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { messageOf, printable } from '../../base/errors.ts'
import { BadAnswer, Unreachable } from './errors.ts'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface Transport {
  /**
   * @param url of the authority's own origin
   * @param jose a signed request; without it there is no body
   * @throws Unreachable, BadAnswer
   */
  ask(
    method: 'GET' | 'HEAD' | 'POST',
    url: string,
    jose: string | undefined,
    signal: AbortSignal,
  ): Promise<Reply>
  close(): void
}

// A chain of four certificates with 4096-bit keys has some 10 KB.
const MAX_BODY_BYTES = 131_072
const REQUEST_TIMEOUT_MS = 30_000
const MAX_URL = 2048

async function readBody(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) {
      reply.destroy()
      throw new BadAnswer(`more than ${MAX_BODY_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @param ca PEM of the roots that may vouch for the authority; without it those that Node knows */
export function createTransport(directory: string, ca: string | undefined): Transport {
  const { origin } = new URL(directory)
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...(ca !== undefined && { ca }) })

  /** Its answers name the next address to ask: one of the house would be asked from inside. */
  function checked(url: string): URL {
    const parsed = url.length <= MAX_URL && URL.canParse(url) ? new URL(url) : undefined
    if (parsed?.origin === origin && parsed.username === '') return parsed
    throw new BadAnswer(`it leads to "${printable(url)}", which is not under ${origin}`)
  }

  async function open(
    method: string,
    url: URL,
    jose: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const req = request(url, {
      method,
      agent,
      signal,
      headers: {
        // RFC 8555 §6.1: clients say who they are.
        'User-Agent': 'btlinkd',
        Accept: 'application/json, application/pem-certificate-chain, */*',
        ...(jose !== undefined && {
          'Content-Type': 'application/jose+json',
          'Content-Length': Buffer.byteLength(jose),
        }),
      },
    })
    req.once('response', resolve)
    req.on('error', reject)
    req.end(jose)
    return promise
  }

  return {
    async ask(method, url, jose, signal) {
      const target = checked(url)
      const both = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      try {
        const reply = await open(method, target, jose, both)
        const { statusCode: status = 0, headers } = reply
        if (status >= 300 && status < 400) {
          reply.destroy()
          throw new BadAnswer(`a redirect (${status}) in place of ${target.pathname}`)
        }
        return { status, headers, body: await readBody(reply) }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof BadAnswer) throw error
        const reason = both.aborted ? 'no answer in time' : messageOf(error)
        throw new Unreachable(target.href, printable(reason, 200), { cause: error })
      }
    },
    close: () => agent.destroy(),
  }
}
