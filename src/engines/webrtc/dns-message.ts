/** Multicast DNS as far as one question goes (RFC 6762): a name of a browser and its addresses. No I/O. */
import { CLASS, FLAG, MDNS_CLASS_FLAG, TYPE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import { foldName, nameOfText } from '../../base/dns/name.ts'
import { ipText } from '../../base/ip-address.ts'

/** What a name's owner said: an address literal, and for how long. */
export interface AddressRecord {
  address: string
  ttlSeconds: number
}

// RFC 6762 6: an answer repeats no question, but a query with known answers may look like one.
const LIMITS = { maxQuestions: 16, maxRecords: 64 }

/** A question for the IPv4 and the IPv6 address of `name`, answered by multicast. */
export function encodeQuery(name: string): Uint8Array {
  const owner = nameOfText(name)
  if (owner === undefined) throw new RangeError(`DNS has no room for the name ${name}`)
  const questions = [TYPE.A, TYPE.AAAA].map((type) => ({ name: owner, type, class: CLASS.IN }))
  // Id and flags are 0 (RFC 6762 18.1 to 18.11).
  const nothing = { id: 0, flags: 0, rcode: 0, answers: [], authority: [], additional: [] }
  return encodeMessage({ ...nothing, questions }).bytes
}

/** Addresses of `name` in an answer; empty for anything else, and for what is not sound as a whole. */
export function decodeAddresses(packet: Uint8Array, name: string): AddressRecord[] {
  const owner = nameOfText(name)
  const decoded = decodeResponse(packet, LIMITS)
  if (owner === undefined || !decoded.ok) return []
  const { flags, rcode, answers, authority, additional } = decoded.message
  if (rcode !== 0 || (flags & FLAG.TC) !== 0) return []
  return [...answers, ...authority, ...additional]
    .filter(
      (record) =>
        (record.type === TYPE.A || record.type === TYPE.AAAA) &&
        // RFC 6762 10.2: the top bit of the class says that older records go.
        (record.class & ~MDNS_CLASS_FLAG) === CLASS.IN &&
        foldName(record.name) === foldName(owner),
    )
    .map(({ data, ttl }) => ({ address: ipText(data), ttlSeconds: ttl }))
}
