/**
 * Ordinary domains that have a site are this box: for devices that use no proxy. Each new domain costs
 * a second question, so it is for households that ask for it.
 */
import { TYPE } from '../../../base/dns/codes.ts'
import type { DnsName } from '../../../base/dns/name.ts'
import { labelsOfName, ROOT } from '../../../base/dns/name.ts'
import { hasSite, type Links } from '../links.ts'
import type { Handler } from '../reply.ts'
import { createZone, thisBox } from '../zone.ts'

/** HTTPS records would lead past us: to other addresses, ports and keys. */
const TYPES: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.HTTPS]

export function createLinkDomains(links: Links, host: DnsName): Handler {
  const zone = createZone(ROOT, host)
  return {
    name: 'link-domains',
    answer(asked) {
      const { folded, type } = asked.query
      if (!TYPES.includes(type) || labelsOfName(folded).length < 2) return undefined
      // Names of services are no hosts; `_btlink.x` would be asked for its own record.
      if (folded.charAt(1) === '_') return undefined
      return hasSite(links, folded).then((has) =>
        has ? { ...thisBox(asked, zone), isOurs: false } : undefined,
      )
    },
  }
}
