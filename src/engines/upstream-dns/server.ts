/** One configured server: its address, its transports, how it has been doing. */
import { FLAG, RCODE } from '../../base/dns/codes.ts'
import type { Message } from '../../base/dns/message.ts'
import type { DnsQuestion } from '../../base/ports/dns-upstream.ts'
import { openTcp, openTls } from './connect.ts'
import { UpstreamBadAnswer } from './errors.ts'
import { createHealth, type Now, type ServerHealth } from './health.ts'
import { createHttpsLink } from './https.ts'
import { makeQuery, PROBE, type QueryForm } from './query.ts'
import { isFailure, scrub } from './scrub.ts'
import type { ServerSpec, Transport } from './server-spec.ts'
import { createStreamLink, type StreamLink } from './stream.ts'
import { askOverUdp, type Endpoint, type UdpStats } from './udp.ts'

export interface ServerDeps {
  now: Now
  /** Addresses of servers that are known by name only. */
  addressOf(name: string, signal: AbortSignal): Promise<string>
  randomizeCase: boolean
  retryAfterMs: number
  ca: string[] | undefined
}

export interface TryResult {
  message: Message
  transport: Transport
}

export interface Server {
  readonly spec: ServerSpec
  readonly health: ServerHealth
  readonly udp: UdpStats
  /** One try, counted towards its health. @throws UpstreamBadAnswer; the reason of `signal` */
  ask(question: DnsQuestion, signal: AbortSignal): Promise<TryResult>
  /** Asks about nothing, and counts the outcome; after `health.takesProbe`. Never rejects. */
  probe(signal: AbortSignal): Promise<void>
  close(): void
}

/** Servers that stumble over EDNS are asked without it for this long. */
const WITHOUT_EDNS_MS = 3_600_000

export function createServer(spec: ServerSpec, deps: ServerDeps): Server {
  const { now } = deps
  const health = createHealth(deps.retryAfterMs, now)
  const udp: UdpStats = { sent: 0, strays: 0 }
  const stream = createStream()
  let plainUntil = 0

  async function endpoint(signal: AbortSignal): Promise<Endpoint> {
    const address = spec.address ?? (await deps.addressOf(spec.name ?? '', signal))
    return { address, port: spec.port }
  }

  function createStream(): StreamLink {
    const { text: server, transport, name, path } = spec
    const { ca } = deps
    if (transport === 'https') {
      const identity = { name, ca, protocol: 'h2' } as const
      return createHttpsLink({ server, endpoint, identity, path })
    }
    const identity = { name, ca, protocol: 'dot' } as const
    const connect = async (signal: AbortSignal) =>
      transport === 'tls'
        ? openTls(await endpoint(signal), identity, signal)
        : openTcp(await endpoint(signal), signal)
    return createStreamLink({ server, connect })
  }

  async function exchange(
    question: DnsQuestion,
    form: QueryForm,
    signal: AbortSignal,
  ): Promise<TryResult> {
    if (spec.transport === 'udp') {
      const sent = makeQuery(question, { ...form, randomCase: deps.randomizeCase })
      const outcome = await askOverUdp(await endpoint(signal), sent, udp, signal)
      if (outcome.kind === 'answer') return { message: outcome.message, transport: 'udp' }
    }
    const isTcp = spec.transport === 'udp' || spec.transport === 'tcp'
    const make = () =>
      makeQuery(question, { ...form, padded: !isTcp, zeroId: spec.transport === 'https' })
    const message = await stream.ask(make, signal)
    if ((message.flags & FLAG.TC) !== 0) {
      throw new UpstreamBadAnswer(spec.text, 'it cut its answer on a stream')
    }
    return { message, transport: isTcp ? 'tcp' : spec.transport }
  }

  async function attempt(question: DnsQuestion, signal: AbortSignal): Promise<TryResult> {
    const edns = now() >= plainUntil
    let result = await exchange(question, { edns }, signal)
    const { rcode } = result.message
    // RFC 6891 §7: a server from before EDNS says FORMERR, and has no OPT to say it with.
    const stumbled = rcode === RCODE.FORMERR && result.message.edns === undefined
    if (edns && stumbled) {
      result = await exchange(question, { edns: false }, signal)
      if (!isFailure(result.message)) plainUntil = now() + WITHOUT_EDNS_MS
    }
    const message = scrub(question, result.message)
    if (message === undefined) throw new UpstreamBadAnswer(spec.text, 'its aliases lead nowhere')
    return { ...result, message }
  }

  return {
    spec,
    health,
    udp,
    async ask(question, signal) {
      const began = now()
      try {
        const result = await attempt(question, signal)
        health.succeeded(now() - began)
        return result
      } catch (error) {
        // Given up because another was quicker, or the house did not want it any more: no fault.
        if (!signal.aborted || isTimeout(signal.reason)) health.failed()
        throw error
      }
    },
    async probe(signal) {
      const began = now()
      try {
        await attempt(PROBE, signal)
        health.succeeded(now() - began)
      } catch {
        health.failed()
      } finally {
        health.probed()
      }
    },
    close: () => stream.close(),
  }
}

const isTimeout = (reason: unknown): boolean => reason instanceof UpstreamBadAnswer
