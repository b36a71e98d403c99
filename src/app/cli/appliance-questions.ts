/** One question to a resolver and one to a web server on this machine; each says what is wrong, or nothing. */
import { createSocket } from 'node:dgram'
import { randomInt } from 'node:crypto'
import { request } from 'node:http'
import { CLASS, FLAG, RCODE, TYPE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import { nameOfText } from '../../base/dns/name.ts'
import { codeOf, messageOf } from '../../base/errors.ts'

const HOST = '127.0.0.1'
/** A resolver behind another one may be starting. */
const DNS_TIMEOUT_MS = 3000
const HTTP_TIMEOUT_MS = 10_000

const failure = (error: unknown, timeoutMs: number): string =>
  error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')
    ? `no answer within ${timeoutMs / 1000} s`
    : (codeOf(error) ?? messageOf(error))

function exchange(port: number, query: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const end = (done: () => void) => {
      signal.removeEventListener('abort', given)
      socket.close()
      done()
    }
    const given = () => end(() => reject(signal.reason as Error))
    signal.addEventListener('abort', given)
    socket.once('error', (error) => end(() => reject(error)))
    socket.once('message', (reply) => end(() => resolve(reply)))
    // Connected, so that nobody else can answer, and a closed port is told at once.
    socket.connect(port, HOST, () => socket.send(query))
  })
}

/**
 * Asks for the SOA, which is there without a cable too.
 * @returns what is wrong; undefined where the answer is NOERROR
 */
export async function asksName(
  port: number | undefined,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const qname = nameOfText(name)
  if (port === undefined || port === 0 || qname === undefined) return 'does not listen'
  const limit = AbortSignal.any([signal, AbortSignal.timeout(DNS_TIMEOUT_MS)])
  const { bytes } = encodeMessage({
    id: randomInt(0x10000),
    flags: FLAG.RD,
    rcode: RCODE.NOERROR,
    questions: [{ name: qname, type: TYPE.SOA, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
  })
  try {
    const decoded = decodeResponse(await exchange(port, bytes, limit))
    if (!decoded.ok) return 'the answer is no DNS message'
    const { rcode } = decoded.message
    return rcode === RCODE.NOERROR ? undefined : `answered ${name} with rcode ${rcode}`
  } catch (error) {
    return failure(error, DNS_TIMEOUT_MS)
  }
}

/** @returns what is wrong; undefined where the root page is answered by any status below 500 */
export async function asksPage(
  port: number | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (port === undefined || port === 0) return 'does not listen'
  const limit = AbortSignal.any([signal, AbortSignal.timeout(HTTP_TIMEOUT_MS)])
  try {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request({ host: HOST, port, path: '/', signal: limit, agent: false })
      sent.once('error', reject)
      sent.once('response', (response) => {
        resolve(response.statusCode ?? 0)
        response.destroy()
      })
      sent.end()
    })
    return status < 500 ? undefined : `answered with status ${status}`
  } catch (error) {
    return failure(error, HTTP_TIMEOUT_MS)
  }
}
