/** Who gives and takes: the peers of a torrent, of whatever kind. */
import type { FastifyInstance } from 'fastify'
import type { InfoHash } from '../../base/hashes.ts'
import type { PeerInfo } from '../../base/ports/torrent-engine.ts'
import { closeSignal } from '../http/index.ts'
import type { ApiDeps, ApiOptions } from './deps.ts'
import { BadInput } from './errors.ts'
import { readName } from './site-name.ts'

const anything = { type: 'object', additionalProperties: true }
const named = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', minLength: 1, maxLength: 2048 } },
}
// A box with more torrents than this in use shows those it asked first.
const MAX_TORRENTS = 100
const MAX_PEERS = 200

export interface PeerLine extends PeerInfo {
  infoHash: InfoHash
}

const speed = (peer: PeerInfo): number => peer.downloadBytesPerSecond + peer.uploadBytesPerSecond

/** The peers of all torrents together, the busiest first. */
export async function busiestPeers(engine: ApiDeps['engine']): Promise<PeerLine[]> {
  const busy = (await engine.torrents()).filter(({ peers }) => peers > 0).slice(0, MAX_TORRENTS)
  const lists = await Promise.all(
    busy.map(async ({ infoHash }) =>
      (await engine.peers(infoHash)).map((peer) => ({ infoHash, ...peer })),
    ),
  )
  return lists
    .flat()
    .toSorted((a, b) => speed(b) - speed(a))
    .slice(0, MAX_PEERS)
}

export function peerRoutes(
  app: FastifyInstance,
  { engine, resolver, store }: Pick<ApiDeps, 'engine' | 'resolver' | 'store'>,
  { tld }: Pick<ApiOptions, 'tld'>,
): void {
  app.get<{ Params: { name: string } }>(
    '/api/sites/:name/peers',
    {
      schema: {
        summary: 'Peers of a site or torrent: kind, source, speed',
        params: named,
        response: { 200: anything },
      },
    },
    async ({ params }, reply) => {
      const name = await readName(params.name, store.keys, tld)
      if (name.kind !== 'key' && name.kind !== 'infohash')
        throw new BadInput(`"${params.name.slice(0, 100)}" is neither a site nor a torrent`)
      const infoHash =
        name.kind === 'infohash'
          ? name.infoHash
          : (await resolver.resolve(name.publicKey, name.salt, {}, closeSignal(reply.raw))).infoHash
      const [status, peers] = await Promise.all([engine.status(infoHash), engine.peers(infoHash)])
      return { infoHash, status, peers }
    },
  )
}
