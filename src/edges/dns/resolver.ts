/** Packet in, packet out: the verdict on a query, the chain, and the bytes of the reply. */
import { CLASS, RCODE, SAFE_UDP_BYTES } from '../../base/dns/codes.ts'
import { decodeQuery, encodeRefusal, type Query } from '../../base/dns/decode-query.ts'
import { textOfName } from '../../base/dns/name.ts'
import { messageOf } from '../../base/errors.ts'
import type { DnsExplanation } from '../../base/ports/house-dns.ts'
import type { Log } from '../../base/ports/log.ts'
import type { BoxAddresses } from './box-addresses.ts'
import { encodeReply, type Handler, type Kept, type Reply, type Way } from './reply.ts'
import { refused } from './zone.ts'

export interface ResolverDeps {
  log: Log
  handlers: readonly Handler[]
  /** Asked before them all: what it gives they would have let pass. */
  remembered: (query: Query, time?: number) => Kept | undefined
}

export type Packet = Uint8Array | undefined

export function createResolver({ log, handlers, remembered }: ResolverDeps) {
  const stats = { queries: 0, dropped: 0, refused: 0, failures: 0 }

  /** Asks the handlers from `first` on. */
  function replyTo(query: Query, box: () => BoxAddresses, first = 0): Reply | Promise<Reply> {
    for (const [index, handler] of handlers.entries()) {
      if (index < first) continue
      const reply = handler.answer({ query, box })
      if (reply instanceof Promise) {
        return reply.then((late) => late ?? replyTo(query, box, index + 1))
      }
      if (reply !== undefined) return reply
    }
    return refused(RCODE.REFUSED)
  }

  function failed(query: Query, error: unknown): Reply {
    stats.failures++
    const name = textOfName(query.name)
    log.error(
      { name, type: query.type, error: messageOf(error) },
      'a question could not be answered',
    )
    return refused(RCODE.SERVFAIL)
  }

  return {
    stats,
    /** For people who wonder: asks the chain itself, not memory. Undefined for what is no query. */
    async explain(
      packet: Uint8Array,
      box: () => BoxAddresses,
      way: Way,
    ): Promise<DnsExplanation | undefined> {
      const query = decodeQuery(packet)
      if (query.kind !== 'query') return undefined
      for (const handler of handlers) {
        const reply = await handler.answer({ query, box })
        if (reply) return { handler: handler.name, reply: encodeReply(packet, query, reply, way) }
      }
      return undefined
    },
    /**
     * At once where nobody else has to be asked. Never throws.
     * @param time when it came, for whoever knows it already: a look at the clock costs as much as the
     * reading of a query
     */
    answer(
      packet: Uint8Array,
      box: () => BoxAddresses,
      way: Way,
      time?: number,
    ): Packet | Promise<Packet> {
      const query = decodeQuery(packet)
      if (query.kind === 'drop') {
        stats.dropped++
        return undefined
      }
      if (query.kind === 'refuse') {
        stats.refused++
        return encodeRefusal(packet, query, SAFE_UDP_BYTES)
      }
      stats.queries++
      try {
        const known = query.class === CLASS.IN ? remembered(query, time) : undefined
        const reply = known ?? replyTo(query, box)
        if (!(reply instanceof Promise)) return encodeReply(packet, query, reply, way)
        return reply
          .catch((error: unknown) => failed(query, error))
          .then((late) => encodeReply(packet, query, late, way))
      } catch (error) {
        return encodeReply(packet, query, failed(query, error), way)
      }
    },
  }
}

export type Resolver = ReturnType<typeof createResolver>
