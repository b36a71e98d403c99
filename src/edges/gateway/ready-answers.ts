/**
 * Whole answers of small files, found by host and target alone. Most requests to a warm site are a
 * plain GET of such a file; without this way each costs twice as much (bench/gateway.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../base/ports/clock.ts'
import type { ByteCache } from './byte-cache.ts'
import { writeHead } from './exchange.ts'
import type { SiteView } from './site-view.ts'

interface ReadyAnswer {
  readonly view: SiteView
  readonly fileIndex: number
  /** As `writeHead` takes them. */
  readonly headers: string[]
}

export interface ReadyAnswers {
  /** Answers if it can; false leaves the request as it was. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  /** Keeps the answer to a plain GET until its view is to be asked again. */
  keep(req: IncomingMessage, ready: ReadyAnswer): void
  /** Forgets what is too old to be given. */
  sweep(): void
}

const MAX_READY = 4096

/** Headers that make an answer depend on more than host and target. */
const isPlain = ({ headers }: IncomingMessage): boolean =>
  headers.range === undefined &&
  headers['if-none-match'] === undefined &&
  headers['if-match'] === undefined &&
  headers['if-modified-since'] === undefined &&
  headers['if-unmodified-since'] === undefined &&
  headers['accept-datetime'] === undefined &&
  headers['x-forwarded-host'] === undefined &&
  // `only-if-cached`, and a reload that should see the newest version.
  headers['cache-control'] === undefined

export function createReadyAnswers(memory: ByteCache, clock: Clock): ReadyAnswers {
  // By host, then by target: no string is put together to look an answer up.
  const hosts = new Map<string, Map<string, ReadyAnswer>>()
  let held = 0

  return {
    answer(req, res) {
      const { host } = req.headers
      if (host === undefined) return false
      const ready = hosts.get(host)?.get(req.url ?? '')
      if (!ready || req.method !== 'GET' || !isPlain(req)) return false
      if (clock.now() >= ready.view.validUntil) return false
      const body = memory.get(ready.view.infoHash, ready.fileIndex)
      if (!body) return false
      writeHead({ req, res }, 200, ready.headers)
      res.end(body)
      return true
    },
    keep(req, ready) {
      const { host } = req.headers
      const { url = '' } = req
      // The authority of an absolute-form target is in the target, and may differ from Host.
      if (host === undefined || !url.startsWith('/') || req.method !== 'GET' || !isPlain(req))
        return
      if (held >= MAX_READY) {
        hosts.clear()
        held = 0
      }
      const targets = hosts.get(host) ?? new Map<string, ReadyAnswer>()
      hosts.set(host, targets)
      if (!targets.has(url)) held++
      targets.set(url, ready)
    },
    sweep() {
      for (const [host, targets] of hosts) {
        for (const [url, { view }] of targets) {
          if (clock.now() < view.validUntil) continue
          targets.delete(url)
          held--
        }
        if (targets.size === 0) hosts.delete(host)
      }
    },
  }
}
