/** One question put to several servers in turn or at once, until one of them knows. */
import { EXTENDED_ERROR } from '../../base/dns/codes.ts'
import { extendedErrors } from '../../base/dns/edns.ts'
import type { DnsAnswer, DnsQuestion } from '../../base/ports/dns-upstream.ts'
import { UpstreamBadAnswer } from './errors.ts'
import { orAborted, OVER, within } from './patience.ts'
import { isFailure } from './scrub.ts'
import type { Server, TryResult } from './server.ts'

export interface Course {
  /** Each entry is one try; a server may stand there more than once. */
  order: readonly Server[]
  /** How many are asked at once at first; one more follows for each that fails. */
  width: number
  tryTimeoutMs: number
}

/** A final answer, or else the first that was none and how the last try failed. */
export interface Best {
  answer?: DnsAnswer
  error?: unknown
}

/** Rejects only with the reason of `signal`. */
export async function race(
  { order, width, tryTimeoutMs }: Course,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<Best> {
  const best: Best = {}
  const { promise, resolve } = Promise.withResolvers<void>()
  const losers = new AbortController()
  const leave = [signal, losers.signal]
  let next = 0
  let open = 0

  function start(): void {
    const server = order[next++]
    if (losers.signal.aborted || server === undefined) {
      if (open === 0) resolve()
      return
    }
    open++
    tryOnce(server, question, leave, tryTimeoutMs).then(
      (answer) => {
        open--
        if (!isFinal(answer)) {
          best.answer ??= answer
          start()
          return
        }
        best.answer = answer
        resolve()
      },
      (error: unknown) => {
        open--
        best.error = error
        start()
      },
    )
  }

  for (let count = 0; count < Math.max(1, width); count++) start()
  try {
    await orAborted(promise, signal)
    return best
  } finally {
    losers.abort(OVER)
  }
}

async function tryOnce(
  server: Server,
  question: DnsQuestion,
  leave: readonly AbortSignal[],
  ms: number,
): Promise<DnsAnswer> {
  const late = () => new UpstreamBadAnswer(server.spec.text, 'it was silent')
  const result = await within(ms, leave, late, async (signal) => server.ask(question, signal))
  return { ...result, server: server.spec.text, isTrusted: isTrusted(server, result) }
}

const isTrusted = ({ spec }: Server, { transport }: TryResult): boolean =>
  transport === 'tls' ||
  transport === 'https' ||
  spec.address === '::1' ||
  spec.address?.startsWith('127.') === true

/** RFC 8914 §4.7 to §4.13: validation failed. Another server, which may not validate, is no way out. */
const BOGUS = new Set<number>([EXTENDED_ERROR.DNSSEC_BOGUS, 7, 8, 9, 10, 11, 12])

const isFinal = ({ message }: DnsAnswer): boolean =>
  !isFailure(message) || extendedErrors(message.edns).some(({ code }) => BOGUS.has(code))
