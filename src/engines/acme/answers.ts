/** What an authority answers (RFC 8555 §7.1), read without trust: wrong shapes and long lists are refused. */
import { printable } from '../../base/errors.ts'
import { BadAnswer } from './errors.ts'
import type { Reply } from './transport.ts'

export interface Directory {
  newNonce: string
  newAccount: string
  newOrder: string
  /** URL of the terms, where there are any. */
  terms?: string
  needsBinding: boolean
}

export interface Order {
  status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  authorizations: readonly string[]
  finalize: string
  certificate?: string
  problem?: Problem
}

export interface Challenge {
  type: string
  url: string
  token: string
  problem?: Problem
}

export interface Authorization {
  status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked'
  host: string
  challenges: readonly Challenge[]
}

/** A problem document (RFC 7807, RFC 8555 §6.7). */
export class Problem extends Error {
  /** After `urn:ietf:params:acme:error:`; `unknown` for others. */
  readonly type: string
  readonly retryAfterMs: number | undefined
  constructor(type: string, detail: string, retryAfterMs?: number) {
    super(`${type}: ${detail}`)
    this.type = type
    this.retryAfterMs = retryAfterMs
  }
}

// Far more than one order of ours asks for.
const MAX_AUTHORIZATIONS = 100
const MAX_CHALLENGES = 20
const MAX_TEXT = 2048
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/
const ERROR_PREFIX = 'urn:ietf:params:acme:error:'

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fieldsOf(body: Uint8Array, what: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new BadAnswer(`${what} is not JSON`, { cause: error })
  }
  if (!isFields(value)) throw new BadAnswer(`${what} is not an object`)
  return value
}

function textOf(fields: Fields, key: string, what: string): string {
  const value = fields[key]
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT) return value
  throw new BadAnswer(`${what} has no "${key}"`)
}

function listOf(fields: Fields, key: string, max: number, what: string): unknown[] {
  const value = fields[key]
  if (!Array.isArray(value)) throw new BadAnswer(`${what} has no list of ${key}`)
  if (value.length > max) throw new BadAnswer(`${what} has more than ${max} ${key}`)
  return value
}

function oneOf<Status extends string>(
  fields: Fields,
  known: readonly Status[],
  what: string,
): Status {
  const text = textOf(fields, 'status', what)
  const found = known.find((status) => status === text)
  if (found === undefined) throw new BadAnswer(`${what} is "${printable(text)}"`)
  return found
}

function problemOf(value: unknown, retryAfterMs?: number): Problem | undefined {
  if (!isFields(value)) return undefined
  const { type, detail } = value
  const name = typeof type === 'string' && type.startsWith(ERROR_PREFIX) ? type : ''
  // Seldom in the whole, often in its parts, there is what went wrong.
  const parts = Array.isArray(value['subproblems']) ? value['subproblems'].slice(0, 3) : []
  const details = [detail, ...parts.map((part: unknown) => isFields(part) && part['detail'])]
  return new Problem(
    printable(name.slice(ERROR_PREFIX.length), 40) || 'unknown',
    details.flatMap((one) => (typeof one === 'string' ? [printable(one, 300)] : [])).join('; '),
    retryAfterMs,
  )
}

/**
 * RFC 9110 §10.2.3: seconds, or a date.
 * @returns ms, not negative; undefined where it says nothing
 */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** What a refusal says; the status alone where it says nothing. */
export function readProblem({ status, headers, body }: Reply, now: number): Problem {
  const pause = retryAfter(headers['retry-after'], now)
  try {
    const found = problemOf(fieldsOf(body, 'a refusal'), pause)
    if (found) return found
  } catch {
    // A web server before the authority answers in HTML.
  }
  return new Problem('unknown', `status ${status}`, pause)
}

export function readDirectory(body: Uint8Array): Directory {
  const what = 'the directory'
  const fields = fieldsOf(body, what)
  const meta = isFields(fields['meta']) ? fields['meta'] : {}
  const { termsOfService: terms, externalAccountRequired } = meta
  return {
    newNonce: textOf(fields, 'newNonce', what),
    newAccount: textOf(fields, 'newAccount', what),
    newOrder: textOf(fields, 'newOrder', what),
    ...(typeof terms === 'string' && { terms: printable(terms, 200) }),
    needsBinding: externalAccountRequired === true,
  }
}

export function readOrder(body: Uint8Array): Order {
  const what = 'the order'
  const fields = fieldsOf(body, what)
  const authorizations = listOf(fields, 'authorizations', MAX_AUTHORIZATIONS, what)
  const problem = problemOf(fields['error'])
  return {
    status: oneOf(fields, ['pending', 'ready', 'processing', 'valid', 'invalid'], what),
    authorizations: authorizations.map((url) => textOf({ url }, 'url', what)),
    finalize: textOf(fields, 'finalize', what),
    ...(fields['certificate'] !== undefined && {
      certificate: textOf(fields, 'certificate', what),
    }),
    ...(problem && { problem }),
  }
}

export function readAuthorization(body: Uint8Array): Authorization {
  const what = 'the authorization'
  const fields = fieldsOf(body, what)
  const identifier = fields['identifier']
  if (!isFields(identifier)) throw new BadAnswer(`${what} has no "identifier"`)
  const challenges = listOf(fields, 'challenges', MAX_CHALLENGES, what).flatMap((one) => {
    // Ways that come later may have other members.
    if (!isFields(one) || typeof one['token'] !== 'string') return []
    const { token } = one
    // It becomes part of a path and of an answer.
    if (!TOKEN.test(token)) throw new BadAnswer('a token is not base64url')
    const problem = problemOf(one['error'])
    const type = textOf(one, 'type', 'a challenge')
    return [{ type, url: textOf(one, 'url', 'a challenge'), token, ...(problem && { problem }) }]
  })
  return {
    status: oneOf(
      fields,
      ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'],
      what,
    ),
    host: textOf(identifier, 'value', what).toLowerCase(),
    challenges,
  }
}
