/** Names, keys and the state of the daemon. */
import type { FastifyInstance } from 'fastify'
import { toHex } from '../../base/bytes.ts'
import { convert, ENCODINGS, isEncoding } from '../../base/names/index.ts'
import { closeSignal } from '../http/index.ts'
import type { ApiDeps, ApiOptions } from './deps.ts'
import { BadInput, NoLink } from './errors.ts'
import { busiestPeers } from './peer-routes.ts'
import { readName } from './site-name.ts'
import { infoHashLinks, nameView, urlsOf } from './views.ts'

const anything = { type: 'object', additionalProperties: true }
const text = { type: 'string', minLength: 1, maxLength: 16_384 }
const flag = { type: 'boolean' }

interface ResolveQuery {
  name: string
  record?: boolean
  fresh?: boolean
  local?: boolean
}
const resolveQuery = {
  type: 'object',
  required: ['name'],
  properties: { name: text, record: flag, fresh: flag, local: flag },
}

interface ConvertQuery {
  from: string
  to: string
  value: string
}
const convertQuery = {
  type: 'object',
  required: ['from', 'to', 'value'],
  properties: { from: text, to: text, value: text },
}

const iso = (ms: number): string => new Date(ms).toISOString()

function clockView(clock: ApiDeps['clock']) {
  const { state, now, floor } = clock.view()
  return { state, now: iso(now), floor: iso(floor) }
}

const keyBody = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: { type: 'string', minLength: 1, maxLength: 64 } },
}

/** Who said so: an own site's record is signed here, whatever the DHT holds. */
function sourceOf(freshness: 'fresh' | 'stale', isOwn: boolean): string {
  if (isOwn) return 'this box'
  return freshness === 'fresh' ? 'dht' : 'last known'
}

export function toolRoutes(
  app: FastifyInstance,
  deps: Pick<
    ApiDeps,
    'store' | 'resolver' | 'links' | 'dht' | 'engine' | 'listeners' | 'health' | 'clock'
  >,
  { tld, mode, version }: Pick<ApiOptions, 'tld' | 'mode' | 'version'>,
): void {
  const { keys, sites } = deps.store

  /** @throws NoLink, BTL_ERR_LINKS_UNREACHABLE */
  async function linkedName(domain: string, localOnly: boolean, signal: AbortSignal) {
    const link = localOnly ? deps.links.known(domain) : await deps.links.find(domain, signal)
    if (!link) throw new NoLink(domain, domain)
    return link.name
  }

  app.get<{ Querystring: ResolveQuery }>(
    '/api/resolve',
    {
      schema: {
        summary: 'What a name leads to',
        querystring: resolveQuery,
        response: { 200: anything },
      },
    },
    async ({ query }, reply) => {
      const typed = await readName(query.name, keys, tld)
      const signal = closeSignal(reply.raw)
      const localOnly = query.local ?? false
      const linked = typed.kind === 'domain' ? { domain: typed.host } : {}
      const name = typed.kind === 'domain' ? await linkedName(typed.host, localOnly, signal) : typed
      if (name.kind === 'infohash') {
        return { kind: name.kind, ...linked, ...infoHashLinks(name.infoHash, tld) }
      }
      if (name.kind === 'immutable') {
        const value = await deps.resolver.immutable(name.target, { localOnly }, signal)
        return { kind: name.kind, ...linked, target: name.target, value: toHex(value) }
      }
      if (name.kind !== 'key')
        throw new BadInput(`"${query.name.slice(0, 100)}" is no name of .${tld}`)
      const options = { localOnly, fresh: query.fresh ?? false }
      const found = await deps.resolver.resolve(name.publicKey, name.salt, options, signal)
      const record = found.version
      const isOwn = sites.site(name.publicKey, name.salt)?.keyName !== undefined
      return {
        kind: name.kind,
        ...linked,
        ...nameView(name.publicKey, name.salt, tld),
        ...infoHashLinks(found.infoHash, tld),
        seq: found.seq,
        ageSeconds: found.ageSeconds,
        freshness: found.freshness,
        source: sourceOf(found.freshness, isOwn),
        ...(query.record === true &&
          record && {
            record: {
              publicKey: record.publicKey,
              salt: toHex(record.salt),
              seq: record.seq,
              value: toHex(record.value),
              signature: toHex(record.signature),
            },
          }),
      }
    },
  )

  app.get<{ Querystring: ConvertQuery }>(
    '/api/convert',
    {
      schema: {
        summary: 'Bytes from one encoding to another',
        querystring: convertQuery,
        response: { 200: { type: 'object', properties: { value: { type: 'string' } } } },
      },
    },
    ({ query }) => {
      const { from, to, value } = query
      if (!isEncoding(from) || !isEncoding(to)) {
        throw new BadInput(`encodings are ${ENCODINGS.join(', ')}`)
      }
      return { value: convert(value, from, to) }
    },
  )

  app.get(
    '/api/keys',
    { schema: { summary: "Public keys of this box's names", response: { 200: anything } } },
    async () => ({
      keys: (await keys.list()).map(({ name, publicKey }) => ({
        name,
        ...nameView(publicKey, new Uint8Array(0), tld),
      })),
    }),
  )
  app.post<{ Body: { name: string } }>(
    '/api/keys',
    { schema: { summary: 'Make a key', body: keyBody, response: { 201: anything } } },
    async ({ body }, reply) => {
      const publicKey = await keys.create(body.name)
      return reply
        .code(201)
        .send({ name: body.name, ...nameView(publicKey, new Uint8Array(0), tld) })
    },
  )

  app.get(
    '/api/status',
    { schema: { summary: 'Versions, ports, DHT and torrents', response: { 200: anything } } },
    async () => {
      const [listeners, health, dht, torrents, swarm, peers] = await Promise.all([
        deps.listeners(),
        deps.health.check(),
        deps.dht.info().catch(() => undefined),
        deps.engine.torrents().catch(() => undefined),
        deps.engine.listening().catch(() => undefined),
        busiestPeers(deps.engine).catch(() => undefined),
      ])
      return {
        version,
        node: process.version,
        mode,
        uptimeSeconds: Math.round(process.uptime()),
        health,
        clock: clockView(deps.clock),
        listeners,
        gateway: urlsOf(tld, listeners['http']?.port)[0],
        sites: sites.sites().length,
        dht,
        swarm: swarm?.stats,
        torrents,
        peers,
      }
    },
  )
}
