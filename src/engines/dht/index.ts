/** The BitTorrent DHT: finds peers and signed records, and keeps those of others. */
export type { DhtConfig } from './config.ts'
export { createDhtNode, type DhtDeps } from './dht-node.ts'
export { createNoDht } from './no-dht.ts'
