/** Records as people and zone files write them (RFC 1035 §5.1); types without a form here as RFC 3597 says. */
import { latin1, toHex } from '../bytes.ts'
import { ipText } from '../ip-address.ts'
import { CLASS, EXTENDED_ERROR, FLAG, RCODE, TYPE } from './codes.ts'
import type { ResourceRecord } from './message.ts'
import { nameOfBytes, textOfName } from './name.ts'
import { SERVICE_KEY } from './record-data.ts'

/** What the house has no other use for than to write it down. */
const OTHER_TYPES = {
  RP: 17,
  LOC: 29,
  NAPTR: 35,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  ZONEMD: 63,
  SPF: 99,
  URI: 256,
} as const
const TYPES: Readonly<Record<string, number>> = { ...TYPE, ...OTHER_TYPES }
const OTHER_RCODES = { YXDOMAIN: 6, YXRRSET: 7, NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10, BADCOOKIE: 23 }

const turned = (table: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(table).map(([name, number]) => [number, name]))
const TYPE_NAMES = turned(TYPES)
const CLASS_NAMES = turned(CLASS)
const RCODE_NAMES = turned({ ...RCODE, ...OTHER_RCODES })

/** `A`, or `TYPE65280` for one without a name here. */
export const textOfType = (type: number): string => TYPE_NAMES.get(type) ?? `TYPE${type}`
export const textOfClass = (klass: number): string => CLASS_NAMES.get(klass) ?? `CLASS${klass}`
export const textOfRcode = (rcode: number): string => RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`

const ERROR_NAMES = turned(EXTENDED_ERROR)
/** Why an answer is what it is, in words (RFC 8914 §4). */
export const textOfExtendedError = (code: number): string =>
  ERROR_NAMES.get(code)?.toLowerCase().replaceAll('_', ' ') ?? `reason ${code}`

/** The flags that are set, in small letters as tools print them. */
export const textOfFlags = (flags: number): string[] =>
  Object.entries(FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name.toLowerCase())

/** The number of `A`, `https` or `TYPE65280`; undefined for what is none. */
export function typeOfText(text: string): number | undefined {
  const name = text.toUpperCase()
  if (Object.hasOwn(TYPES, name)) return TYPES[name]
  const number = Number(/^TYPE(\d{1,5})$/.exec(name)?.[1])
  return number <= 0xffff ? number : undefined
}

type Field =
  | 'ipv4'
  | 'ipv6'
  | 'byte'
  | 'word'
  | 'long'
  | 'name'
  | 'string'
  | 'strings'
  | 'tag'
  | 'rest'
  | 'hex'
  | 'base64'
  | 'params'

const ONE_NAME: readonly Field[] = ['name']
const TEXTS: readonly Field[] = ['strings']
const SERVICE: readonly Field[] = ['word', 'name', 'params']
const KEY: readonly Field[] = ['word', 'byte', 'byte', 'base64']
const DIGEST: readonly Field[] = ['word', 'byte', 'byte', 'hex']
const FORMS: Readonly<Record<number, readonly Field[]>> = {
  [TYPE.A]: ['ipv4'],
  [TYPE.AAAA]: ['ipv6'],
  [TYPE.NS]: ONE_NAME,
  [TYPE.CNAME]: ONE_NAME,
  [TYPE.PTR]: ONE_NAME,
  [TYPE.DNAME]: ONE_NAME,
  [TYPE.SOA]: ['name', 'name', 'long', 'long', 'long', 'long', 'long'],
  [TYPE.MX]: ['word', 'name'],
  [TYPE.TXT]: TEXTS,
  [OTHER_TYPES.SPF]: TEXTS,
  [TYPE.HINFO]: ['string', 'string'],
  [TYPE.SRV]: ['word', 'word', 'word', 'name'],
  [TYPE.CAA]: ['byte', 'tag', 'rest'],
  [TYPE.SVCB]: SERVICE,
  [TYPE.HTTPS]: SERVICE,
  [OTHER_TYPES.RP]: ['name', 'name'],
  [OTHER_TYPES.NAPTR]: ['word', 'word', 'string', 'string', 'string', 'name'],
  [OTHER_TYPES.DS]: DIGEST,
  [OTHER_TYPES.CDS]: DIGEST,
  [OTHER_TYPES.DNSKEY]: KEY,
  [OTHER_TYPES.CDNSKEY]: KEY,
  [OTHER_TYPES.SSHFP]: ['byte', 'byte', 'hex'],
  [OTHER_TYPES.TLSA]: ['byte', 'byte', 'byte', 'hex'],
  [OTHER_TYPES.SMIMEA]: ['byte', 'byte', 'byte', 'hex'],
  [OTHER_TYPES.OPENPGPKEY]: ['base64'],
  [OTHER_TYPES.URI]: ['word', 'word', 'rest'],
}

/** Thrown and caught here: the data is not of its type's form. */
class Unsound extends Error {}

/** One byte within quotes. */
function quotedByte(byte: number): string {
  const character = String.fromCharCode(byte)
  if (character === '"' || character === '\\') return `\\${character}`
  return byte >= 32 && byte < 127 ? character : `\\${String(byte).padStart(3, '0')}`
}
const quoted = (bytes: Uint8Array): string => `"${Array.from(bytes, quotedByte).join('')}"`

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const upperHex = (bytes: Uint8Array): string => toHex(bytes).toUpperCase()

/** With the last dot, as owners and names in data are written. */
export const textOfOwner = (name: Parameters<typeof textOfName>[0]): string => {
  const text = textOfName(name)
  return text === '.' ? text : `${text}.`
}

interface Reader {
  take(count: number): Uint8Array
  number(bytes: number): number
  rest(): Uint8Array
  isEnd(): boolean
}

function readerOf(data: Uint8Array): Reader {
  let at = 0
  const take = (count: number): Uint8Array => {
    if (at + count > data.length) throw new Unsound()
    at += count
    return data.subarray(at - count, at)
  }
  return {
    take,
    number: (bytes) => take(bytes).reduce((sum, byte) => sum * 256 + byte, 0),
    rest: () => take(data.length - at),
    isEnd: () => at === data.length,
  }
}

function readName(reader: Reader): string {
  const parts: number[] = []
  for (;;) {
    const length = reader.number(1)
    parts.push(length, ...reader.take(length))
    if (length === 0) break
  }
  const name = nameOfBytes(Uint8Array.from(parts))
  if (name === undefined) throw new Unsound()
  return textOfOwner(name)
}

const readIpv4 = (reader: Reader): string => ipText(reader.take(4))
const readIpv6 = (reader: Reader): string => ipText(reader.take(16))

// RFC 9460 §14.3.2.
const PARAM_NAMES = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint']
const PARAM = { MANDATORY: 0, ALPN: 1, NO_DEFAULT_ALPN: 2, PORT: 3, ECH: 5 } as const

const PLAIN_ID = /^[\w./:+-]+$/

const paramName = (key: number): string => PARAM_NAMES[key] ?? `key${key}`

/** The value of one parameter; undefined where only its bytes can be written. */
function paramValue(key: number, value: Uint8Array): string | undefined {
  const reader = readerOf(value)
  const parts = (read: () => string): string[] => {
    const all: string[] = []
    while (!reader.isEnd()) all.push(read())
    return all
  }
  const list = (read: () => string): string => parts(read).join(',')
  switch (key) {
    case PARAM.MANDATORY:
      return list(() => paramName(reader.number(2)))
    case PARAM.ALPN: {
      const ids = parts(() => latin1(reader.take(reader.number(1))))
      // A comma within an identifier would need a second escape (RFC 9460 appendix A.1); nobody has one.
      return ids.every((id) => PLAIN_ID.test(id)) ? `"${ids.join(',')}"` : undefined
    }
    case PARAM.PORT:
      return value.length === 2 ? String(reader.number(2)) : undefined
    case SERVICE_KEY.IPV4_HINT:
      return list(() => readIpv4(reader))
    case SERVICE_KEY.IPV6_HINT:
      return list(() => readIpv6(reader))
    case PARAM.ECH:
      return base64(value)
    default:
      return undefined
  }
}

function readParams(reader: Reader): string {
  const params: string[] = []
  while (!reader.isEnd()) {
    const key = reader.number(2)
    const value = reader.take(reader.number(2))
    const text = paramValue(key, value)
    if (value.length === 0) params.push(paramName(key))
    else if (text === undefined) params.push(`key${key}=${quoted(value)}`)
    else params.push(`${paramName(key)}=${text}`)
  }
  return params.join(' ')
}

const readString = (reader: Reader): string => quoted(reader.take(reader.number(1)))

const READ: Record<Field, (reader: Reader) => string> = {
  ipv4: readIpv4,
  ipv6: readIpv6,
  byte: (reader) => String(reader.number(1)),
  word: (reader) => String(reader.number(2)),
  long: (reader) => String(reader.number(4)),
  name: readName,
  string: readString,
  strings(reader) {
    const strings: string[] = []
    while (!reader.isEnd()) strings.push(readString(reader))
    return strings.join(' ')
  },
  tag: (reader) => readString(reader).slice(1, -1),
  rest: (reader) => quoted(reader.rest()),
  hex: (reader) => upperHex(reader.rest()),
  base64: (reader) => base64(reader.rest()),
  params: readParams,
}

/** RFC 3597 §5: any data of any type. */
const generic = (data: Uint8Array): string =>
  data.length === 0 ? '\\# 0' : `\\# ${data.length} ${upperHex(data)}`

/** The data of a record. Never throws: what is not of its type's form is written as bytes. */
export function textOfData(type: number, data: Uint8Array): string {
  const form = FORMS[type]
  if (form === undefined) return generic(data)
  try {
    const reader = readerOf(data)
    const fields = form.map((field) => READ[field](reader)).filter((text) => text !== '')
    if (fields.length === 0 || !reader.isEnd()) return generic(data)
    return fields.join(' ')
  } catch (error) {
    if (!(error instanceof Unsound)) throw error
    return generic(data)
  }
}

/** A line of a zone file without its line end: owner, TTL, class, type and data, with single spaces. */
export const textOfRecord = (record: ResourceRecord): string =>
  [
    textOfOwner(record.name),
    record.ttl,
    textOfClass(record.class),
    textOfType(record.type),
    textOfData(record.type, record.data),
  ].join(' ')
