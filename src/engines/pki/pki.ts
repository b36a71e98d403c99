/** Certificates for the sites of the house: puts the parts of this room together behind `CertAuthority`. */
import { join } from 'node:path'
import { messageOf, printable } from '../../base/errors.ts'
import type { CertAuthority, Realm } from '../../base/ports/cert-issuer.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Health } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { type Authority, type AuthorityFiles, readAuthority } from './authority.ts'
import { openBundle, sealBundle } from './bundle.ts'
import type { PkiOptions } from './config.ts'
import { BadBundle, ConfiguredDomain, ForeignName, NoAuthority, NotReady } from './errors.ts'
import { createLinkDomains } from './link-domains.ts'
import { createLeafMaker, newLeafKey } from './leaf-maker.ts'
import { checkPermitted, createLeaves, type Leaves } from './leaves.ts'
import { createRealm, type RealmKeeper } from './realm.ts'
import { rootCertificate } from './root-certificate.ts'
import { canonicalHost, checkDomain, createServedHosts, isWithin } from './served-hosts.ts'
import { createShelf } from './shelf.ts'
import { DAY_MS, dayOf, soundTime } from '../../base/sound-time.ts'

export interface PkiDeps {
  log: Log
  clock: Clock
  /** Where the authorities are kept; made with mode 0700. */
  folder: string
}

// Long enough to get every device of a household to trust the next root.
const WARN_MS = 180 * DAY_MS
const MAX_HOST = 254
const MAX_ISSUED_HOSTS = 100

const vouches = ({ permitted }: Authority, host: string): boolean =>
  permitted.some((subtree) => isWithin(host, subtree))

