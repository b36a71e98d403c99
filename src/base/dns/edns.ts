/** EDNS: what a message says about its sender in OPT (RFC 6891), and the options in use. */
import { concatBytes, EMPTY, utf8, utf8Text } from '../bytes.ts'
import { EDNS_OPTION, SAFE_UDP_BYTES } from './codes.ts'
import { type Cursor, fail, readWord, take } from './cursor.ts'
import type { Edns, EdnsOption } from './message.ts'

/** Bit of the TTL of OPT that asks for DNSSEC records (RFC 3225). */
export const DNSSEC_OK = 0x8000

/** Four bytes hold an empty option; more than this many are no question. */
const MAX_OPTIONS = 64

/** What we say of ourselves. */
export const ourEdns = (options: readonly EdnsOption[] = [], dnssecOk = false): Edns => ({
  payloadBytes: SAFE_UDP_BYTES,
  version: 0,
  dnssecOk,
  options,
})

/** Walks over the options up to `end`; `found` hears where the data of each is. */
export function readOptions(
  cursor: Cursor,
  end: number,
  found: (code: number, at: number, length: number) => void,
): void {
  for (let count = 0; cursor.at < end && cursor.fault === undefined; count++) {
    const code = readWord(cursor)
    const length = readWord(cursor)
    if (cursor.at + length > end || count === MAX_OPTIONS) {
      fail(cursor, 'opt-options')
      return
    }
    const at = take(cursor, length)
    if (at >= 0) found(code, at, length)
  }
}

/** RFC 8914: why an answer is what it is. */
export interface ExtendedError {
  code: number
  text: string
}

const MAX_EXTRA_TEXT = 200

export function extendedErrorOption({ code, text }: ExtendedError): EdnsOption {
  const words = utf8(text.slice(0, MAX_EXTRA_TEXT))
  return {
    code: EDNS_OPTION.EXTENDED_ERROR,
    data: concatBytes(Uint8Array.of(code >> 8, code & 255), words),
  }
}

/** Those of a message; text that is no UTF-8 is left out. */
export function extendedErrors(edns: Edns | undefined): ExtendedError[] {
  const found: ExtendedError[] = []
  for (const { code, data } of edns?.options ?? []) {
    const [high, low] = data
    if (code !== EDNS_OPTION.EXTENDED_ERROR || high === undefined || low === undefined) continue
    const text = (utf8Text(data.subarray(2)) ?? '').replace(/\0$/, '').slice(0, MAX_EXTRA_TEXT)
    found.push({ code: (high << 8) | low, text })
  }
  return found
}

/** RFC 7828 §3.1: how long a server keeps an idle connection, in tenths of a second on the wire. */
export function keepaliveOption(idleMs: number): EdnsOption {
  const tenths = Math.min(0xffff, Math.floor(idleMs / 100))
  return { code: EDNS_OPTION.KEEPALIVE, data: Uint8Array.of(tenths >> 8, tenths & 255) }
}

/**
 * RFC 8467 §4.1: pads a query of `length` bytes (before this option) to a multiple of 128, so that its
 * length says little about its name where others can see only that.
 */
export function paddingOption(length: number): EdnsOption {
  const rest = (length + 4) % 128
  return {
    code: EDNS_OPTION.PADDING,
    data: rest === 0 ? EMPTY : new Uint8Array(128 - rest),
  }
}
