/** The question for a link record: aliases followed, texts joined, and for how long the answer counts. */
import { concatBytes, utf8Text } from '../../base/bytes.ts'
import { CLASS, RCODE, TYPE } from '../../base/dns/codes.ts'
import type { Message, ResourceRecord } from '../../base/dns/message.ts'
import { type DnsName, foldName, textOfName } from '../../base/dns/name.ts'
import { readNameData, readTxt, soaMinimum } from '../../base/dns/record-data.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'

export interface Records {
  /** One text a record; those that are no UTF-8 are left out. */
  texts: string[]
  /** How many records there were. */
  count: number
  /** As the servers have it, unbounded; 0 where they say nothing. */
  ttlSeconds: number
}

const MAX_ALIASES = 8
const MAX_QUESTIONS = 4

/** Where the aliases of an answer lead from `name`, and the least TTL on the way. */
function follow(answers: readonly ResourceRecord[], name: DnsName) {
  let end = name
  let ttlSeconds = Number.POSITIVE_INFINITY
  for (let steps = 0; steps < MAX_ALIASES; steps++) {
    const alias = answers.find(
      (record) => record.type === TYPE.CNAME && foldName(record.name) === end,
    )
    const target = alias && readNameData(alias.data)
    if (alias === undefined || target === undefined) break
    end = foldName(target)
    ttlSeconds = Math.min(ttlSeconds, alias.ttl)
  }
  return { end, ttlSeconds }
}

/** RFC 2308 §5. */
function negativeTtl({ authority }: Message): number | undefined {
  const soa = authority.find(({ type }) => type === TYPE.SOA)
  return soa && Math.min(soa.ttl, soaMinimum(soa.data))
}

/** Joined as bytes: a string may end in the middle of a character. */
function textOf({ data }: ResourceRecord): string[] {
  const text = utf8Text(concatBytes(...readTxt(data)))
  return text === undefined ? [] : [text]
}

/**
 * @param name folded
 * @param mayAsk whether the target of an alias may be asked for
 * @throws what `ask` throws, and an Error for an answer that is itself a failure
 */
export async function askRecords(
  upstream: Pick<DnsUpstream, 'ask'>,
  name: DnsName,
  mayAsk: (name: string) => boolean,
  signal: AbortSignal,
): Promise<Records> {
  let at = name
  let aliasTtl = Number.POSITIVE_INFINITY
  for (let questions = 0; questions < MAX_QUESTIONS; questions++) {
    const { message } = await upstream.ask({ name: at, type: TYPE.TXT, class: CLASS.IN }, signal)
    const { rcode, answers } = message
    if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) {
      throw new Error(`the DNS servers answer with code ${rcode}`)
    }
    const { end, ttlSeconds } = follow(answers, at)
    aliasTtl = Math.min(aliasTtl, ttlSeconds)
    const found = answers.filter(
      (record) => record.type === TYPE.TXT && foldName(record.name) === end,
    )
    const negative = negativeTtl(message)
    // A server that knows the whole chain says no about its end.
    const isWhole = end === at || rcode === RCODE.NXDOMAIN || negative !== undefined
    if (found.length > 0 || isWhole || !mayAsk(textOfName(end))) {
      const ttls = found.length > 0 ? found.map(({ ttl }) => ttl) : [negative ?? 0]
      return {
        texts: found.flatMap(textOf),
        count: found.length,
        ttlSeconds: Math.min(aliasTtl, ...ttls),
      }
    }
    at = end
  }
  return { texts: [], count: 0, ttlSeconds: 0 }
}
