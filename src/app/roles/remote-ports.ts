/** Ports of a role as other roles hold them: the same interface, carried over its socket. */
import type { Component, Health } from '../../base/ports/component.ts'
import type { DhtNode } from '../../base/ports/dht-node.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'
import type { HouseDns } from '../../base/ports/house-dns.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'
import type { RpcClient } from './rpc-client.ts'
import type { Methods } from './rpc-server.ts'

type Kind = 'call' | 'stream'
type Table<Port extends Component> = Record<Exclude<keyof Port, 'name' | 'start' | 'stop'>, Kind>

const dhtTable: Table<DhtNode> = {
  peers: 'stream',
  announce: 'call',
  getImmutable: 'call',
  getMutable: 'call',
  putImmutable: 'call',
  putMutable: 'call',
  addNode: 'call',
  info: 'call',
  health: 'call',
}

const torrentTable: Table<TorrentEngine> = {
  metainfo: 'call',
  add: 'call',
  want: 'call',
  verified: 'stream',
  seed: 'call',
  drop: 'call',
  peers: 'call',
  answerOffer: 'call',
  meet: 'call',
  status: 'call',
  torrents: 'call',
  completed: 'stream',
  listening: 'call',
  health: 'call',
}

const houseDnsTable: Table<HouseDns> = {
  answer: 'call',
  explain: 'call',
  listening: 'call',
  stats: 'call',
  health: 'call',
}

/** How it is, for others to see; who wants to ask, asks the house's resolver. */
type UpstreamState = Pick<DnsUpstream, 'name' | 'start' | 'stop' | 'health'>
const upstreamTable: Table<UpstreamState> = { health: 'call' }

const DOWN: Health = { status: 'down', score: 0, detail: 'the role that runs it does not answer' }

function remote<Port extends Component>(name: string, table: Table<Port>, client: RpcClient): Port {
  const port: Record<string, unknown> = {
    name,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  }
  for (const [method, kind] of Object.entries<Kind>(table)) {
    port[method] = (...args: unknown[]) => client[kind](`${name}.${method}`, args)
  }
  port['health'] = () => client.call(`${name}.health`, []).catch(() => DOWN)
  return port as unknown as Port
}

export const remoteDhtNode = (client: RpcClient): DhtNode => remote('dht', dhtTable, client)
export const remoteTorrentEngine = (client: RpcClient): TorrentEngine =>
  remote('torrent', torrentTable, client)

export const remoteHouseDns = (client: RpcClient): HouseDns => remote('dns', houseDnsTable, client)
export const remoteUpstream = (client: RpcClient): UpstreamState =>
  remote('upstream-dns', upstreamTable, client)

type Offer = [name: string, port: object, table: Record<string, Kind>]

function methodsOf(offers: readonly Offer[]): Methods {
  const methods = new Map<string, (...args: unknown[]) => unknown>()
  for (const [name, port, table] of offers) {
    for (const method of Object.keys(table)) {
      methods.set(`${name}.${method}`, (...args) => {
        const found: unknown = Reflect.get(port, method)
        return typeof found === 'function'
          ? (Reflect.apply(found, port, args) as unknown)
          : undefined
      })
    }
  }
  return methods
}

/** What the swarm role offers of its local forms. */
export const offerSwarmPorts = (ports: { dht: DhtNode; torrent: TorrentEngine }): Methods =>
  methodsOf([
    ['dht', ports.dht, dhtTable],
    ['torrent', ports.torrent, torrentTable],
  ])

/** What the dns role offers of its local forms. */
export const offerDnsPorts = (ports: { dns: HouseDns; upstream: UpstreamState }): Methods =>
  methodsOf([
    ['dns', ports.dns, houseDnsTable],
    ['upstream-dns', ports.upstream, upstreamTable],
  ])
