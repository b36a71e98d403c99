/** SOCKS 5 on its own port: CONNECT without passwords, names resolved here. */
import type { Duplex } from 'node:stream'
import { describeError, hangUp } from '../http/index.ts'
import { printable } from '../../base/errors.ts'
import type { Arrival } from './arrival.ts'
import { parseAuthority } from './authority.ts'
import { BadTarget } from './errors.ts'
import {
  readGreeting,
  readRequest,
  REPLY,
  type SocksRead,
  type SocksRequest,
  writeReply,
} from './socks-message.ts'
import type { Tunnels } from './tunnels.ts'

export interface SocksDeps {
  tunnels: Tunnels
  note: (error: unknown, what: object) => void
  stopped: AbortSignal
}

export interface SocksDoor {
  /** Serves a connection to its end. */
  take(stream: Duplex, arrival: Arrival): void
}

const NO_PASSWORD = 0
const CHOOSE_NOTHING = Uint8Array.from([5, 0])
const NONE_OF_THESE = Uint8Array.from([5, 0xff])
const CONNECT = 1
// The longest request: a name of 255 bytes.
const MAX_MESSAGE = 4 + 1 + 255 + 2

function replyOf(statusCode: number): number {
  if (statusCode === 403) return REPLY.refused
  if (statusCode === 502 || statusCode === 504) return REPLY.unreachable
  return statusCode === 400 ? REPLY.badAddress : REPLY.failure
}

/** Reads one message, and leaves what came after it. Undefined where there will be none. */
async function next<T>(
  stream: Duplex,
  read: (bytes: Uint8Array) => SocksRead<T>,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<T | undefined>()
  let held = Buffer.alloc(0)
  const look = () => {
    const chunk: unknown = stream.read()
    if (!(chunk instanceof Uint8Array)) return
    held = Buffer.concat([held, chunk])
    const found = read(held)
    if (found.kind === 'more' && held.length <= MAX_MESSAGE) return
    // What is put back would be told of again before anybody who awaits gets a turn.
    stream.off('readable', look)
    if (found.kind !== 'whole') {
      resolve(undefined)
      return
    }
    const rest = held.subarray(found.length)
    if (rest.length > 0) stream.unshift(rest)
    resolve(found.value)
  }
  const none = () => resolve(undefined)
  stream.on('readable', look)
  stream.once('end', none)
  stream.once('close', none)
  try {
    return await promise
  } finally {
    stream.off('readable', look)
    stream.off('end', none)
    stream.off('close', none)
  }
}

export function createSocksDoor(deps: SocksDeps, options: { header_timeout: number }): SocksDoor {
  async function open(stream: Duplex, arrival: Arrival, asked: SocksRequest, signal: AbortSignal) {
    const { authority = '' } = asked
    try {
      const target = parseAuthority(authority)
      if (target === undefined) throw new BadTarget(printable(authority, 100))
      const accept = () => void stream.write(writeReply(REPLY.granted))
      await deps.tunnels.open({ stream, arrival }, target, accept, signal)
    } catch (error) {
      if (stream.destroyed) return
      deps.note(error, { client: arrival.client, authority: authority.slice(0, 200) })
      hangUp(stream, writeReply(replyOf(describeError(error).statusCode)))
    }
  }

  async function converse(stream: Duplex, arrival: Arrival): Promise<void> {
    const left = new AbortController()
    const leave = () => left.abort()
    stream.once('close', leave)
    const late = setTimeout(() => stream.destroy(), options.header_timeout)
    const methods = await next(stream, readGreeting)
    if (!methods?.includes(NO_PASSWORD)) {
      clearTimeout(late)
      if (methods) hangUp(stream, NONE_OF_THESE)
      else stream.destroy()
      return
    }
    stream.write(CHOOSE_NOTHING)
    const asked = await next(stream, readRequest)
    clearTimeout(late)
    if (asked === undefined) stream.destroy()
    else if (asked.command !== CONNECT) hangUp(stream, writeReply(REPLY.badCommand))
    else await open(stream, arrival, asked, AbortSignal.any([left.signal, deps.stopped]))
    stream.off('close', leave)
  }

  return {
    take(stream, arrival) {
      stream.on('error', () => stream.destroy())
      converse(stream, arrival).catch(() => stream.destroy())
    },
  }
}
