/** The swarm: whether others find us, and we them. */
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import type { Box } from './ports.ts'
import { statusOf } from './status.ts'

const FEW_NODES = 8
const WARM_UP_SECONDS = 600
/** A router that answers has answered by then. */
const MAPPING_SECONDS = 10
const STORED_AGE_MS = 12 * 3_600_000
const MAX_SITES = 1000

interface OwnSite {
  host: string
  publicKey: string
  salt: string
}

async function ownSites(box: Box): Promise<OwnSite[] | undefined> {
  const answer = (await box.ask('/api/sites')) as { sites?: unknown } | undefined
  if (!Array.isArray(answer?.sites)) return undefined
  const sites = answer.sites as (OwnSite & { kind?: string; seq?: number })[]
  return sites.filter(({ kind, seq }) => kind === 'own' && seq !== undefined).slice(0, MAX_SITES)
}

async function confirmedAt(box: Box, { host }: OwnSite): Promise<number> {
  const path = `/api/sites/${encodeURIComponent(host)}/versions`
  const answer = (await box.ask(path)) as { versions?: { confirmedAt?: string }[] } | undefined
  return Date.parse(answer?.versions?.[0]?.confirmedAt ?? '') || 0
}

export const swarmChecks: readonly Check[] = [
  {
    id: 'dht',
    asks: 'Does the box find its way in the DHT?',
    severity: 'some',
    why: 'Without it no name can be looked up that was not visited before.',
    remedy: 'Let the router pass UDP to the port dht.port; some networks forbid it altogether.',
    view: 'machine',
    async look({ box, facts }) {
      if (!facts.dht.enabled) return ok('the DHT is switched off')
      const status = await statusOf(box)
      if (!status?.dht) return unknown('no daemon says')
      const { nodes } = status.dht
      if (nodes >= FEW_NODES) return ok(`${nodes} nodes`)
      if (facts.dht.isAlone) return ok(`${nodes} nodes; none to begin with are configured`)
      if (status.uptimeSeconds < WARM_UP_SECONDS && nodes > 0)
        return ok(`${nodes} nodes, just started`)
      return nodes === 0
        ? failed('no node of the DHT answers')
        : warning(`only ${nodes} nodes of the DHT answer`)
    },
  },
  {
    id: 'dht-reachable',
    asks: 'Can nodes of the DHT ask this box?',
    severity: 'later',
    why: 'Who only asks is slower to be found, and gives nothing back.',
    remedy: 'Lead the UDP port dht.port of the router to this box.',
    view: 'machine',
    async look({ box, facts }) {
      if (!facts.dht.enabled) return ok('the DHT is switched off')
      const dht = (await statusOf(box))?.dht
      if (!dht) return unknown('no daemon says')
      return dht.readOnly
        ? warning('nobody outside reaches the DHT port: the box only asks')
        : ok('they can')
    },
  },
  {
    id: 'peers',
    asks: 'Do downloads find peers?',
    severity: 'some',
    why: 'A site without peers opens only as far as it was fetched before.',
    remedy: 'Wait; or ask whoever publishes it whether their box is on. See `btlinkd peers NAME`.',
    view: 'machine',
    async look({ box }) {
      const status = await statusOf(box)
      if (!status) return unknown('no daemon says')
      const waiting = status.torrents.filter(({ complete }) => !complete)
      if (waiting.length === 0) return ok('nothing waits for peers')
      const alone = waiting.filter(({ peers }) => peers === 0)
      return alone.length === waiting.length
        ? warning(`${alone.length} downloads have no peer at all`)
        : ok(`${waiting.length - alone.length} of ${waiting.length} downloads have peers`)
    },
  },
  {
    id: 'peer-port',
    asks: 'Can peers outside the house connect to this box?',
    severity: 'later',
    why: 'Visitors of your sites find them slower.',
    remedy: 'Switch on UPnP or NAT-PMP in the router, or lead the TCP port swarm.port to this box.',
    view: 'machine',
    async look({ box, facts }) {
      const metrics = await box.metrics()
      const listeners = await box.listeners()
      if (!metrics || listeners['swarm'] === undefined) return unknown('no daemon says')
      if (listeners['swarm'].port === 0) return failed('the box does not take connections of peers')
      const mapped = metrics.get('torrent_mapped_port') ?? 0
      if (mapped > 0) return ok(`the router leads port ${mapped} here`)
      const { uptimeSeconds = 0 } = (await statusOf(box)) ?? {}
      return facts.mapsPort && uptimeSeconds >= MAPPING_SECONDS
        ? warning('the router was asked to lead the peer port here, and does not')
        : unknown('the router was not asked; only somebody outside can tell')
    },
  },
  {
    id: 'sites-announced',
    asks: 'Do others hold the records of your sites?',
    severity: 'some',
    why: 'After two hours a name that nobody holds is found by nobody.',
    remedy: 'Let `btlinkd doctor --fix` put them again.',
    fix: 'announce',
    view: 'machine',
    async look({ box, facts, clock }) {
      const sites = await ownSites(box)
      if (!sites) return unknown('no daemon says')
      if (sites.length === 0) return ok('there are no sites of this box')
      if (!facts.dht.enabled) return ok('the DHT is switched off')
      if (facts.dht.isAlone && ((await statusOf(box))?.dht?.nodes ?? 0) === 0)
        return ok('this box is alone by its configuration')
      const late: string[] = []
      for (const site of sites) {
        if (clock.now() - (await confirmedAt(box, site)) > STORED_AGE_MS) late.push(site.host)
      }
      return late.length > 0
        ? warning(`for half a day nobody took the record of ${few(late, 2)}`)
        : ok(`${sites.length} records are held by others`)
    },
  },
]
