/**
 * What the household says of names, as a response-policy zone: the resolver in front copies it and goes
 * on answering while we are away. Triggers are names within the zone (draft-vixie-dnsop-dns-rpz-00 §4).
 */
import { CLASS, TYPE } from '../../../base/dns/codes.ts'
import type { ResourceRecord } from '../../../base/dns/message.ts'
import { type DnsName, labelsOfName, nameOfLabels, ROOT } from '../../../base/dns/name.ts'
import { nameData } from '../../../base/dns/record-data.ts'
import type { BoxAddresses } from '../box-addresses.ts'
import type { Written } from '../handlers/local-records.ts'
import { CANARIES } from '../handlers/special-names.ts'
import { nameOf, OUR_TTL } from '../zone.ts'

export interface PolicyInput {
  /** Names are folded and their aliases within the house resolved. */
  written: Iterable<Written>
  /** Domains of the house that no other server has. */
  localDomains: readonly DnsName[]
  /** Under which addresses `wpad` finds us; undefined where it is nobody. */
  wpad: BoxAddresses | undefined
  canaries: boolean
}

interface Datum {
  type: number
  data: Uint8Array
}

/** Actions are aliases of names that cannot be. */
const NOT_THERE: Datum = { type: TYPE.CNAME, data: nameData(ROOT) }
const NO_DATA: Datum = { type: TYPE.CNAME, data: nameData(nameOf('*')) }

const below = (label: string, domain: DnsName): DnsName | undefined =>
  nameOfLabels([label, ...labelsOfName(domain)])

function addressesOf({ v4, v6 }: BoxAddresses): Datum[] {
  const data: Datum[] = []
  if (v4) data.push({ type: TYPE.A, data: v4 })
  if (v6) data.push({ type: TYPE.AAAA, data: v6 })
  return data.length === 0 ? [NO_DATA] : data
}

/** Rules by the name they are about; what the household wrote comes before all others. */
function rulesOf(input: PolicyInput): Map<DnsName, Datum[]> {
  const rules = new Map<DnsName, Datum[]>()
  for (const { name, type, data } of input.written) {
    rules.set(name, [...(rules.get(name) ?? []), { type, data }])
  }
  const add = (name: DnsName | undefined, ...data: Datum[]) => {
    if (name !== undefined && !rules.has(name)) rules.set(name, data)
  }
  const wpad = input.wpad === undefined ? [NOT_THERE] : addressesOf(input.wpad)
  add(nameOf('wpad'), ...wpad)
  for (const domain of input.localDomains) {
    add(below('wpad', domain), ...wpad)
    add(domain, NO_DATA)
    add(below('*', domain), NOT_THERE)
  }
  if (input.canaries) for (const text of CANARIES) add(nameOf(text), NOT_THERE)
  return rules
}

/** The records of `zone` but SOA and NS. Rules about names that are too long to stand in it are left out. */
export function policyRecords(zone: DnsName, input: PolicyInput): ResourceRecord[] {
  const records: ResourceRecord[] = []
  for (const [trigger, data] of rulesOf(input)) {
    const name = nameOfLabels([...labelsOfName(trigger), ...labelsOfName(zone)])
    if (name === undefined) continue
    for (const datum of data) records.push({ ...datum, name, class: CLASS.IN, ttl: OUR_TTL })
  }
  return records
}
