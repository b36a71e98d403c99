/**
 * Data of records, made and read. Makers give what `ResourceRecord.data` holds; readers take data that
 * `decodeMessage` let pass, or that a maker made.
 */
import { concatBytes, fromLatin1, joinBytes } from '../bytes.ts'
import { ipBytes, ipText } from '../ip-address.ts'
import { bytesOfName, type DnsName, nameOfBytes } from './name.ts'

const view = (data: Uint8Array): DataView =>
  new DataView(data.buffer, data.byteOffset, data.byteLength)

const word = (value: number): Uint8Array => Uint8Array.of((value >> 8) & 255, value & 255)

/** A (4 bytes) or AAAA (16); undefined where the text is no address. */
export const addressData = ipBytes

/** The address that A and AAAA hold. */
export const readAddress = ipText

/** The data of NS, CNAME, PTR and DNAME. */
export const nameData = bytesOfName

/** The name that NS, CNAME, PTR and DNAME consist of. */
export const readNameData = nameOfBytes

const MAX_STRING_BYTES = 255

/** TXT (RFC 1035 §3.3.14). Strings over 255 bytes are cut into several, as readers join them (RFC 7208 §3.3). */
export function txtData(strings: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const string of strings.length === 0 ? [new Uint8Array(0)] : strings) {
    let at = 0
    do {
      const part = string.subarray(at, at + MAX_STRING_BYTES)
      parts.push(Uint8Array.of(part.length), part)
      at += MAX_STRING_BYTES
    } while (at < string.length)
  }
  return joinBytes(parts)
}

export function readTxt(data: Uint8Array): Uint8Array[] {
  const strings: Uint8Array[] = []
  for (let at = 0; at < data.length; ) {
    const end = at + 1 + (data[at] ?? 0)
    strings.push(data.subarray(at + 1, end))
    at = end
  }
  return strings
}

export interface Soa {
  primary: DnsName
  mailbox: DnsName
  serial: number
  refresh: number
  retry: number
  expire: number
  /** How long a "no" lasts, in seconds (RFC 2308 §4). */
  minimum: number
}

export function soaData(soa: Soa): Uint8Array {
  const numbers = new Uint8Array(20)
  const { serial, refresh, retry, expire, minimum } = soa
  for (const [index, value] of [serial, refresh, retry, expire, minimum].entries()) {
    view(numbers).setUint32(index * 4, value)
  }
  return concatBytes(bytesOfName(soa.primary), bytesOfName(soa.mailbox), numbers)
}

/** Its `minimum`, without reading the rest. */
export const soaMinimum = (data: Uint8Array): number =>
  data.length < 22 ? 0 : view(data).getUint32(data.length - 4)

/** SRV (RFC 2782). */
export function srvData(srv: {
  priority: number
  weight: number
  port: number
  target: DnsName
}): Uint8Array {
  const { priority, weight, port, target } = srv
  return concatBytes(word(priority), word(weight), word(port), bytesOfName(target))
}

/** MX (RFC 1035 §3.3.9). */
export const mxData = (preference: number, exchange: DnsName): Uint8Array =>
  concatBytes(word(preference), bytesOfName(exchange))

/** HINFO (RFC 1035 §3.3.2); the answer to ANY is one (RFC 8482 §4.2). Texts are ASCII. */
export const hinfoData = (cpu: string, os: string): Uint8Array =>
  txtData([fromLatin1(cpu), fromLatin1(os)])

/** CAA (RFC 8659 §4.1). Texts are ASCII. */
export const caaData = (flags: number, tag: string, value: string): Uint8Array =>
  concatBytes(Uint8Array.of(flags, tag.length), fromLatin1(tag), fromLatin1(value))

export interface ServiceParam {
  key: number
  value: Uint8Array
}

/** SVCB and HTTPS (RFC 9460 §2.2). */
export interface Service {
  /** 0 makes it an alias. */
  priority: number
  target: DnsName
  /** By rising key. */
  params: readonly ServiceParam[]
}

/** Keys of addresses in a service's params (RFC 9460 §7.3). */
export const SERVICE_KEY = { IPV4_HINT: 4, IPV6_HINT: 6 } as const

export const serviceData = ({ priority, target, params }: Service): Uint8Array =>
  joinBytes([
    word(priority),
    bytesOfName(target),
    ...params.flatMap(({ key, value }) => [word(key), word(value.length), value]),
  ])

/** Undefined where the data is none. */
export function readService(data: Uint8Array): Service | undefined {
  if (data.length < 3) return undefined
  let at = 2
  for (let length = data[at]; length !== 0; length = data[at]) {
    if (length === undefined) return undefined
    at += 1 + length
  }
  at++
  const target = nameOfBytes(data.subarray(2, at))
  if (target === undefined) return undefined
  const params: ServiceParam[] = []
  while (at + 4 <= data.length) {
    const end = at + 4 + view(data).getUint16(at + 2)
    if (end > data.length) return undefined
    params.push({ key: view(data).getUint16(at), value: data.subarray(at + 4, end) })
    at = end
  }
  return at === data.length ? { priority: view(data).getUint16(0), target, params } : undefined
}
