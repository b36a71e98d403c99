/** What the handlers want to know of link records. */
import { type DnsName, textOfName } from '../../base/dns/name.ts'
import type { LinkRecords } from '../../base/ports/link-records.ts'

export type Links = Pick<LinkRecords, 'find'>

/** A domain whose record nobody could be asked for has none: the client's question must not wait for it. */
export const hasSite = async (links: Links, domain: DnsName): Promise<boolean> =>
  links.find(textOfName(domain)).then(
    (link) => link !== undefined,
    () => false,
  )
