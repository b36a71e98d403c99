/** The counters of the room under the names that `/metrics` shows. */
import type { Stats } from '../../base/ports/component.ts'
import type { FamilyNode } from './family-node.ts'
import type { ItemStore } from './item-store.ts'
import type { BackgroundBudget } from './limits.ts'
import type { PeerStore } from './peer-store.ts'

export interface Counted {
  families: readonly FamilyNode[]
  items: ItemStore
  peers: PeerStore
  background: BackgroundBudget
}

export function collectStats({ families, items, peers, background }: Counted): Stats {
  const sum = (pick: (family: FamilyNode) => number): number =>
    families.reduce((total, family) => total + pick(family), 0)
  return {
    packets_sent: sum(({ link }) => link.stats.sent),
    packets_received: sum(({ link }) => link.stats.received),
    send_failures: sum(({ link }) => link.stats.sendFailures),
    queries_sent: sum(({ rpc }) => rpc.stats.asked),
    replies_received: sum(({ rpc }) => rpc.stats.answered),
    replies_unexpected: sum(({ rpc }) => rpc.stats.unexpected),
    queries_unanswered: sum(({ rpc }) => rpc.stats.silent),
    queries_received: sum(({ stats }) => stats.queries),
    malformed: sum(({ stats }) => stats.malformed),
    over_budget: sum(({ stats }) => stats.overBudget),
    replies_withheld: sum(({ stats }) => stats.withheld),
    stored_items: items.size(),
    stored_torrents: peers.torrents(),
    stored_peers: peers.peers(),
    background_waiting: background.waiting(),
  }
}
