/** Who answers, in which order. To add a rule is to add a file to `handlers/` and a line here. */
import { type DnsName, foldName } from '../../base/dns/name.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'
import type { DnsConfig } from './config.ts'
import { createBtlinkNames } from './handlers/btlink-names.ts'
import { createForward, type Forward } from './handlers/forward.ts'
import { createLinkCheck } from './handlers/link-check.ts'
import { createLinkDomains } from './handlers/link-domains.ts'
import { createLocalRecords } from './handlers/local-records.ts'
import { createPolicy } from './handlers/policy.ts'
import { createSpecialNames } from './handlers/special-names.ts'
import type { Links } from './links.ts'
import type { Handler } from './reply.ts'
import { nameOf } from './zone.ts'

export interface ChainDeps {
  upstream: Pick<DnsUpstream, 'ask'>
  /** Without them no domain has a site. */
  links?: Links | undefined
  /** Monotonic ms. */
  now: () => number
  /** The top-level domain of content names. */
  tld: string
  /** Domains that the upstream sends to servers of their own, folded. */
  routed: readonly DnsName[]
  /** For resolvers in front of this one. */
  policyZone?: Handler | undefined
}

export interface Chain {
  handlers: readonly Handler[]
  forward: Forward
}

export function createChain(deps: ChainDeps, config: DnsConfig): Chain {
  const { upstream, links, now, tld, routed, policyZone } = deps
  const host = nameOf(config.hostname === '' ? `ns.${tld}` : config.hostname)
  const allowed = [...config.allow_private.map((text) => foldName(nameOf(text))), ...routed]
  const privateZones = config.block_private ? allowed : undefined
  const forward = createForward({ upstream, now, privateZones }, config)
  const local = createLocalRecords(config.records, config.link_records, host)
  const handlers = [
    // First what is refused whatever its name, so that nobody below has to think of it.
    createPolicy(),
    // Its names look like broken content names to the next one.
    ...(links && config.link_check ? [createLinkCheck(links, tld, host)] : []),
    // Its name looks like a broken content name too.
    ...(policyZone ? [policyZone] : []),
    // No record of the household may take a content name away, nor may the internet.
    createBtlinkNames(tld, host),
    // What the household wrote comes before what the standards say of the same name.
    local,
    // Before forwarding: these must not leave the house.
    createSpecialNames({ host, routed }, config),
    // Of what is left, the domains that have a site.
    ...(links && config.intercept_links ? [createLinkDomains(links, host)] : []),
    forward,
  ]
  return { handlers, forward }
}
