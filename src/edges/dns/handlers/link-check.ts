/**
 * `<domain>._btlink.<tld>`: this box where the domain has a site, and not there where it has none. A
 * proxy script, which cannot ask for TXT, learns by it what to send through the proxy.
 */
import { foldName, isWithin, labelsOfName, nameOfLabels } from '../../../base/dns/name.ts'
import type { DnsName } from '../../../base/dns/name.ts'
import { hasSite, type Links } from '../links.ts'
import type { Handler } from '../reply.ts'
import { createZone, nameOf, notThere, thisBox } from '../zone.ts'

export function createLinkCheck(links: Links, tld: string, host: DnsName): Handler {
  const top = foldName(nameOf(tld))
  const root = foldName(nameOf(`_btlink.${tld}`))
  const zone = createZone(top, host)
  const rootLabels = labelsOfName(root).length
  return {
    name: 'link-check',
    answer(asked) {
      const { folded } = asked.query
      if (folded === root || !isWithin(folded, root)) return undefined
      const domain = nameOfLabels(labelsOfName(folded).slice(0, -rootLabels))
      // A host of one label is no domain, and a content name needs no record.
      if (domain === undefined || labelsOfName(domain).length < 2 || isWithin(domain, top)) {
        return notThere(zone)
      }
      return hasSite(links, domain).then((has) => (has ? thisBox(asked, zone) : notThere(zone)))
    },
  }
}
