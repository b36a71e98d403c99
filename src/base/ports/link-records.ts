/** Which ordinary domains have a site: what their `_btlink` TXT records say. */
import type { Name } from '../names/name.ts'
import type { Component, Stats } from './component.ts'
import type { SwarmHints } from './torrent-engine.ts'

export interface Link {
  /** Where the domain leads. */
  name: Name
  /** Of its magnet; no addresses of the house, unless the household wrote the record itself. */
  hints: SwarmHints
  /** Until the record is asked for again. */
  secondsLeft: number
}

/** One question however many wait, remembered while the record counts. */
export interface LinkRecords extends Component {
  /**
   * Undefined where the domain has no site. Addresses, single labels, names under the top-level domain
   * and those that belong into no public DNS are none without asking anybody.
   * @param domain in any case, with or without trailing dot, without port
   * @throws BTL_ERR_LINKS_UNREACHABLE (503) where no DNS server could say, for a while without asking again
   */
  find(domain: string, signal?: AbortSignal): Promise<Link | undefined>
  /** What is in memory, or the household's own word; asks nobody. */
  known(domain: string): Link | undefined
  stats(): Stats
}
