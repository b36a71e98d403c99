/** What two roles say to each other over their socket. */
import { codeOf, declareError, messageOf } from '../../base/errors.ts'

/** Client to server: begin a call, let a stream go on, give up. */
export type Request =
  | { call: number; method: string; args: unknown[]; signalAt?: number }
  | { call: number; credit: number }
  | { call: number; cancel: true }

/** Server to client. `item` is one value of a stream; `result` ends a call, `end` a stream. */
export type Reply =
  | { call: number; result: unknown }
  | { call: number; item: unknown }
  | { call: number; end: true }
  | { call: number; failure: Failure }

export interface Failure {
  code: string
  message: string
  statusCode: number
  name: string
}

/** How many items of a stream may be on their way unread. */
export const STREAM_WINDOW = 64

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

export function isRequest(value: unknown): value is Request {
  if (!isObject(value) || typeof value['call'] !== 'number') return false
  if (typeof value['credit'] === 'number' || value['cancel'] === true) return true
  const { method, args, signalAt } = value
  if (typeof method !== 'string' || !Array.isArray(args)) return false
  return signalAt === undefined || (typeof signalAt === 'number' && signalAt in args)
}

export function isReply(value: unknown): value is Reply {
  if (!isObject(value) || typeof value['call'] !== 'number') return false
  return (
    'result' in value || 'item' in value || value['end'] === true || isFailure(value['failure'])
  )
}

function isFailure(value: unknown): value is Failure {
  if (!isObject(value) || typeof value['statusCode'] !== 'number') return false
  return ['code', 'message', 'name'].every((key) => typeof value[key] === 'string')
}

/** Whatever was thrown in the other role without a code of its own. */
const Failed = declareError('BTL_ERR_RPC_FAILED', '%s', 500)

export function toFailure(error: unknown): Failure {
  const statusCode =
    isObject(error) && typeof error['statusCode'] === 'number' ? error['statusCode'] : 500
  const name = error instanceof Error ? error.name : 'Error'
  return {
    code: codeOf(error) ?? new Failed(messageOf(error)).code,
    message: messageOf(error),
    statusCode,
    name,
  }
}

/** The error as the other role threw it: its code, status and message, without its stack. */
export function fromFailure(failure: Failure): Error {
  const error = new Error(failure.message)
  error.name = failure.name
  return Object.assign(error, { code: failure.code, statusCode: failure.statusCode })
}
