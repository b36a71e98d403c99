/** Proof of control over HTTP (RFC 8555 §8.3): answers for tokens of orders that are under way, for nothing else. */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Challenges {
  add(token: string, host: string, answer: string): void
  remove(token: string): void
  /** Whether it was answered; anything else under the path is the gateway's to answer. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  stats(): { answered: number }
}

const PATH = /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/

const hostOf = (authority: string): string =>
  authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')

export function createChallenges(): Challenges {
  const open = new Map<string, { host: string; answer: string }>()
  let answered = 0
  return {
    add: (token, host, answer) => void open.set(token, { host, answer }),
    remove: (token) => void open.delete(token),
    answer(req, res) {
      if (open.size === 0) return false
      const { method, url = '', headers } = req
      if (method !== 'GET' && method !== 'HEAD') return false
      const known = open.get(PATH.exec(url)?.[1] ?? '')
      if (!known || hostOf(headers.host ?? '') !== known.host) return false
      answered++
      res.writeHead(200, {
        'Content-Type': 'application/octet-stream',
        'Content-Length': Buffer.byteLength(known.answer),
        'Cache-Control': 'no-store',
      })
      res.end(method === 'HEAD' ? undefined : known.answer)
      return true
    },
    stats: () => ({ answered }),
  }
}
