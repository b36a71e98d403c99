/**
 * Salts as labels of a host name, both ways without ambiguity.
 *
 * A salt that is itself a dotted host name (`blog`, `a.b`) is written as it is. Every other one is
 * written in hex: its bytes in groups of 31, each group a label of `x` and two digits a byte. Labels
 * are read as hex when all of them have that shape, so a text such as `xab`, which has it by
 * accident, is written in hex as well (`x786162`).
 */
import { fromHex, fromLatin1, latin1, toHex } from '../bytes.ts'

const HEX_LABEL = /^x(?:[0-9a-f]{2})+$/
// A hyphen at either end is allowed in a salt but makes a certificate for the host unusable in
// Firefox; and browsers refuse what looks like punycode and is none. Such salts take the hex form,
// although they are read in either.
const PLAIN_LABEL = /^(?!xn--)[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?$/
// 62 digits and the `x` fill a label of 63.
const BYTES_IN_LABEL = 31

export const isHexSalt = (labels: readonly string[]): boolean =>
  labels.length > 0 && labels.every((label) => HEX_LABEL.test(label))

/** The salt of lower-case labels that stand left of a key. */
export function saltOfLabels(labels: readonly string[]): Uint8Array {
  if (isHexSalt(labels)) return fromHex(labels.map((label) => label.slice(1)).join(''))
  return fromLatin1(labels.join('.'))
}

const isPlain = (labels: readonly string[]): boolean =>
  labels.every((label) => PLAIN_LABEL.test(label)) && !isHexSalt(labels)

/** The labels that a salt is canonically written as; none for no salt. */
export function labelsOfSalt(salt: Uint8Array): string[] {
  if (salt.length === 0) return []
  const plain = latin1(salt).split('.')
  if (isPlain(plain)) return plain
  const labels: string[] = []
  for (let at = 0; at < salt.length; at += BYTES_IN_LABEL) {
    labels.push(`x${toHex(salt.subarray(at, at + BYTES_IN_LABEL))}`)
  }
  return labels
}
