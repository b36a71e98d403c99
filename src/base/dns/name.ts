/**
 * Domain names as what they are on the wire: labels of any bytes. A name is kept as a string with one
 * character a byte, each label behind its length and the root at the end, so that names are compared,
 * kept as keys and written without looking at them again. A label may hold a dot, a NUL or 0xE9, and
 * text would lose the difference.
 */
import { fromLatin1, latin1 } from '../bytes.ts'

declare const brand: unique symbol

/** The uncompressed wire form, at most 255 characters of 0 to 255, in the case it came in. */
export type DnsName = string & { readonly [brand]: 'dns-name' }

// RFC 1035 §2.3.4, the length bytes and the root counted.
export const MAX_NAME_BYTES = 255
export const MAX_LABEL_BYTES = 63

export const ROOT = '\0' as DnsName

const CAPITALS = /[A-Z]+/g

/** RFC 4343: names are equal when they are after this. Length bytes are below `A` and stay. */
export const foldName = (name: DnsName): DnsName =>
  name.replace(CAPITALS, (letters) => letters.toLowerCase()) as DnsName

/** Joins labels of one character a byte; undefined where one is empty or too long, or the name is. */
export function nameOfLabels(labels: readonly string[]): DnsName | undefined {
  let name = ''
  for (const label of labels) {
    if (label.length === 0 || label.length > MAX_LABEL_BYTES) return undefined
    name += String.fromCharCode(label.length) + label
  }
  return name.length < MAX_NAME_BYTES ? ((name + ROOT) as DnsName) : undefined
}

/** The labels, one character a byte, without the root. */
export function labelsOfName(name: DnsName): string[] {
  const labels: string[] = []
  for (let at = 0; at < name.length - 1; ) {
    const end = at + 1 + name.charCodeAt(at)
    labels.push(name.slice(at + 1, end))
    at = end
  }
  return labels
}

/** The name without its first label; undefined for the root. */
export const parentOfName = (name: DnsName): DnsName | undefined =>
  name.length > 1 ? (name.slice(1 + name.charCodeAt(0)) as DnsName) : undefined

/** Whether `name` is `zone` or below it. Both folded. */
export function isWithin(name: DnsName, zone: DnsName): boolean {
  let at = 0
  // The end of the string alone would take a label that merely ends in the bytes of the zone.
  while (name.length - at > zone.length) at += 1 + name.charCodeAt(at)
  return name.length - at === zone.length && name.endsWith(zone)
}

const ESCAPE = /\\(?:(\d{3})|([^\d]))/y
const PLAIN = /^[!#-\x27*-\x2d/-:<-?A-[\]-~]$/

/**
 * Reads the presentation form (RFC 1035 §5.1): `\.` and `\046` are bytes of a label, a last dot changes
 * nothing. Undefined for anything but printable ASCII, and for names that do not fit.
 */
export function nameOfText(text: string): DnsName | undefined {
  if (text === '.') return ROOT
  const labels: string[] = []
  let label = ''
  for (let at = 0; at < text.length; ) {
    const character = text.charAt(at)
    if (character <= ' ' || character > '~') return undefined
    if (character === '\\') {
      ESCAPE.lastIndex = at
      const [all, digits, literal] = ESCAPE.exec(text) ?? []
      if (all === undefined || Number(digits ?? 0) > 255) return undefined
      label += literal ?? String.fromCharCode(Number(digits))
      at += all.length
      continue
    }
    if (character === '.') {
      labels.push(label)
      label = ''
    } else label += character
    at++
  }
  if (label !== '') labels.push(label)
  return labels.length === 0 ? undefined : nameOfLabels(labels)
}

/** The presentation form without the last dot; `.` for the root. For people and logs. */
export function textOfName(name: DnsName): string {
  if (name === ROOT) return '.'
  return labelsOfName(name)
    .map((label) => Array.from(label, escaped).join(''))
    .join('.')
}

function escaped(character: string): string {
  if (PLAIN.test(character)) return character
  const byte = character.charCodeAt(0)
  return byte > 32 && byte < 127 ? `\\${character}` : `\\${String(byte).padStart(3, '0')}`
}

export const bytesOfName = (name: DnsName): Uint8Array => fromLatin1(name)

/** The name that `bytes` are, uncompressed and nothing else; undefined where they are none. */
export function nameOfBytes(bytes: Uint8Array): DnsName | undefined {
  if (bytes.length > MAX_NAME_BYTES) return undefined
  let at = 0
  for (let length = bytes[0]; length !== undefined; length = bytes[at]) {
    at += 1 + length
    if (length === 0) return at === bytes.length ? (latin1(bytes) as DnsName) : undefined
    if (length > MAX_LABEL_BYTES) return undefined
  }
  return undefined
}
