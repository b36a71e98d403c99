/** A guess from the first bytes, after the WHATWG MIME Sniffing standard §7: only types a browser needs to show a file. */
import { UNKNOWN_TYPE } from './content-type.ts'

/** As many first bytes as a guess looks at. */
export const SNIFF_BYTES = 512

/** Hex at an offset, and what it means. */
const SIGNATURES: readonly (readonly [number, string, string])[] = [
  [0, '25504446 2d', 'application/pdf'],
  [0, '89504e47 0d0a1a0a', 'image/png'],
  [0, 'ffd8ff', 'image/jpeg'],
  [0, '47494638', 'image/gif'],
  [8, '57454250', 'image/webp'],
  [8, '57415645', 'audio/wav'],
  [4, '66747970 61766966', 'image/avif'],
  [4, '66747970', 'video/mp4'],
  [0, '1a45dfa3', 'video/webm'],
  [0, '4f676753', 'application/ogg'],
  [0, '664c6143', 'audio/flac'],
  [0, '494433', 'audio/mpeg'],
  [0, '774f4632', 'font/woff2'],
  [0, '774f4646', 'font/woff'],
  [0, '0061736d', 'application/wasm'],
  [0, '1f8b08', 'application/gzip'],
  [0, '504b0304', 'application/zip'],
]

const HTML_START =
  /^\s*<(?:!doctype html|html|head|body|script|title|h1|div|p|a|table|style|br|iframe|!--)[\s>]/i
const SVG_START = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*)?<svg[\s>]/i

/** Bytes that text never has (MIME Sniffing §4: binary data bytes). */
const isBinary = (byte: number): boolean =>
  byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f)

/** @param head the first `SNIFF_BYTES` bytes, or all of a shorter file */
export function sniffType(head: Uint8Array): string {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  for (const [at, signature, type] of SIGNATURES) {
    const magic = Buffer.from(signature.replace(' ', ''), 'hex')
    if (bytes.subarray(at, at + magic.length).equals(magic)) return type
  }
  const text = bytes.toString('latin1')
  if (SVG_START.test(text)) return 'image/svg+xml'
  if (HTML_START.test(text)) return 'text/html; charset=utf-8'
  return bytes.some(isBinary) ? UNKNOWN_TYPE : 'text/plain; charset=utf-8'
}
