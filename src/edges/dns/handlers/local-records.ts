/** What the household wrote into its configuration: addresses and texts, and sites of ordinary domains. */
import { CLASS, TYPE } from '../../../base/dns/codes.ts'
import type { ResourceRecord } from '../../../base/dns/message.ts'
import { type DnsName, foldName, nameOfText } from '../../../base/dns/name.ts'
import { addressData, nameData, readNameData, txtData } from '../../../base/dns/record-data.ts'
import { printable } from '../../../base/errors.ts'
import { utf8 } from '../../../base/bytes.ts'
import { DnsBadRecord } from '../errors.ts'
import { createZone, found, nameOf, noData, OUR_TTL } from '../zone.ts'
import type { Handler } from '../reply.ts'

/** One record, as it was written. */
export interface Written {
  /** Folded. */
  name: DnsName
  type: number
  data: Uint8Array
}

const TEXT = /^TXT\s+(.*)$/s
const ALIAS = /^CNAME\s+(\S+)$/
/** RFC 1035 §3.3.14, and more than any magnet needs. */
const MAX_TEXT = 4096

/** @throws DnsBadRecord */
function parseRecord(text: string): Written {
  const bad = (fault: string) => new DnsBadRecord(printable(text), fault)
  const at = text.indexOf('=')
  const name = at < 1 ? undefined : nameOfText(text.slice(0, at).trim())
  if (name === undefined) throw bad('name=value is the form')
  const value = text.slice(at + 1).trim()
  const folded = foldName(name)
  const words = TEXT.exec(value)?.[1]
  if (words !== undefined) {
    if (words.length > MAX_TEXT) throw bad('its text is too long')
    return { name: folded, type: TYPE.TXT, data: txtData([utf8(words)]) }
  }
  const alias = ALIAS.exec(value)?.[1]
  if (alias !== undefined) {
    const target = nameOfText(alias)
    if (target === undefined) throw bad('its target is no name')
    return { name: folded, type: TYPE.CNAME, data: nameData(target) }
  }
  const address = addressData(value)
  if (address === undefined) throw bad('its value is no address, TXT words or CNAME name')
  return { name: folded, type: address.length === 4 ? TYPE.A : TYPE.AAAA, data: address }
}

/** @throws DnsBadRecord */
function parseLink(text: string): Written {
  const at = text.indexOf('=')
  const domain = at < 1 ? undefined : nameOfText(`_btlink.${text.slice(0, at).trim()}`)
  const value = text.slice(at + 1).trim()
  if (domain === undefined || value === '' || value.length > MAX_TEXT) {
    throw new DnsBadRecord(printable(text), 'domain=site is the form')
  }
  return { name: foldName(domain), type: TYPE.TXT, data: txtData([utf8(value)]) }
}

export interface LocalRecords extends Handler {
  /** Folded. */
  names(): Iterable<DnsName>
  /** All records; where an alias leads to a name of the household, what that name has. */
  entries(): Written[]
}

interface Walk {
  /** The aliases on the way. */
  aliases: Written[]
  /** Where they lead. */
  name: DnsName
  /** What is there; undefined where it is not the household's. */
  types: Types | undefined
}

type Types = ReadonlyMap<number, Uint8Array[]>

/** RFC 1034 §3.6.2: aliases of aliases happen; loops of them must end. */
const MAX_ALIASES = 8

const recordOf = (written: Written): ResourceRecord => ({
  ...written,
  class: CLASS.IN,
  ttl: OUR_TTL,
})

/** From a name along its aliases, as long as they stay in the household. */
function walk(byName: ReadonlyMap<DnsName, Types>, from: DnsName): Walk {
  const aliases: Written[] = []
  let name = from
  for (;;) {
    const types = byName.get(name)
    const data = types?.get(TYPE.CNAME)?.[0]
    const target = data && readNameData(data)
    if (data === undefined || target === undefined || aliases.length === MAX_ALIASES) {
      return { aliases, name, types }
    }
    aliases.push({ name, type: TYPE.CNAME, data })
    name = foldName(target)
  }
}

/** @throws DnsBadRecord */
export function createLocalRecords(
  records: readonly string[],
  links: readonly string[],
  host: DnsName,
): LocalRecords {
  const byName = new Map<DnsName, Map<number, Uint8Array[]>>()
  for (const { name, type, data } of [...records.map(parseRecord), ...links.map(parseLink)]) {
    const types = byName.get(name) ?? new Map<number, Uint8Array[]>()
    types.set(type, [...(types.get(type) ?? []), data])
    byName.set(name, types)
  }
  const zone = createZone(nameOf('home.arpa'), host)
  return {
    name: 'local-records',
    names: () => byName.keys(),
    entries: () =>
      [...byName].flatMap(([name, own]) => {
        const { types } = walk(byName, name)
        return [...(types ?? own)].flatMap(([type, list]) =>
          list.map((data) => ({ name, type, data })),
        )
      }),
    answer(asked) {
      const types = byName.get(asked.query.folded)
      if (types === undefined) return undefined
      const data = types.get(asked.query.type)
      if (data !== undefined) return found(asked, data)
      const { aliases, ...end } = walk(byName, asked.query.folded)
      if (aliases.length === 0) return noData(zone)
      // Clients do not follow aliases themselves.
      const there = end.types?.get(asked.query.type) ?? []
      const records = [
        ...aliases,
        ...there.map((one) => ({ name: end.name, type: asked.query.type, data: one })),
      ]
      return { ...found(asked, []), answers: records.map(recordOf) }
    },
  }
}
