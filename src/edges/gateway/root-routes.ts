/** Routes of the root hosts, as a Fastify plugin: the page, the box for names, uploads. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { hostOf, parseName, writeMagnet, type ParsedName } from '../../base/names/index.ts'
import { isBtlError, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Library, Publisher } from '../../base/ports/content.ts'
import {
  clientAddress,
  closeSignal,
  isHouseAddress,
  wantsHtml,
  type AddressSet,
  type RequestTarget,
} from '../http/index.ts'
import type { UploadsConfig } from './config.ts'
import { BadLink, BadMethod, NotFound, UploadRefused } from './errors.ts'
import { torrentOrigin } from './exchange.ts'
import type { AnnounceUrls } from './links.ts'
import { rootPage, uploadedPage } from './root-page.ts'
import { checkOrigin, readUpload } from './upload.ts'

/** What the listener found out before Fastify saw the request. */
export interface RootRequest {
  target: RequestTarget
  rootAuthority: string
}

export interface RootDeps {
  library: Library
  publisher: Publisher
  log: Log
  proxies: AddressSet
  announceUrls: AnnounceUrls
  facts: (req: IncomingMessage) => RootRequest
}

const PAGE_CSP =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
const GO = {
  type: 'object',
  required: ['to'],
  properties: { to: { type: 'string', minLength: 1, maxLength: 16_384 } },
} as const
const UPLOADED = {
  type: 'object',
  properties: {
    infohash: { type: 'string' },
    url: { type: 'string' },
    magnet: { type: 'string' },
    files: { type: 'integer' },
    length: { type: 'integer' },
  },
} as const
// Peers of a magnet link are asked in the background while the browser follows the redirect.
const HINT_MS = 60_000

function sendPage(reply: FastifyReply, body: string): FastifyReply {
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': PAGE_CSP,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    })
    .send(body)
}

function read(text: string, tld: string): ParsedName {
  try {
    return parseName(text, tld)
  } catch (error) {
    if (!isBtlError(error)) throw error
    throw new BadLink(text.slice(0, 100), messageOf(error))
  }
}

export function rootRoutes(
  app: FastifyInstance,
  { deps, config }: { deps: RootDeps; config: { tld: string; uploads: UploadsConfig } },
): void {
  const { library, publisher, log } = deps
  const { tld, uploads } = config

  const mayUpload = (req: IncomingMessage): boolean =>
    uploads.access === 'lan' && isHouseAddress(clientAddress(req, deps.proxies))

  // The body is read where it is wanted: as a stream, by `readUpload`.
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))

  app.setNotFoundHandler((request, reply) => {
    const { path } = deps.facts(request.raw).target
    if (path === '/' || path === '/go') {
      void reply.header('allow', path === '/' ? 'GET, HEAD, POST' : 'GET, HEAD')
      throw new BadMethod(request.method)
    }
    throw new NotFound(path.slice(0, 200))
  })

  app.get('/', async (request, reply) => {
    const { rootAuthority } = deps.facts(request.raw)
    const facts = { tld, rootAuthority, mayUpload: mayUpload(request.raw) }
    return sendPage(reply, rootPage({ ...facts, maxBytes: uploads.max_size }))
  })

  /** Tells the swarm what the link knows, so that a torrent known to one peer only is found. */
  function useHints({ name, hints }: ParsedName): void {
    const isEmpty = [hints.peers, hints.trackers, hints.webSeeds].every((list) => !list?.length)
    if (name.kind !== 'infohash' || isEmpty) return
    library
      .open(name.infoHash, { hints }, AbortSignal.timeout(HINT_MS))
      .catch((error: unknown) =>
        log.debug({ infoHash: name.infoHash, reason: messageOf(error) }, 'hints led nowhere'),
      )
  }

  app.get<{ Querystring: { to: string } }>(
    '/go',
    { schema: { querystring: GO } },
    async (request, reply) => {
      const { target, rootAuthority } = deps.facts(request.raw)
      const parsed = read(request.query.to, tld)
      const { name, path } = parsed
      useHints(parsed)
      void reply.header('cache-control', 'no-store')
      if (name.kind === 'root') return reply.redirect('/', 303)
      const host = name.kind === 'domain' ? name.host : hostOf(name, rootAuthority)
      return reply.redirect(`${target.scheme}://${host}${path}`, 303)
    },
  )

  app.post('/', { schema: { response: { 200: UPLOADED } } }, async (request, reply) => {
    const facts = deps.facts(request.raw)
    if (!mayUpload(request.raw)) {
      throw new UploadRefused('uploads are only taken from devices of the house')
    }
    checkOrigin(request.raw, facts.target.authority)
    const limits = { maxBytes: uploads.max_size, maxFiles: uploads.max_files }
    const upload = await readUpload(request.raw, limits)
    const made = await publisher.upload(
      upload.name,
      upload.files,
      { announceDht: uploads.announce_dht, maxBytes: uploads.max_size },
      closeSignal(reply.raw),
    )
    const origin = torrentOrigin(facts, made.infoHash)
    const magnet = writeMagnet(
      { kind: 'infohash', infoHash: made.infoHash },
      {
        title: upload.name,
        hints: {
          trackers: deps.announceUrls(request.raw.socket),
          webSeeds: [`${origin}/.btlink/webseed/`],
        },
      },
    )
    const { infoHash, files, totalLength } = made
    const url = `${origin}/`
    log.info({ infoHash, files, totalLength }, 'took an upload')
    if (wantsHtml(request.headers.accept)) {
      const body = uploadedPage({ infoHash, url, magnet, files, totalLength })
      // The page is no JSON: past the serializer of the schema.
      return sendPage(reply.serializer(String), body)
    }
    return reply.send({ infohash: infoHash, url, magnet, files, length: totalLength })
  })
}
