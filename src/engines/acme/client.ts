/** One account at one authority: signed requests with nonces (RFC 8555 §6), and the account itself (§7.3). */
import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../base/ports/clock.ts'
import { type Directory, Problem, readDirectory, readProblem } from './answers.ts'
import type { AcmeConfig } from './config.ts'
import { BadAnswer, Refused } from './errors.ts'
import { bindAccount, jwkOf, signRequest } from './jws.ts'
import type { Reply, Transport } from './transport.ts'

export interface Client {
  /** Registers the account, or finds it, where this client did not do so yet. */
  open(signal: AbortSignal): Promise<Directory>
  /**
   * @param payload undefined for POST-as-GET
   * @throws Refused with a `Problem` as its cause, Unreachable, BadAnswer
   */
  post(url: string, payload: object | undefined, signal: AbortSignal): Promise<Reply>
}

export interface ClientDeps {
  transport: Transport
  clock: Clock
  /** The account's, P-256. */
  key: KeyObject
}

type ClientConfig = Pick<AcmeConfig, 'directory' | 'email' | 'eab_key_id' | 'eab_hmac_key'>

// RFC 8555 §6.5: a nonce may be refused for no fault of ours. One in four refused still makes an order
// of twenty requests fail once in a million times.
const NONCE_TRIES = 12
const MAX_NONCES = 8
// RFC 8555 §6.5.1: base64url.
const NONCE = /^[A-Za-z0-9_-]{1,512}$/

/** @returns the value of a header that is there once */
export function headerOf({ headers }: Reply, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

export function createClient({ transport, clock, key }: ClientDeps, config: ClientConfig): Client {
  const nonces: string[] = []
  let directory: Directory | undefined
  let account: string | undefined

  function keepNonce(reply: Reply): void {
    const nonce = headerOf(reply, 'replay-nonce')
    if (nonce === undefined) return
    if (!NONCE.test(nonce)) throw new BadAnswer('a nonce is not base64url')
    if (nonces.length < MAX_NONCES) nonces.push(nonce)
  }

  const isFine = ({ status }: Reply): boolean => status >= 200 && status < 300

  async function nonce(known: Directory, signal: AbortSignal): Promise<string> {
    const kept = nonces.pop()
    if (kept !== undefined) return kept
    const reply = await transport.ask('HEAD', known.newNonce, undefined, signal)
    if (!isFine(reply)) throw refused(known.newNonce, reply)
    keepNonce(reply)
    const fresh = nonces.pop()
    if (fresh === undefined) throw new BadAnswer('it gives no nonce')
    return fresh
  }

  function refused(url: string, reply: Reply): Error {
    const problem = readProblem(reply, clock.now())
    return new Refused(new URL(url).pathname, problem.message, { cause: problem })
  }

  async function send(
    known: Directory,
    { url, kid }: { url: string; kid?: string | undefined },
    payload: object | undefined,
    signal: AbortSignal,
  ): Promise<Reply> {
    for (let tries = 1; ; tries++) {
      const header = { url, kid, nonce: await nonce(known, signal) }
      const reply = await transport.ask('POST', url, signRequest(key, header, payload), signal)
      keepNonce(reply)
      if (isFine(reply)) return reply
      const error = refused(url, reply)
      const isNonce = error.cause instanceof Problem && error.cause.type === 'badNonce'
      if (!isNonce || tries >= NONCE_TRIES) throw error
    }
  }

  /** The same key gets the same account (§7.3), so its address need not be kept on disk. */
  async function register(known: Directory, signal: AbortSignal): Promise<string> {
    if (known.needsBinding && config.eab_key_id === '') {
      throw new BadAnswer('it wants an external account: set acme.eab_key_id and acme.eab_hmac_key')
    }
    const payload = {
      termsOfServiceAgreed: true,
      ...(config.email !== '' && { contact: [`mailto:${config.email}`] }),
      ...(config.eab_key_id !== '' && {
        externalAccountBinding: bindAccount(
          jwkOf(key),
          config.eab_key_id,
          Buffer.from(config.eab_hmac_key, 'base64url'),
          known.newAccount,
        ),
      }),
    }
    const location = headerOf(
      await send(known, { url: known.newAccount }, payload, signal),
      'location',
    )
    if (location === undefined) throw new BadAnswer('the account has no address')
    return location
  }

  return {
    async open(signal) {
      if (directory && account !== undefined) return directory
      const reply = await transport.ask('GET', config.directory, undefined, signal)
      if (!isFine(reply)) throw refused(config.directory, reply)
      const known = readDirectory(reply.body)
      account = await register(known, signal)
      directory = known
      return known
    },
    async post(url, payload, signal) {
      if (!directory) throw new BadAnswer('the directory was not read yet')
      return send(directory, { url, kid: account }, payload, signal)
    },
  }
}
