/** An authority that does as a test says: what it is not told to do wrong, it does as RFC 8555 has it. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createCertificate } from '../../support/certificates.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

export interface Asked {
  req: IncomingMessage
  res: ServerResponse
  /** Where it listens. */
  origin: string
  /** Parts of the signed request; empty for GET and HEAD. */
  header: Record<string, unknown>
  payload: string
}

/** What is told at one path: a body to send with 200, or a function that does all of it. */
type Told = object | ((asked: Asked) => void)

export interface Script {
  [path: string]: Told
}

export interface Authority {
  directory: string
  origin: string
  /** PEM file. */
  ca: string
  /** Paths that were asked for, in order. */
  asked: string[]
  /** Headers and payloads of signed requests. */
  signed: { path: string; header: Record<string, unknown>; payload: string }[]
  script: Script
}

export const HOST = 'gw.example'

const parse = (text: unknown): string =>
  typeof text === 'string' ? Buffer.from(text, 'base64url').toString() : ''

export function send(res: ServerResponse, status: number, body: object | string, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  res.end(typeof body === 'string' ? body : JSON.stringify(body))
}

export const problem = (type: string, detail: string) => ({
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
})

const located =
  (status: number, path: string, body: (origin: string) => object) =>
  ({ res, origin }: Asked) =>
    send(res, status, body(origin), { Location: `${origin}${path}` })

export const order = (origin: string, status: string, more = {}) => ({
  status,
  identifiers: [{ type: 'dns', value: HOST }],
  authorizations: [`${origin}/authorization`],
  finalize: `${origin}/finalize`,
  ...more,
})

export const authorization = (origin: string, status: string, more = {}) => ({
  status,
  identifier: { type: 'dns', value: HOST },
  challenges: [{ type: 'http-01', url: `${origin}/challenge`, token: 'x'.repeat(43), status }],
  ...more,
})

/** An authority that asks for no proof, and would issue `certificate`, PEM. */
const honest = (certificate: string): Script => ({
  '/directory': ({ res, origin }: Asked) =>
    send(res, 200, {
      newNonce: `${origin}/nonce`,
      newAccount: `${origin}/account`,
      newOrder: `${origin}/orders`,
    }),
  '/nonce': ({ res }: Asked) => send(res, 200, ''),
  '/account': located(201, '/accounts/1', () => ({ status: 'valid' })),
  '/orders': located(201, '/order', (origin) => order(origin, 'pending')),
  '/authorization': ({ res, origin }: Asked) => send(res, 200, authorization(origin, 'valid')),
  '/challenge': {},
  '/order': ({ res, origin }: Asked) => send(res, 200, order(origin, 'ready')),
  '/finalize': ({ res, origin }: Asked) =>
    send(res, 200, order(origin, 'valid', { certificate: `${origin}/certificate` })),
  '/certificate': ({ res }: Asked) => send(res, 200, certificate),
})

export async function startAuthority(t: Cleanup, wrong: Script = {}): Promise<Authority> {
  const { key, certificate, ca } = await createCertificate(t, [HOST], ['127.0.0.1'])
  const pem = readFileSync(certificate, 'utf8')
  const script = { ...honest(pem), ...wrong }
  const asked: string[] = []
  const signed: Authority['signed'] = []
  let nonces = 0

  function answer(req: IncomingMessage, res: ServerResponse, body: string): void {
    const path = req.url ?? ''
    asked.push(path)
    const jws = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>
    const header = JSON.parse(parse(jws['protected']) || '{}') as Record<string, unknown>
    const payload = parse(jws['payload'])
    if (body !== '') signed.push({ path, header, payload })
    res.setHeader('Replay-Nonce', `nonce${++nonces}`)
    const told = script[path]
    if (typeof told === 'function') told({ req, res, origin: authority.origin, header, payload })
    else send(res, told ? 200 : 404, told ?? problem('malformed', 'no such thing'))
  }

  const server = createServer(
    { key: readFileSync(key), cert: pem },
    (req: IncomingMessage, res: ServerResponse) => {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', () => answer(req, res, Buffer.concat(chunks).toString()))
    },
  )
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    server.close()
    server.closeAllConnections()
  })
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const authority = { origin, directory: `${origin}/directory`, ca, asked, signed, script }
  return authority
}
