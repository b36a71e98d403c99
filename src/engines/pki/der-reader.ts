/** DER (ITU-T X.690) read one level at a time, as far as our own certificates need it. */
import { BadDer } from './errors.ts'

/** One element: its tag byte, what it holds, and all of it as it stood there. */
export interface Element {
  tag: number
  content: Uint8Array
  raw: Uint8Array
}

/**
 * The elements that stand one after the other in `bytes`.
 * @throws BadDer for what ends too early and for tags and lengths no certificate of ours has
 */
export function readElements(bytes: Uint8Array): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const one = readElement(bytes.subarray(at))
    found.push(one)
    at += one.raw.length
  }
  return found
}

function readElement(bytes: Uint8Array): Element {
  const [tag = 0, first] = bytes
  if (first === undefined) throw new BadDer('it ends within a header')
  if ((tag & 0x1f) === 0x1f) throw new BadDer('it has a tag of several bytes')
  let start = 2
  let length = first
  if (first >= 0x80) {
    const digits = first & 0x7f
    // Two digits are 64 KiB, more than any file of this room has.
    if (digits < 1 || digits > 2) throw new BadDer('a length has no or too many digits')
    length = 0
    for (; start < 2 + digits; start++) length = length * 256 + (bytes[start] ?? 0)
  }
  if (bytes.length < start + length) throw new BadDer('it ends within an element')
  return {
    tag,
    content: bytes.subarray(start, start + length),
    raw: bytes.subarray(0, start + length),
  }
}