/** @throws BTL_ERR_PKI_BAD_SETTING for names no root may vouch for */
export function createPki(deps: PkiDeps, options: PkiOptions): CertAuthority {
  const { log, clock, folder } = deps
  const domains = createLinkDomains({
    file: join(folder, 'link-domains'),
    log,
    clock,
    configured: options.link_domains,
    check: (domain) => checkDomain('link_domains', domain, options.tld),
  })
  const served = createServedHosts(options, domains.all)
  let leaves: Leaves | undefined
  let refused = 0

  function realmIn(realm: Realm, place: string): RealmKeeper {
    return createRealm({
      realm,
      shelf: createShelf(join(folder, place), log),
      log,
      clock,
      permitted: () => served.permitted(realm),
      onReplaced: () => leaves?.clear(),
    })
  }

  const realms: Record<Realm, RealmKeeper> = {
    // A folder for each top-level domain: whoever changes it and changes it back finds the root again.
    names: realmIn('names', join('names', options.tld)),
    links: realmIn('links', 'links'),
  }

  function started(): Leaves {
    if (!leaves) throw new NotReady('it was not started')
    return leaves
  }

  function find(host: string) {
    try {
      return served.find(host)
    } catch (error) {
      refused++
      throw error
    }
  }

  /** An imported root must not vouch for more than one made here would. */
  function checkImported(realm: Realm, files: AuthorityFiles): void {
    let authority: Authority
    try {
      authority = readAuthority(files)
    } catch (error) {
      throw new BadBundle(messageOf(error), { cause: error })
    }
    const { permitted, issuer } = authority
    const { now, isSound } = soundTime(clock)
    if (isSound && now >= issuer.notAfter)
      throw new BadBundle(`it ended on ${dayOf(issuer.notAfter)}`)
    const wanted = served.permitted(realm)
    const foreign = permitted.find((name) => !wanted.includes(name))
    if (foreign !== undefined) {
      throw new BadBundle(`it vouches for "${foreign}", which this box is not configured for`)
    }
    if (realm === 'names' && !permitted.includes(options.tld)) {
      throw new BadBundle(`it does not vouch for .${options.tld}`)
    }
  }

  function judge(): Health {
    const { authority, failure } = realms.names.held()
    if (!authority) return { status: 'down', score: 0, detail: failure ?? 'not started' }
    const { now, isSound } = soundTime(clock)
    const faults: [score: number, detail: string][] = []
    const end = authority.issuer.notAfter
    const endDay = dayOf(end)
    if (isSound && now >= end) return { status: 'down', score: 0, detail: `ended on ${endDay}` }
    if (isSound && now >= end - WARN_MS) faults.push([50, `the root certificate ends on ${endDay}`])
    if (!isSound) faults.push([70, 'the clock cannot be right'])
    if (authority.faults.length > 0) faults.push([80, authority.faults.join('; ')])
    for (const realm of ['names', 'links'] as const) {
      const known = realms[realm].held()
      if (known.failure !== undefined) faults.push([60, known.failure])
      const missing = served
        .permitted(realm)
        .filter((name) => known.authority && !vouches(known.authority, name))
      if (missing.length > 0) faults.push([80, `no root vouches for ${missing.join(', ')} yet`])
    }
    const unread = domains.failure()
    if (unread !== undefined) faults.push([60, unread])
    if (faults.length === 0) return { status: 'ok', score: 100 }
    const score = Math.min(...faults.map(([score]) => score))
    return { status: 'degraded', score, detail: faults.map(([, detail]) => detail).join('; ') }
  }

  return {
    name: 'pki',
    async start(signal) {
      signal.throwIfAborted()
      leaves = createLeaves(options, newLeafKey(), clock)
      await domains.load()
      for (const realm of ['names', 'links'] as const) {
        if (served.permitted(realm).length === 0) continue
        // The log has it: the box serves http without, and the next handshake tries again.
        await realms[realm].authority().catch(() => undefined)
      }
    },
    async stop() {
      leaves?.clear()
      leaves = undefined
    },
    health: judge,
    async leaf(host, signal) {
      signal?.throwIfAborted()
      const cached = host.length <= MAX_HOST ? started().cached(canonicalHost(host)) : undefined
      if (cached) return cached
      await domains.load()
      const found = find(host)
      const authority = await realms[found.realm].authority()
      signal?.throwIfAborted()
      return started().make(found, authority)
    },
    async fallback(signal) {
      signal?.throwIfAborted()
      const authority = await realms.names.authority()
      // One name that the root forbids would spoil the others.
      const names = [...served.permitted('names'), ...options.reserved_hosts].filter((name) =>
        authority.permitted.some((subtree) => isWithin(name, subtree)),
      )
      return started().fallback(names, authority)
    },
    vouchesFor(host) {
      try {
        const { realm } = served.find(host)
        const { authority } = realms[realm].held()
        // A link domain has a real host to go to where we cannot speak for it.
        return authority ? vouches(authority, host) : realm === 'names'
      } catch {
        return false
      }
    },
    async root(realm = 'names', signal) {
      signal?.throwIfAborted()
      await domains.load()
      return rootCertificate(await realms[realm].authority())
    },
    stats() {
      const { made = 0, cached = 0, reused = 0, overRate = 0 } = leaves?.stats() ?? {}
      return {
        leaves_made: made,
        leaves_cached: cached,
        leaves_reused: reused,
        leaves_over_rate: overRate,
        hosts_refused: refused,
      }
    },
    async issue(hosts, signal) {
      signal?.throwIfAborted()
      if (hosts.length === 0 || hosts.length > MAX_ISSUED_HOSTS) {
        throw new ForeignName(`${hosts.length} hosts`, `1 to ${MAX_ISSUED_HOSTS} fit in one`)
      }
      await domains.load()
      const all = hosts.map(find)
      const [first] = all
      const stranger = all.find(({ realm }) => realm !== first?.realm)
      if (!first || stranger) {
        throw new ForeignName(stranger?.host ?? '', 'another root vouches for the hosts before it')
      }
      const authority = await realms[first.realm].authority()
      for (const one of all) checkPermitted(one, authority)
      started().spend()
      const names = [
        ...new Set([...all.map(({ host }) => host), ...all.flatMap((one) => one.names)]),
      ]
      const make = createLeafMaker(authority, newLeafKey(), options.leaf_lifetime)
      return make(names, soundTime(clock))
    },
    async rotate(realm, signal) {
      signal?.throwIfAborted()
      await domains.load()
      return rootCertificate(await realms[realm].renew())
    },
    async former(realm, signal) {
      signal?.throwIfAborted()
      return (await realms[realm].shelf.former()).map(({ authority }) => rootCertificate(authority))
    },
    async forget(realm, signal) {
      signal?.throwIfAborted()
      return realms[realm].shelf.forget()
    },
    async exportAuthority(realm, passphrase, { sha256 } = {}, signal) {
      signal?.throwIfAborted()
      const { shelf } = realms[realm]
      const all = [await shelf.current(), ...(sha256 === undefined ? [] : await shelf.former())]
      const chosen = all.find(
        (one) => one && (sha256 === undefined || rootCertificate(one.authority).sha256 === sha256),
      )
      if (!chosen) throw new NoAuthority(sha256 === undefined ? realm : `the root ${sha256}`)
      return sealBundle({ realm, files: chosen.files }, passphrase)
    },
    async importAuthority(text, passphrase, signal) {
      signal?.throwIfAborted()
      const { realm, files } = await openBundle(text, passphrase)
      signal?.throwIfAborted()
      await domains.load()
      checkImported(realm, files)
      return rootCertificate(await realms[realm].replace(files))
    },
    async linkDomains(signal) {
      signal?.throwIfAborted()
      await domains.load()
      return domains.parts()
    },
    async addLinkDomains(added, signal) {
      signal?.throwIfAborted()
      await domains.state((stated) => [...stated, ...added])
      const authority = await realms.links.authority()
      const isWhole = served.permitted('links').every((domain) => vouches(authority, domain))
      return rootCertificate(isWhole ? authority : await realms.links.renew())
    },
    async removeLinkDomains(removed, signal) {
      signal?.throwIfAborted()
      await domains.load()
      const { configured } = domains.parts()
      const fixed = (removed ?? configured).filter((domain) => configured.includes(domain))
      if (fixed.length > 0) throw new ConfiguredDomain(fixed.join(', '))
      await domains.state((stated) => {
        const stranger = removed?.find((domain) => !stated.includes(domain))
        if (stranger !== undefined) throw new NoAuthority(printable(stranger, 100))
        return removed === undefined ? [] : stated.filter((domain) => !removed.includes(domain))
      })
      leaves?.clear()
      if (domains.all().length === 0) await realms.links.remove()
      return domains.parts()
    },
  }
}
