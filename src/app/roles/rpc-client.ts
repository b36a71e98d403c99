/** Calls methods of another role; connects when asked, again and again while that role restarts. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { declareError, messageOf } from '../../base/errors.ts'
import type { Component } from '../../base/ports/component.ts'
import { createFrameReader, encodeFrame } from './frames.ts'
import { fromFailure, isReply, type Reply, type Request, STREAM_WINDOW } from './messages.ts'

export const Unavailable = declareError(
  'BTL_ERR_RPC_UNAVAILABLE',
  'the %s role does not answer: %s',
  503,
)

export interface RpcClient extends Component {
  call(method: string, args: readonly unknown[]): Promise<unknown>
  stream(method: string, args: readonly unknown[]): AsyncIterable<unknown>
}

interface Pending {
  reply(reply: Reply): void
  fail(error: Error): void
}

const CONNECT_WAIT_MS = 5000
const RETRY_MS = 50

/** The last AbortSignal among the arguments cannot travel; its place is told instead. */
function splitSignal(args: readonly unknown[]): {
  plain: unknown[]
  signal?: AbortSignal
  at?: number
} {
  const at = args.findLastIndex((arg) => arg instanceof AbortSignal)
  if (at < 0) return { plain: [...args] }
  const signal = args[at] as AbortSignal
  return { plain: args.toSpliced(at, 1, null), signal, at }
}

export function createRpcClient(role: string, path: string): RpcClient {
  const pending = new Map<number, Pending>()
  let nextCall = 1
  let socket: Socket | undefined
  let connecting: Promise<Socket> | undefined
  const stopping = new AbortController()

  function drop(lost: Socket, reason: string): void {
    if (socket === lost) socket = undefined
    lost.destroy()
    const failed = [...pending.values()]
    pending.clear()
    for (const call of failed) call.fail(new Unavailable(role, reason))
  }

  function adopt(fresh: Socket): void {
    const reader = createFrameReader()
    socket = fresh
    fresh.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) {
          if (isReply(message)) pending.get(message.call)?.reply(message)
        }
      } catch (error) {
        drop(fresh, messageOf(error))
      }
    })
    fresh.on('error', () => {})
    fresh.on('close', () => drop(fresh, 'it closed the connection'))
  }

  async function tryConnect(): Promise<Socket> {
    const fresh = connect(path)
    await new Promise<void>((resolve, reject) => {
      fresh.once('connect', resolve)
      fresh.once('error', reject)
    })
    adopt(fresh)
    return fresh
  }

  async function connectWithin(ms: number): Promise<Socket> {
    const deadline = Date.now() + ms
    for (;;) {
      if (stopping.signal.aborted) throw new Unavailable(role, 'this role is stopping')
      try {
        return await tryConnect()
      } catch (error) {
        if (Date.now() > deadline) throw new Unavailable(role, messageOf(error), { cause: error })
      }
      await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  async function connection(): Promise<Socket> {
    if (socket) return socket
    connecting ??= connectWithin(CONNECT_WAIT_MS).finally(() => {
      connecting = undefined
    })
    return connecting
  }

  function send(to: Socket, request: Request): void {
    if (!to.destroyed) to.write(encodeFrame(request))
  }

  /** Begins a call and hands every reply to `handle`; `over` is called when no more will come. */
  async function begin(
    method: string,
    args: readonly unknown[],
    handle: Pending,
  ): Promise<{ to: Socket; id: number; over(): void }> {
    const { plain, signal, at } = splitSignal(args)
    signal?.throwIfAborted()
    const to = await connection()
    signal?.throwIfAborted()
    const id = nextCall++
    const onAbort = (): void => {
      send(to, { call: id, cancel: true })
      handle.fail(signal?.reason as Error)
    }
    const over = (): void => {
      pending.delete(id)
      signal?.removeEventListener('abort', onAbort)
    }
    pending.set(id, handle)
    signal?.addEventListener('abort', onAbort, { once: true })
    send(to, { call: id, method, args: plain, ...(at === undefined ? {} : { signalAt: at }) })
    return { to, id, over }
  }

  async function call(method: string, args: readonly unknown[]): Promise<unknown> {
    const settled = Promise.withResolvers<unknown>()
    const begun = await begin(method, args, {
      reply(reply) {
        if ('failure' in reply) settled.reject(fromFailure(reply.failure))
        else settled.resolve('result' in reply ? (reply.result ?? undefined) : undefined)
      },
      fail: settled.reject,
    })
    try {
      return await settled.promise
    } finally {
      begun.over()
    }
  }

  /** Ends where its signal aborts, as the streams of the ports do; other failures are thrown. */
  async function* stream(method: string, args: readonly unknown[]): AsyncGenerator {
    const { signal } = splitSignal(args)
    try {
      yield* read(method, args)
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  }

  async function* read(method: string, args: readonly unknown[]): AsyncGenerator {
    const queue: Reply[] = []
    let failure: Error | undefined
    let wake: () => void = () => {}
    const begun = await begin(method, args, {
      reply(reply) {
        queue.push(reply)
        wake()
      },
      fail(error) {
        failure = error
        wake()
      },
    })
    let taken = 0
    let ended = false
    try {
      for (;;) {
        const reply = queue.shift()
        if (!reply) {
          if (failure) throw failure
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        if ('end' in reply || 'failure' in reply) ended = true
        if ('failure' in reply) throw fromFailure(reply.failure)
        if (!('item' in reply)) return
        if (++taken % (STREAM_WINDOW / 2) === 0) {
          send(begun.to, { call: begun.id, credit: STREAM_WINDOW / 2 })
        }
        yield reply.item
      }
    } finally {
      begun.over()
      if (!ended) send(begun.to, { call: begun.id, cancel: true })
    }
  }

  return {
    name: `${role}-rpc`,
    call,
    stream,
    async start() {},
    async stop() {
      stopping.abort()
      if (socket) drop(socket, 'this role is stopping')
    },
    health() {
      return socket
        ? { status: 'ok', score: 100 }
        : { status: 'degraded', score: 50, detail: `not connected to the ${role} role` }
    },
  }
}
