/** Sites of the box: published, visited, pinned. */
import { isAbsolute } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { EMPTY, fromHex, toHex, utf8 } from '../../base/bytes.ts'
import { infoHash } from '../../base/hashes.ts'
import type { KeyName } from '../../base/names/index.ts'
import type { PublishOptions } from '../../base/ports/content.ts'
import { closeSignal } from '../http/index.ts'
import type { ApiDeps, ApiOptions } from './deps.ts'
import { BadInput, NoSite, NotAllowed } from './errors.ts'
import { readName, readSite } from './site-name.ts'
import { publicationView, siteView, versionView } from './views.ts'

interface Named {
  name: string
}

interface PublishBody {
  folder?: string
  infoHash?: string
  key: string
  /** As text. */
  salt?: string
  saltHex?: string
  title?: string
  watch?: boolean
  wait?: boolean
}

/** Views are made by us: their fields are told by their type, and pass as they are. */
const anything = { type: 'object', additionalProperties: true }
const done = { type: 'object', properties: { done: { type: 'boolean' } } }
const named = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', minLength: 1, maxLength: 2048 } },
}
const publishBody = {
  type: 'object',
  required: ['key'],
  additionalProperties: false,
  properties: {
    folder: { type: 'string', minLength: 1, maxLength: 4096 },
    infoHash: { type: 'string', pattern: '^[0-9a-fA-F]{40}$' },
    key: { type: 'string', minLength: 1, maxLength: 64 },
    salt: { type: 'string', maxLength: 64 },
    saltHex: { type: 'string', pattern: '^([0-9a-fA-F]{2}){0,64}$' },
    title: { type: 'string', maxLength: 255 },
    watch: { type: 'boolean' },
    wait: { type: 'boolean' },
  },
}

function optionsOf(body: PublishBody): PublishOptions {
  const salt = body.saltHex === undefined ? body.salt && utf8(body.salt) : fromHex(body.saltHex)
  return {
    keyName: body.key,
    salt: salt === undefined || salt === '' ? EMPTY : salt,
    ...(body.title !== undefined && { title: body.title }),
    ...(body.watch !== undefined && { watch: body.watch }),
    ...(body.wait !== undefined && { wait: body.wait }),
  }
}

export function siteRoutes(
  app: FastifyInstance,
  deps: Pick<ApiDeps, 'store' | 'publisher' | 'listeners' | 'announceUrls'> & {
    isTrusted(request: FastifyRequest): boolean
  },
  { tld }: Pick<ApiOptions, 'tld'>,
): void {
  const { publisher, store } = deps
  const { sites, keys } = store

  app.get(
    '/api/sites',
    {
      schema: {
        summary: 'Sites this box knows',
        response: { 200: anything },
      },
    },
    async () => ({
      sites: sites
        .sites()
        .map((site) => siteView(site, sites.latest(site.publicKey, site.salt), tld)),
      torrents: sites.pinnedTorrents(),
    }),
  )

  app.post<{ Body: PublishBody }>(
    '/api/sites/publish',
    {
      schema: {
        summary: 'Publish a folder or an uploaded torrent',
        body: publishBody,
        response: { 200: anything },
      },
    },
    async (request, reply) => {
      const { body } = request
      const signal = closeSignal(reply.raw)
      const options = optionsOf(body)
      const where = {
        gatewayPort: (await deps.listeners())['http']?.port,
        trackers: deps.announceUrls(request.socket.localAddress),
      }
      if (body.infoHash !== undefined) {
        return publicationView(
          await publisher.point(infoHash(body.infoHash), options, signal),
          tld,
          where,
        )
      }
      const { folder } = body
      if (folder === undefined) throw new BadInput('name a folder or an infoHash to publish')
      if (!isAbsolute(folder)) throw new BadInput(`the folder "${folder}" must begin with /`)
      // Whoever may write to the socket may read our files; whoever reaches a port may not.
      if (!deps.isTrusted(request))
        throw new NotAllowed('folders are published over the admin socket')
      return publicationView(await publisher.folder(folder, options, signal), tld, where)
    },
  )

  app.get<{ Params: Named }>(
    '/api/sites/:name/versions',
    {
      schema: {
        summary: 'Every known version, newest first',
        params: named,
        response: { 200: anything },
      },
    },
    async ({ params }) => {
      const { publicKey, salt } = await readSite(params.name, keys, tld)
      const versions = sites.versions(publicKey, salt)
      if (versions.length === 0 && !sites.site(publicKey, salt))
        throw new NoSite(params.name.slice(0, 100))
      return { publicKey, salt: toHex(salt), versions: versions.map(versionView) }
    },
  )

  /** `POST /api/sites/<name>/<verb>` without a body. */
  const act = (
    verb: string,
    summary: string,
    run: (site: KeyName, signal: AbortSignal) => Promise<unknown>,
  ) =>
    app.post<{ Params: Named }>(
      `/api/sites/:name/${verb}`,
      { schema: { summary, params: named, response: { 200: done } } },
      async ({ params }, reply) => {
        await run(await readSite(params.name, keys, tld), closeSignal(reply.raw))
        return { done: true }
      },
    )

  act('unpublish', 'Stop announcing a site of this box', async ({ publicKey, salt }) => {
    if (sites.site(publicKey, salt)?.keyName === undefined)
      throw new NoSite('of its own by this name')
    await publisher.unpublish(publicKey, salt)
  })

  /** Pins are of sites, and of plain torrents as well. */
  const pins = (verb: 'pin' | 'unpin', summary: string) =>
    app.post<{ Params: Named }>(
      `/api/sites/:name/${verb}`,
      { schema: { summary, params: named, response: { 200: done } } },
      async ({ params }, reply) => {
        const name = await readName(params.name, keys, tld)
        const signal = closeSignal(reply.raw)
        if (name.kind === 'key') {
          await (verb === 'pin'
            ? publisher.pin(name.publicKey, name.salt, signal)
            : publisher.unpin(name.publicKey, name.salt))
        } else if (name.kind === 'infohash') {
          await (verb === 'pin'
            ? publisher.pinTorrent(name.infoHash, undefined, signal)
            : publisher.unpinTorrent(name.infoHash))
        } else throw new BadInput(`"${params.name.slice(0, 100)}" is neither a site nor a torrent`)
        return { done: true }
      },
    )
  pins('pin', 'Keep a site or torrent whole and reachable')
  pins('unpin', 'Keep it no longer')
}
