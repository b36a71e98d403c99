/** What the API is given; every part is a port, so that a fake of it is small. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Health, Stats } from '../../base/ports/component.ts'
import type { CertAuthority } from '../../base/ports/cert-issuer.ts'
import type { LinkResolver, Publisher } from '../../base/ports/content.ts'
import type { DhtNode } from '../../base/ports/dht-node.ts'
import type { HouseDns } from '../../base/ports/house-dns.ts'
import type { LinkRecords } from '../../base/ports/link-records.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Store } from '../../base/ports/store.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'
import type { ApiConfig } from './config.ts'
import type { DoctorDeps } from './doctor-routes.ts'

export interface ApiDeps {
  store: Pick<Store, 'sites' | 'keys' | 'snapshot'>
  resolver: LinkResolver
  publisher: Publisher
  dht: Pick<DhtNode, 'info'>
  engine: Pick<TorrentEngine, 'torrents' | 'listening' | 'peers' | 'status'>
  pki: CertAuthority
  links: Pick<LinkRecords, 'find' | 'known'>
  /** Undefined where this box has no resolver. */
  dns: Pick<HouseDns, 'answer' | 'explain'> | undefined
  health: {
    check(): Promise<{ status: string; score: number; components: Record<string, Health> }>
  }
  doctor: DoctorDeps
  /** Counters by room; those of rooms that do not answer are left out. */
  stats(): Promise<Record<string, Stats>>
  /** Ports in use, by listener. */
  listeners(): Promise<Record<string, { port: number }>>
  /** Asked before any route on the TCP listener, whatever the Host: announces are not for a router. */
  tracker: {
    answer(req: IncomingMessage, res: ServerResponse): boolean
    upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean
  }
  /** Announce addresses for those who reach the box at `localAddress`. */
  announceUrls(localAddress: string | undefined): string[]
  /** Whether an address, IPv4 without mapping, is one of the house. */
  isHouse(address: string): boolean
  /** How far the machine's clock can be relied on. */
  clock: { view(): { state: string; now: number; floor: number } }
  log: Log
}

export interface ApiOptions {
  /** The `gateway` section. */
  gateway: ApiConfig
  /** `btlink.tld` */
  tld: string
  /** `log.request_headers` */
  requestHeaders: boolean
  /** Path of the socket of the command line; its folder is there. */
  adminSocket: string
  /** WebSockets that the tracker takes. */
  maxSockets: number
  mode: string
  version: string
}
