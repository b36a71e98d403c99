/** What others say our address is (BEP 42): believed when enough separate networks agree. */
import { hostBytes, isLocal } from './address.ts'
import { toHex } from '../../base/bytes.ts'

const MAX_VOTES = 32
const MIN_VOTES = 4

/** Voters of one /16 (IPv4) or /32 (IPv6) count once; local ones by host. */
const networkOf = (host: string): string => {
  const bytes = hostBytes(host)
  if (!bytes || isLocal(host)) return host
  return toHex(bytes.subarray(0, bytes.length === 4 ? 2 : 4))
}

export function createExternalAddress() {
  const votes = new Map<string, string>()
  let agreed: string | undefined

  return {
    /** Undefined until enough agree. */
    host: () => agreed,
    /** How `asker` last saw us, or what all agree on. */
    hostFor: (asker: string) => votes.get(networkOf(asker)) ?? agreed,
    /** Counts what `voter` says; returns the new address when the majority changes. */
    vote(voter: string, seenAs: string): string | undefined {
      const network = networkOf(voter)
      votes.delete(network)
      if (votes.size >= MAX_VOTES) votes.delete(votes.keys().next().value ?? '')
      votes.set(network, seenAs)
      const inFavour = [...votes.values()].filter((host) => host === seenAs).length
      if (inFavour < MIN_VOTES || inFavour * 2 <= votes.size || seenAs === agreed) return undefined
      agreed = seenAs
      return agreed
    },
  }
}
