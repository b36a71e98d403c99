/** DER (ITU-T X.690) as far as certificates and requests for them need it: values are encoded whole. */

const BOOLEAN = 0x01
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const SEQUENCE = 0x30
const SET = 0x31
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const CONTEXT = 0x80
const CONSTRUCTED = 0x20

function lengthOf(bytes: number): number[] {
  if (bytes < 0x80) return [bytes]
  const digits: number[] = []
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return [0x80 | digits.length, ...digits]
}

function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(length)]), ...content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(SEQUENCE, ...parts)

export const setOf = (part: Uint8Array): Buffer => element(SET, part)

export const TRUE: Uint8Array = element(BOOLEAN, Buffer.from([0xff]))

/** @param bytes big-endian, not negative, of any length; zeroes in front are taken off */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  // The first bit is the sign.
  const isPositive = (digits[0] ?? 0) < 0x80
  return isPositive && digits.length > 0
    ? element(INTEGER, digits)
    : element(INTEGER, Buffer.from([0]), digits)
}

export const smallInteger = (value: number): Buffer => integer(Buffer.from([value]))

/** @param dotted at least two arcs, each below 2^31 */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...arcs]) {
    const digits = [arc % 128]
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
      digits.unshift(0x80 | (rest % 128))
    }
    bytes.push(...digits)
  }
  return element(OBJECT_IDENTIFIER, Buffer.from(bytes))
}

export const octetString = (content: Uint8Array): Buffer => element(OCTET_STRING, content)

/** @param unusedBits of the last byte, 0 to 7 */
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  element(BIT_STRING, Buffer.from([unusedBits]), content)

export const utf8String = (text: string): Buffer => element(UTF8_STRING, Buffer.from(text))

/** RFC 5280 §4.1.2.5: two digits of the year up to 2049, four from 2050 on; always to the second, in UTC. */
export function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
  return ms < Date.UTC(2050, 0)
    ? element(UTC_TIME, Buffer.from(text.slice(2), 'latin1'))
    : element(GENERALIZED_TIME, Buffer.from(text, 'latin1'))
}

/** `[tag]` around a value of a type of its own. */
export const explicit = (tag: number, content: Uint8Array): Buffer =>
  element(CONTEXT | CONSTRUCTED | tag, content)

/** `[tag]` in place of the tag of a string. */
export const implicit = (tag: number, content: Uint8Array): Buffer =>
  element(CONTEXT | tag, content)
