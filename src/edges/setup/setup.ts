/** Answers what the box says of itself to the people of the house, before sites and the gateway are asked. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { networkInterfaces } from 'node:os'
import { codeOf, messageOf, printable } from '../../base/errors.ts'
import type { CertIssuer, Realm, RootCertificate } from '../../base/ports/cert-issuer.ts'
import type { Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import {
  addressSet,
  describeError,
  errorResponse,
  requestTarget,
  type RequestTarget,
} from '../http/index.ts'
import { isCertificatePath, sendCertificate } from './certificate-files.ts'
import { checkPage, pictureOrigins, WORKS } from './check-page.ts'
import { BadMethod, BadProxyList, NotFound } from './errors.ts'
import { sendPage, sendPicture } from './layout.ts'
import { myPage } from './my-page.ts'
import { qrSvg } from './qr.ts'
import { setupPage } from './setup-page.ts'
import { createSpots, type Spot } from './spots.ts'
import { readVisit } from './visit.ts'
import { findWays, type WayDeps } from './ways.ts'

export interface SetupDeps extends Omit<WayDeps, 'interfaces'> {
  root: CertIssuer['root']
  /** Whether a client's address is of the house. */
  isHouse(address: string): boolean
  /** Of this machine; without it Node is asked. */
  interfaces?: WayDeps['interfaces']
  log: Log
}

export interface SetupOptions {
  tld: string
  /** `btlink.gateway_domains`: further names of this box. */
  gateway_domains: readonly string[]
  /** `btlink.trusted_proxies`: whose X-Forwarded-* headers are believed. */
  trusted_proxies: readonly string[]
}

export interface Setup {
  /** True when the request was for one of these pages or files, and has or gets its answer. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  stats(): Stats
}

interface Exchange {
  req: IncomingMessage
  res: ServerResponse
}

/** RFC 9112 §3.2: who writes two hosts means two things; the gateway refuses it. */
const hasOneHost = ({ rawHeaders }: IncomingMessage): boolean =>
  rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length === 1

const OUR_HOST = /^(?:https?:\/\/)?(?:setup|check|my)\./i

/** Sees at a glance what most requests are: for a site, and none of ours. */
const mayBeOurs = ({ url = '', headers }: IncomingMessage): boolean =>
  url.includes('/.btlink/') ||
  OUR_HOST.test(url.startsWith('/') ? (headers.host ?? '') : url) ||
  headers['x-forwarded-host'] !== undefined

export function createSetup(deps: SetupDeps, options: SetupOptions): Setup {
  const { log } = deps
  const { tld } = options
  const spots = createSpots({
    tld,
    gatewayDomains: options.gateway_domains.map((domain) => domain.toLowerCase()),
  })
  const proxies = addressSet(options.trusted_proxies)
  if ('bad' in proxies) throw new BadProxyList(printable(proxies.bad))
  const house = { proxies, isHouse: (address: string) => deps.isHouse(address) }
  const wayDeps = { ...deps, interfaces: deps.interfaces ?? networkInterfaces }
  const counts = { pages: 0, certificates: 0, refused: 0 }

  /** Undefined where there is none: a page without it still helps. */
  async function rootOrNone(realm: Realm): Promise<RootCertificate | undefined> {
    try {
      return await deps.root(realm)
    } catch (error) {
      if (codeOf(error) !== 'BTL_ERR_PKI_NO_AUTHORITY') {
        log.info({ realm, reason: messageOf(error) }, 'no certificate to show')
      }
      return undefined
    }
  }

  async function show(exchange: Exchange, target: RequestTarget, spot: Spot): Promise<void> {
    const { req } = exchange
    if (spot.asked === 'nothing') throw new NotFound(printable(target.path, 200))
    counts.pages++
    if (spot.asked === 'works') {
      sendPicture(exchange, WORKS)
      return
    }
    const visit = readVisit(req, target, spot, house)
    const ways = await findWays(visit, wayDeps, tld)
    switch (spot.asked) {
      case 'qr':
        sendPicture(exchange, await qrSvg(ways.setupUrl, ways.setupUrl))
        break
      case 'check': {
        const nonce = randomBytes(16).toString('base64')
        const body = checkPage({ ways, nonce }, visit)
        sendPage(exchange, body, { nonce, pictures: pictureOrigins(ways) })
        break
      }
      case 'my':
        sendPage(exchange, myPage({ ways }, visit))
        break
      case 'setup': {
        const [root, linksRoot] = await Promise.all([rootOrNone('names'), rootOrNone('links')])
        sendPage(exchange, await setupPage({ tld, ways, root, linksRoot }, visit))
      }
    }
  }

  function refuse({ req, res }: Exchange, error: unknown): void {
    if (res.destroyed || res.headersSent) {
      res.destroy()
      return
    }
    const { statusCode, code } = describeError(error)
    counts.refused++
    if (statusCode === 500) log.error({ code, err: error }, 'a page of the box failed')
    const { headers, body } = errorResponse(error, req.headers.accept, randomUUID())
    if (!req.complete) headers.push('Connection', 'close')
    if (statusCode === 405) headers.push('Allow', 'GET, HEAD')
    res.writeHead(statusCode, headers)
    res.end(req.method === 'HEAD' ? undefined : body)
  }

  /** Undefined for what only the gateway can say something about. */
  function targetOf(req: IncomingMessage): RequestTarget | undefined {
    try {
      return requestTarget(req, house.proxies)
    } catch {
      return undefined
    }
  }

  return {
    answer(req, res) {
      if (!mayBeOurs(req)) return false
      const target = targetOf(req)
      if (target === undefined) return false
      const isCertificate = isCertificatePath(target.path)
      const spot = isCertificate ? undefined : spots(target.authority, target.path)
      if ((!isCertificate && spot === undefined) || !hasOneHost(req)) return false
      const exchange = { req, res }
      const run = async () => {
        const { method = '' } = req
        if (method !== 'GET' && method !== 'HEAD') throw new BadMethod(printable(method, 20))
        if (spot) await show(exchange, target, spot)
        else {
          counts.certificates++
          await sendCertificate(exchange, target, deps.root)
        }
      }
      run().catch((error: unknown) => refuse(exchange, error))
      return true
    },
    stats: () => ({
      pages_shown: counts.pages,
      certificates_given: counts.certificates,
      refused: counts.refused,
    }),
  }
}
