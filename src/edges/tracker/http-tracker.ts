/** `/announce` and `/scrape` on the API's server, past its framework: an announce is worth little time. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { InfoHash } from '../../base/hashes.ts'
import { badRequest, type Refusal, type RefusalKind, TOO_OFTEN } from './announce.ts'
import type { Askers } from './askers.ts'
import type { HttpAnswers } from './http-answer.ts'
import { parseAnnounceQuery, parseScrapeQuery } from './http-query.ts'
import type { Counts, Tracking } from './tracking.ts'

export interface HttpTrackerDeps {
  tracking: Tracking
  askers: Askers
  answers: HttpAnswers
  clientAddress(req: IncomingMessage): string
}

const SCRAPE_PAUSE_SECONDS = 60
const NO_ADDRESS = badRequest('your address could not be told')
const FROM_PAGE = badRequest('pages announce over WebSocket')
const PATHS = ['/announce', '/scrape'] as const

/**
 * A picture of a page may point here: it would name the device that shows the page as a peer, on a
 * port of the page's choice, which the box and others then dial. Clients are no browsers.
 */
function isFromPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site === 'cross-site' || site === 'same-site'
}

export function createHttpTracker(deps: HttpTrackerDeps) {
  const { tracking, askers, answers } = deps
  const stats = { announces: 0, scrapes: 0 }
  const refused: Record<RefusalKind, number> = {
    bad_request: 0,
    not_tracked: 0,
    too_often: 0,
    full: 0,
  }

  function fail(refusal: Refusal): string {
    refused[refusal.refused]++
    return answers.failure(refusal)
  }

  function announce(req: IncomingMessage, query: string): string {
    stats.announces++
    const asker = askers.of(deps.clientAddress(req))
    if (asker === undefined) return fail(NO_ADDRESS)
    if (isFromPage(req)) return fail(tracking.mayAsk(asker) ? FROM_PAGE : TOO_OFTEN)
    const parsed = parseAnnounceQuery(query)
    if (parsed.refused !== undefined) {
      return fail(tracking.mayAsk(asker) ? parsed : TOO_OFTEN)
    }
    const answer = tracking.announce(
      { ...parsed, asker, families: 'both' },
      req.socket.localAddress,
    )
    if (answer.refused !== undefined) return fail(answer)
    return answers.announce(answer, {
      compact: parsed.compact,
      noPeerId: parsed.noPeerId,
      externalAddress: tracking.externalAddress(asker),
      externalV4: asker.v4,
    })
  }

  function scrape(req: IncomingMessage, query: string): string {
    stats.scrapes++
    const asker = askers.of(deps.clientAddress(req))
    if (asker === undefined) return fail(NO_ADDRESS)
    if (!tracking.mayAsk(asker)) return fail(TOO_OFTEN)
    const parsed = parseScrapeQuery(query)
    if (parsed.refused !== undefined) return fail(parsed)
    const files: { infoHash: InfoHash; counts: Counts }[] = []
    for (const infoHash of parsed.hashes) {
      const counts = tracking.scrape(infoHash)
      if (counts) files.push({ infoHash, counts: { ...counts } })
    }
    return answers.scrape(files, SCRAPE_PAUSE_SECONDS)
  }

  /** The path that the request is for, and its query. */
  function route(url: string): { path: (typeof PATHS)[number]; query: string } | undefined {
    for (const path of PATHS) {
      if (!url.startsWith(path)) continue
      if (url.length === path.length) return { path, query: '' }
      if (url.charCodeAt(path.length) === 0x3f) return { path, query: url.slice(path.length + 1) }
    }
    return undefined
  }

  return {
    stats,
    refused,
    /** True where the request was for the tracker; then it is answered. Always 200: clients read no other. */
    answer(req: IncomingMessage, res: ServerResponse): boolean {
      const asked = route(req.url ?? '')
      if (asked === undefined) return false
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        // A body that nobody reads would stay in the way of the next request.
        res.writeHead(405, ['Allow', 'GET, HEAD', 'Connection', 'close', 'Content-Length', '0'])
        res.end()
        return true
      }
      const body =
        asked.path === '/announce' ? announce(req, asked.query) : scrape(req, asked.query)
      res.writeHead(200, [
        'Content-Type',
        'text/plain',
        'Content-Length',
        String(body.length),
        'Cache-Control',
        'no-store',
      ])
      if (req.method === 'HEAD') res.end()
      else res.end(body, 'latin1')
      return true
    },
  }
}

export type HttpTracker = ReturnType<typeof createHttpTracker>
