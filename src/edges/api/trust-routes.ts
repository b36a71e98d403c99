/** The roots that the devices of the house trust, as their owner commands them. */
import { X509Certificate } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { codeOf } from '../../base/errors.ts'
import type { CertAuthority, Realm, RootCertificate } from '../../base/ports/cert-issuer.ts'
import { closeSignal } from '../http/index.ts'
import { NotAllowed } from './errors.ts'

export interface TrustDeps {
  pki: CertAuthority
  /** Whether a request came over the admin socket: everything here but looking needs that. */
  isTrusted(request: FastifyRequest): boolean
}

/** Views are made by us: their fields are told by their type, and pass as they are. */
const anything = { type: 'object', additionalProperties: true }
const realm = { type: 'string', enum: ['names', 'links'] }
const host = { type: 'string', minLength: 1, maxLength: 254 }
const MAX_HOSTS = 100
const passphrase = { type: 'string', maxLength: 2048 }

const body = (required: string[], properties: Record<string, object>) => ({
  type: 'object',
  required,
  additionalProperties: false,
  properties,
})

const day = (ms: number): string => new Date(ms).toISOString()

export function rootView({ name, sha256, words, permitted, notAfter, pem }: RootCertificate) {
  return {
    name,
    sha256,
    words,
    permitted,
    notBefore: day(Date.parse(new X509Certificate(pem).validFrom)),
    notAfter: day(notAfter),
    pem,
  }
}

export type RootView = ReturnType<typeof rootView>

export interface TrustView {
  names: RootView
  /** Absent while no link domain has https. */
  links?: RootView
  /** Replaced, with their keys still on the box; newest first. */
  former: { names: RootView[]; links: RootView[] }
  linkDomains: { configured: readonly string[]; stated: readonly string[] }
}

export function trustRoutes(app: FastifyInstance, deps: TrustDeps): void {
  const { pki } = deps
  const keysOnly = async (request: FastifyRequest): Promise<void> => {
    if (!deps.isTrusted(request))
      throw new NotAllowed('certificates are managed over the admin socket')
  }

  async function linksRoot(signal: AbortSignal): Promise<RootView | undefined> {
    try {
      return rootView(await pki.root('links', signal))
    } catch (error) {
      if (codeOf(error) === 'BTL_ERR_PKI_NO_AUTHORITY') return undefined
      throw error
    }
  }

  app.get(
    '/api/trust',
    { schema: { summary: 'Roots of this box', response: { 200: anything } } },
    async (_, reply): Promise<TrustView> => {
      const signal = closeSignal(reply.raw)
      const former = async (which: Realm) => (await pki.former(which, signal)).map(rootView)
      const [names, links, formerNames, formerLinks, linkDomains] = await Promise.all([
        pki.root('names', signal),
        linksRoot(signal),
        former('names'),
        former('links'),
        pki.linkDomains(signal),
      ])
      return {
        names: rootView(names),
        ...(links && { links }),
        former: { names: formerNames, links: formerLinks },
        linkDomains,
      }
    },
  )

  void app.register(async (owner) => {
    owner.addHook('onRequest', keysOnly)

    owner.post<{ Body: { hosts: string[] } }>(
      '/api/trust/leaf',
      {
        schema: {
          summary: 'A certificate and key for another server',
          body: body(['hosts'], {
            hosts: { type: 'array', minItems: 1, maxItems: MAX_HOSTS, items: host },
          }),
          response: { 201: anything },
        },
      },
      async ({ body: { hosts } }, reply) => {
        const leaf = await pki.issue(hosts, closeSignal(reply.raw))
        return reply.code(201).send({ ...leaf, notAfter: day(leaf.notAfter) })
      },
    )

    owner.post<{ Body: { realm?: Realm; forget?: boolean } }>(
      '/api/trust/rotate',
      {
        schema: {
          summary: 'Make a new root',
          body: body([], { realm, forget: { type: 'boolean' } }),
          response: { 200: anything },
        },
      },
      async ({ body: { realm: which = 'names', forget = false } }, reply) => {
        const root = await pki.rotate(which, closeSignal(reply.raw))
        const forgotten = forget ? await pki.forget(which) : 0
        return { root: rootView(root), forgotten }
      },
    )

    owner.post<{ Body: { realm?: Realm; passphrase: string } }>(
      '/api/trust/export',
      {
        schema: {
          summary: 'A root with its keys, under a passphrase',
          body: body(['passphrase'], { realm, passphrase }),
          response: { 200: anything },
        },
      },
      async ({ body: { realm: which = 'names', passphrase: secret } }, reply) => ({
        bundle: await pki.exportAuthority(which, secret, {}, closeSignal(reply.raw)),
        root: rootView(await pki.root(which)),
      }),
    )

    owner.post<{ Body: { bundle: string; passphrase: string } }>(
      '/api/trust/import',
      {
        schema: {
          summary: 'Put the root of another box in force',
          body: body(['bundle', 'passphrase'], {
            bundle: { type: 'string', maxLength: 40_000 },
            passphrase,
          }),
          response: { 200: anything },
        },
      },
      async ({ body: { bundle, passphrase: secret } }, reply) => {
        const signal = closeSignal(reply.raw)
        return { root: rootView(await pki.importAuthority(bundle, secret, signal)) }
      },
    )

    owner.post<{ Body: { domains: string[] } }>(
      '/api/trust/link-domains',
      {
        schema: {
          summary: 'Give domains with link records https',
          body: body(['domains'], {
            domains: { type: 'array', minItems: 1, maxItems: MAX_HOSTS, items: host },
          }),
          response: { 200: anything },
        },
      },
      async ({ body: { domains } }, reply) => {
        const root = await pki.addLinkDomains(domains, closeSignal(reply.raw))
        return { root: rootView(root), linkDomains: await pki.linkDomains() }
      },
    )

    owner.delete<{ Querystring: { domain?: string[] } }>(
      '/api/trust/link-domains',
      {
        schema: {
          summary: 'Take https from link domains; without any, from all',
          querystring: body([], {
            domain: { type: 'array', maxItems: MAX_HOSTS, items: host },
          }),
          response: { 200: anything },
        },
      },
      async ({ query: { domain } }, reply) => ({
        linkDomains: await pki.removeLinkDomains(domain, closeSignal(reply.raw)),
      }),
    )
  })
}
