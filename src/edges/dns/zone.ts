/** Answers of an authority: the records each zone of ours has, and how it says no. */
import { CLASS, EXTENDED_ERROR, RCODE, TYPE } from '../../base/dns/codes.ts'
import type { ResourceRecord } from '../../base/dns/message.ts'
import { type DnsName, nameOfText, ROOT } from '../../base/dns/name.ts'
import { printable } from '../../base/errors.ts'
import { nameData, soaData } from '../../base/dns/record-data.ts'
import { DnsBadName } from './errors.ts'
import type { Asked, Made } from './reply.ts'

/** Addresses of a house change when its router restarts. */
export const OUR_TTL = 60
const DAY = 86_400

/**
 * A name that is meant to be one: ours, those of the standards and of the configuration.
 * @throws DnsBadName
 */
export function nameOf(text: string): DnsName {
  const name = nameOfText(text)
  if (name === undefined) throw new DnsBadName(printable(text, 100))
  return name
}

export interface Zone {
  name: DnsName
  soa: ResourceRecord
  ns: ResourceRecord
}

export function createZone(name: DnsName, host: DnsName): Zone {
  const record = { name, class: CLASS.IN, ttl: OUR_TTL }
  const data = soaData({
    primary: host,
    mailbox: ROOT,
    serial: 1,
    refresh: DAY,
    retry: 3600,
    expire: 7 * DAY,
    minimum: OUR_TTL,
  })
  return {
    name,
    soa: { ...record, type: TYPE.SOA, data },
    ns: { ...record, type: TYPE.NS, data: nameData(host) },
  }
}

const ours = (
  rcode: number,
  answers: readonly ResourceRecord[],
  authority: readonly ResourceRecord[],
): Made => ({ kind: 'made', rcode, isOurs: true, answers, authority })

export const notThere = ({ soa }: Zone): Made => ours(RCODE.NXDOMAIN, [], [soa])

export const noData = ({ soa }: Zone): Made => ours(RCODE.NOERROR, [], [soa])

/** The data for the very name and type that was asked. */
export const found = ({ query }: Asked, data: readonly Uint8Array[], ttl = OUR_TTL): Made =>
  ours(
    RCODE.NOERROR,
    data.map((one) => ({ name: query.name, type: query.type, class: CLASS.IN, ttl, data: one })),
    [],
  )

/** The box's address of the family that was asked for; undefined where the question is another. */
export function boxAddress({ query, box }: Asked): Uint8Array | undefined {
  if (query.type === TYPE.A) return box().v4
  return query.type === TYPE.AAAA ? box().v6 : undefined
}

const NO_ADDRESS_YET = { code: EXTENDED_ERROR.NOT_READY, text: 'the box has no address yet' }

/** A name that is the box: its address, and nothing of other types. */
export function thisBox(asked: Asked, zone: Zone): Made {
  const address = boxAddress(asked)
  if (address !== undefined) return found(asked, [address])
  const { v4, v6 } = asked.box()
  const asksAddress = asked.query.type === TYPE.A || asked.query.type === TYPE.AAAA
  // A cable that is not up yet: devices would keep a "no such record" as long as an address.
  return asksAddress && !v4 && !v6
    ? { ...refused(RCODE.SERVFAIL), error: NO_ADDRESS_YET }
    : noData(zone)
}

export const refused = (rcode: number): Made => ({
  kind: 'made',
  rcode,
  isOurs: false,
  answers: [],
  authority: [],
})
