/** Records with other names in them. */
import { joinBytes, latin1 } from '../bytes.ts'
import { layoutOf } from './layouts.ts'
import type { ResourceRecord } from './message.ts'
import { bytesOfName, type DnsName } from './name.ts'

/** The record with its owner, and the names that RFC 1035 puts into its data, as `change` makes them. */
export function mapNames(
  record: ResourceRecord,
  change: (name: DnsName) => DnsName,
): ResourceRecord {
  const { type, data } = record
  const parts: Uint8Array[] = []
  let from = 0
  for (const part of layoutOf(type) ?? []) {
    if (typeof part !== 'number' && part !== 'name') break
    const end = part === 'name' ? endOfName(data, from) : from + part
    const piece = data.subarray(from, end)
    parts.push(part === 'name' ? bytesOfName(change(latin1(piece) as DnsName)) : piece)
    from = end
  }
  const name = change(record.name)
  if (from === 0) return name === record.name ? record : { ...record, name }
  return { ...record, name, data: joinBytes([...parts, data.subarray(from)]) }
}

/** Where the uncompressed name at `from` ends. Data that is no name is taken whole. */
export function endOfName(data: Uint8Array, from: number): number {
  for (let at = from; at < data.length; ) {
    const length = data[at] ?? 0
    at += 1 + length
    if (length === 0) return at
  }
  return data.length
}
