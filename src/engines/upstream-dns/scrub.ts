/**
 * Of an answer only what was asked for: the chain of aliases from the question and the records at its
 * end. Anything else a server adds could poison what the house remembers.
 */
import { RCODE, TYPE } from '../../base/dns/codes.ts'
import type { Message, ResourceRecord } from '../../base/dns/message.ts'
import { type DnsName, foldName, isWithin } from '../../base/dns/name.ts'
import { readNameData } from '../../base/dns/record-data.ts'
import type { DnsQuestion } from '../../base/ports/dns-upstream.ts'

/** Longer chains are nobody's need, and each link costs servers work (CVE-2021-25219 and kin). */
export const MAX_ALIASES = 11

const RRSIG = 46
const NSEC = 47
const NSEC3 = 50
const PROOFS: readonly number[] = [TYPE.SOA, RRSIG, NSEC, NSEC3]

interface Chain {
  /** Folded. */
  names: Set<DnsName>
  end: DnsName
}

/** Undefined where the chain is too long or comes back to itself. */
function chainOf(question: DnsQuestion, answers: readonly ResourceRecord[]): Chain | undefined {
  const names = new Set<DnsName>()
  const aliases = new Map<DnsName, ResourceRecord>()
  for (const record of answers) {
    const owner = foldName(record.name)
    if (record.type === TYPE.CNAME && !aliases.has(owner)) aliases.set(owner, record)
  }
  let end = foldName(question.name)
  names.add(end)
  if (question.type === TYPE.CNAME || question.type === TYPE.ANY) return { names, end }
  for (let alias = aliases.get(end); alias !== undefined; alias = aliases.get(end)) {
    const target = readNameData(alias.data)
    if (target === undefined) return undefined
    end = foldName(target)
    if (names.has(end) || names.size > MAX_ALIASES) return undefined
    names.add(end)
  }
  return { names, end }
}

/** Undefined where the answer leads nowhere: then it is none. */
export function scrub(question: DnsQuestion, message: Message): Message | undefined {
  const chain = chainOf(question, message.answers)
  if (chain === undefined) return undefined
  const { names, end } = chain
  const above = (owner: DnsName) => [...names].some((name) => isWithin(name, owner))
  const answers = message.answers.filter((record) => {
    if (record.class !== question.class) return false
    const owner = foldName(record.name)
    if (record.type === TYPE.DNAME) return above(owner)
    if (!names.has(owner)) return false
    if (record.type === TYPE.CNAME || record.type === RRSIG) return true
    return owner === end && (record.type === question.type || question.type === TYPE.ANY)
  })
  const authority = message.authority.filter(
    ({ type, name, class: klass }) =>
      klass === question.class &&
      PROOFS.includes(type) &&
      // The owner of NSEC3 is a hash beside the name; that of NSEC may come before or after it.
      (type === TYPE.SOA ? above(foldName(name)) : question.dnssecOk === true),
  )
  return { ...message, answers, authority, additional: [] }
}

/** Whether another server may know better. Failed validation is a verdict, and stays one. */
export const isFailure = ({ rcode }: Message): boolean =>
  rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN
