/** Ordinary domains as hosts: their link records say which site they are. */
import type { ServerResponse } from 'node:http'
import type { Link, LinkRecords } from '../../base/ports/link-records.ts'
import { closeSignal } from '../http/index.ts'
import { NoLink, NotCached } from './errors.ts'

export type Links = Pick<LinkRecords, 'find' | 'known'>

/**
 * @param asked `onlyIfCached`: the request forbids asking the network
 * @throws NoLink (404), NotCached (412), BTL_ERR_LINKS_UNREACHABLE (503)
 */
export async function findLink(
  links: Links,
  domain: string,
  asked: { res: ServerResponse; onlyIfCached: boolean },
): Promise<Link> {
  if (asked.onlyIfCached) {
    const known = links.known(domain)
    if (!known) throw new NotCached()
    return known
  }
  const found = await links.find(domain, closeSignal(asked.res))
  if (!found) throw new NoLink(domain, domain)
  return found
}
