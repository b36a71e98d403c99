/** One order from beginning to end (RFC 8555 §7.4): names, proofs, request, certificate. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { printable } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import {
  type Authorization,
  type Order,
  type Problem,
  readAuthorization,
  readOrder,
  retryAfter,
} from './answers.ts'
import { type IssuedLeaf, readChain } from './chain.ts'
import type { Challenges } from './challenges.ts'
import { type Client, headerOf } from './client.ts'
import type { AcmeConfig } from './config.ts'
import { BadAnswer, NoChallenge, Refused } from './errors.ts'
import { jwkOf, keyAuthorization } from './jws.ts'
import { proofCertificate } from './proof-certificate.ts'
import { certificateRequest } from './request.ts'
import type { Reply } from './transport.ts'

export interface OrderDeps {
  client: Client
  /** The account's key. */
  key: KeyObject
  challenges: Challenges
  challenge: AcmeConfig['challenge']
  clock: Clock
}

// Between two looks: shortly after we asked something, then less and less often.
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
// What an authority may make us wait between two looks; beyond it the order's own end decides.
const LONGEST_ASKED_PAUSE_MS = 60_000

/** @param hosts canonical, at least one */
export async function obtain(
  deps: OrderDeps,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<IssuedLeaf> {
  const { client, key, challenges, clock } = deps

  /** Asks again and again until `isDone`. */
  async function watch<Status>(
    url: string,
    read: (body: Uint8Array) => Status,
    isDone: (status: Status) => boolean,
    first?: Reply,
  ): Promise<Status> {
    let pause = FIRST_PAUSE_MS
    for (let reply = first; ; ) {
      if (reply) {
        const status = read(reply.body)
        if (isDone(status)) return status
        const asked = retryAfter(headerOf(reply, 'retry-after'), clock.now()) ?? 0
        await sleep(Math.max(pause, Math.min(asked, LONGEST_ASKED_PAUSE_MS)), undefined, { signal })
        pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)
      }
      reply = await client.post(url, undefined, signal)
    }
  }

  const fail = (what: string, problem: Problem | undefined): never => {
    throw new Refused(what, problem?.message ?? 'it does not say why', { cause: problem })
  }

  function judge({ status, host, challenges: ways }: Authorization): boolean {
    if (status === 'pending') return false
    if (status === 'valid') return true
    const problem = ways.find((way) => way.problem)?.problem
    return fail(`the proof for "${printable(host)}"`, problem)
  }

  async function prove(url: string): Promise<void> {
    const first = await client.post(url, undefined, signal)
    const authorization = readAuthorization(first.body)
    const { host } = authorization
    // It tells us what to serve, and for whom: only for those we asked about.
    if (!hosts.includes(host)) throw new BadAnswer(`it asks for a proof of "${printable(host)}"`)
    if (judge(authorization)) return
    const way = authorization.challenges.find(({ type }) => type === deps.challenge)
    if (!way) throw new NoChallenge(deps.challenge, host)
    const answer = keyAuthorization(way.token, jwkOf(key))
    const close =
      deps.challenge === 'http-01'
        ? challenges.openHttp(way.token, host, answer)
        : challenges.openTls(host, proofCertificate(host, answer, clock.now()))
    try {
      await client.post(way.url, {}, signal)
      await watch(url, readAuthorization, judge)
    } finally {
      close()
    }
  }

  const { newOrder } = await client.open(signal)
  const identifiers = hosts.map((value) => ({ type: 'dns', value }))
  const made = await client.post(newOrder, { identifiers }, signal)
  const address = headerOf(made, 'location')
  if (address === undefined) throw new BadAnswer('the order has no address')
  const what = `the order for ${hosts.join(', ')}`
  const has =
    (...known: Order['status'][]) =>
    ({ status, problem }: Order): boolean =>
      status === 'invalid' ? fail(what, problem) : known.includes(status)

  const { authorizations, status } = readOrder(made.body)
  if (status === 'pending') for (const url of authorizations) await prove(url)
  const again = status === 'pending' ? undefined : made
  const ready = await watch(address, readOrder, has('ready', 'valid'), again)
  // An order that is done already is one for a key that we do not have.
  if (ready.status === 'valid') throw new BadAnswer('the order was finished by somebody else')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const csr = certificateRequest(hosts, privateKey).toString('base64url')
  const finalized = await client.post(ready.finalize, { csr }, signal)
  const done = await watch(address, readOrder, has('valid'), finalized)
  if (done.certificate === undefined) throw new BadAnswer('the order has no certificate')
  const chain = await client.post(done.certificate, undefined, signal)
  return readChain(chain.body.toString('latin1'), privateKey, hosts, clock.now())
}
