/** Keys that may log in, as lines of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT), without options. */
import { printable } from '../../base/errors.ts'

const MAX_KEYS = 64
/** RSA with 16384 bits is 2.8 KB of base64. */
const MAX_LINE = 8192
const TYPES = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
])

export interface SshKeys {
  /** `type base64 comment`, each once. */
  keys: string[]
  /** Of lines that are none. */
  faults: string[]
}

/** RFC 4253, section 6.6: a blob is its type and the key's numbers, each after its length; nothing follows. */
function typeInside(blob: Uint8Array): string | undefined {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length)
  const fields: Uint8Array[] = []
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length || fields.length > 8) return undefined
    const end = at + 4 + view.getUint32(at)
    if (end > blob.length) return undefined
    fields.push(blob.subarray(at + 4, end))
    at = end
  }
  const [type] = fields
  return type && fields.length > 1 ? Buffer.from(type).toString('latin1') : undefined
}

function readKey(line: string): { key: string } | { fault: string } {
  if (line.includes('PRIVATE KEY')) {
    return {
      fault: 'is a private key: it belongs on your own machine alone, the box needs the .pub file',
    }
  }
  const [type = '', data = '', ...comment] = line.split(/[ \t]+/)
  if (!TYPES.has(type))
    return { fault: `"${printable(type, 24)}" is no kind of key; options are not taken here` }
  const blob = Buffer.from(data, 'base64')
  if (blob.toString('base64') !== data || typeInside(blob) !== type) {
    return { fault: `is a damaged ${type} key: copy the line again` }
  }
  const label = comment
    .join(' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 100)
  return { key: `${type} ${data}${label === '' ? '' : ` ${label}`}` }
}

/** @param place what a fault begins with: `authorized_keys` */
export function readSshKeys(lines: readonly string[], place: string): SshKeys {
  const keys = new Map<string, string>()
  const faults: string[] = []
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const read = line.length > MAX_LINE ? { fault: 'is too long' } : readKey(line)
    if ('fault' in read) {
      if (faults.length < MAX_KEYS) faults.push(`${place}:${index + 1}: ${read.fault}`)
      // The lines of a private key say nothing more.
      if (line.includes('PRIVATE KEY')) break
    } else if (keys.size < MAX_KEYS) keys.set(read.key.split(' ')[1] ?? '', read.key)
    else {
      faults.push(`${place}:${index + 1}: over ${MAX_KEYS} keys`)
      break
    }
  }
  return { keys: [...keys.values()], faults }
}

/** What makes two lines the same key, whatever they say behind it. */
const idOf = (line: string): string => line.split(' ').slice(0, 2).join(' ')

/** The keys of the box with those that came onto the card, and without those that went from it. */
export function mergeKeys(
  box: readonly string[],
  before: readonly string[],
  now: readonly string[],
): string[] {
  const gone = new Set(before.map(idOf))
  for (const line of now) gone.delete(idOf(line))
  const kept = box.filter((line) => !gone.has(idOf(line)))
  const known = new Set(kept.map(idOf))
  return [...kept, ...now.filter((line) => !known.has(idOf(line)))]
}
