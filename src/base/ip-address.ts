/** IP addresses as the bytes that travel, and as the one text that stands for them. */

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const GROUP = /^[0-9a-fA-F]{1,4}$/

function ipv4Bytes(text: string): number[] | undefined {
  const parts = IPV4.exec(text)?.slice(1)
  // A leading zero is octal to some readers and decimal to others.
  if (parts === undefined || parts.some((part) => part.length > 1 && part.startsWith('0'))) {
    return undefined
  }
  const bytes = parts.map(Number)
  return bytes.every((byte) => byte < 256) ? bytes : undefined
}

/** The bytes of groups between colons; the very last may be an IPv4 address. */
function groupBytes(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    const isLast = isEnd && index === groups.length - 1
    const ipv4 = isLast && group.includes('.') ? ipv4Bytes(group) : undefined
    if (ipv4) bytes.push(...ipv4)
    else if (GROUP.test(group)) {
      const word = Number.parseInt(group, 16)
      bytes.push(word >> 8, word & 255)
    } else return undefined
  }
  return bytes
}

/** The 4 or 16 bytes of an address; undefined where the text is none. Zones (`%eth0`) are no part of it. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (!text.includes(':')) {
    const bytes = ipv4Bytes(text)
    return bytes && Uint8Array.from(bytes)
  }
  const [head = '', tail, more] = text.split('::')
  const left = groupBytes(head, tail === undefined)
  const right = tail === undefined ? [] : groupBytes(tail, true)
  if (more !== undefined || left === undefined || right === undefined) return undefined
  const missing = 16 - left.length - right.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...left, ...Array.from({ length: missing }, () => 0), ...right])
}

/** The text of 4 or 16 bytes, IPv6 as RFC 5952 writes it, so that equal addresses are equal texts. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: number[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0) length++
    if (length > best.length) best = { at, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.at < 0) return hex.join(':')
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`
}
