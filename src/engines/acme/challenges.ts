/** Proof of control (RFC 8555 §8.3, RFC 8737): answers for orders that are under way, for nothing else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Leaf } from '../../base/ports/cert-issuer.ts'

export interface Challenges {
  /** @returns ends it */
  openHttp(token: string, host: string, answer: string): () => void
  /** @returns ends it */
  openTls(host: string, leaf: Leaf): () => void
  /** Whether it was answered; anything else under the path is the gateway's to answer. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  /** What a client that asks for `acme-tls/1` is shown. */
  proof(host: string): Leaf | undefined
  stats(): { answered: number }
}

const PATH = /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/

const hostOf = (authority: string): string =>
  authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')

export function createChallenges(): Challenges {
  const open = new Map<string, { host: string; answer: string }>()
  const proofs = new Map<string, Leaf>()
  let answered = 0
  return {
    openHttp(token, host, answer) {
      open.set(token, { host, answer })
      return () => void open.delete(token)
    },
    openTls(host, leaf) {
      proofs.set(host, leaf)
      return () => void proofs.delete(host)
    },
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
    proof(host) {
      const leaf = proofs.get(hostOf(host))
      if (leaf) answered++
      return leaf
    },
    stats: () => ({ answered }),
  }
}
