/**
 * Takes out of answers from the internet what would lead a web page into the house (DNS rebinding):
 * private addresses in A and AAAA, also inside IPv6, and as hints in HTTPS and SVCB.
 */
import { EXTENDED_ERROR, TYPE } from '../../base/dns/codes.ts'
import type { ExtendedError } from '../../base/dns/edns.ts'
import type { ResourceRecord } from '../../base/dns/message.ts'
import { type DnsName, isWithin } from '../../base/dns/name.ts'
import { readService, serviceData, SERVICE_KEY } from '../../base/dns/record-data.ts'
import { createNetworks, NOT_OF_THE_INTERNET } from './networks.ts'

const forbidden = createNetworks(NOT_OF_THE_INTERNET)

const HINT_BYTES: ReadonlyMap<number, number> = new Map<number, number>([
  [SERVICE_KEY.IPV4_HINT, 4],
  [SERVICE_KEY.IPV6_HINT, 16],
])

export interface Filtered {
  answers: readonly ResourceRecord[]
  /** Set where something was taken out. */
  error?: ExtendedError
}

const BLOCKED: ExtendedError = {
  code: EXTENDED_ERROR.BLOCKED,
  text: 'private address in an answer from the internet',
}

/** @param allowed domains whose answers pass as they are, folded */
export function filterAnswers(
  name: DnsName,
  answers: readonly ResourceRecord[],
  allowed: readonly DnsName[],
): Filtered {
  if (allowed.some((zone) => isWithin(name, zone))) return { answers }
  let isChanged = false
  const left = answers.flatMap((record) => {
    const kept = withoutPrivate(record)
    if (kept !== record) isChanged = true
    return kept ?? []
  })
  return isChanged ? { answers: left, error: BLOCKED } : { answers }
}

function withoutPrivate(record: ResourceRecord): ResourceRecord | undefined {
  const { type, data } = record
  if (type === TYPE.A || type === TYPE.AAAA) return forbidden.has(data) ? undefined : record
  if (type !== TYPE.HTTPS && type !== TYPE.SVCB) return record
  const service = readService(data)
  if (service === undefined) return undefined
  const isPrivate = service.params.some(({ key, value }) => hasPrivate(key, value))
  if (!isPrivate) return record
  // The record without its hints is still good: whoever uses it asks for the address.
  const params = service.params.filter(({ key, value }) => !hasPrivate(key, value))
  return { ...record, data: serviceData({ ...service, params }) }
}

function hasPrivate(key: number, value: Uint8Array): boolean {
  const size = HINT_BYTES.get(key)
  if (size === undefined) return false
  for (let at = 0; at < value.length; at += size) {
    if (forbidden.has(value.subarray(at, at + size))) return true
  }
  return false
}
