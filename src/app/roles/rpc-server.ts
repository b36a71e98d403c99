/** Offers the methods of ports to another role over a Unix socket. */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { declareError, messageOf } from '../../base/errors.ts'
import type { Component } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { createFrameReader, encodeFrame } from './frames.ts'
import { isRequest, type Reply, type Request, STREAM_WINDOW, toFailure } from './messages.ts'

export const NoMethod = declareError('BTL_ERR_RPC_NO_METHOD', 'there is no method %s', 500)

type Method = (...args: unknown[]) => unknown

/** Methods by `port.method`; what returns an async iterable is a stream. */
export type Methods = ReadonlyMap<string, Method>

type CallRequest = Extract<Request, { method: string }>

interface Call {
  controller: AbortController
  credit: number
  /** Wakes a stream that waits for credit. */
  wake: () => void
}

const SOCKET_MODE = 0o660

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

export function createRpcServer(path: string, methods: Methods, log: Log): Component {
  const sockets = new Set<Socket>()
  let server: Server | undefined

  function serve(socket: Socket): void {
    const reader = createFrameReader()
    const calls = new Map<number, Call>()
    sockets.add(socket)

    function send(reply: Reply): void {
      if (socket.destroyed) return
      try {
        socket.write(encodeFrame(reply))
      } catch (error) {
        socket.write(encodeFrame({ call: reply.call, failure: toFailure(error) }))
      }
    }

    async function creditFor(call: Call): Promise<void> {
      while (call.credit <= 0 && !call.controller.signal.aborted) {
        await new Promise<void>((resolve) => {
          call.wake = resolve
        })
      }
      call.credit--
    }

    async function answer(id: number, call: Call, request: CallRequest): Promise<void> {
      const method = methods.get(request.method)
      if (!method) throw new NoMethod(request.method)
      // JSON has no undefined: what was left out comes as null.
      const args = request.args.map((arg) => arg ?? undefined)
      if (request.signalAt !== undefined) args[request.signalAt] = call.controller.signal
      const result = await method(...args)
      if (!isAsyncIterable(result)) {
        send({ call: id, result: result ?? null })
        return
      }
      for await (const item of result) {
        await creditFor(call)
        if (call.controller.signal.aborted) break
        send({ call: id, item })
      }
      send({ call: id, end: true })
    }

    function begin(request: CallRequest): void {
      const id = request.call
      const call: Call = {
        controller: new AbortController(),
        credit: STREAM_WINDOW,
        wake: () => {},
      }
      calls.set(id, call)
      answer(id, call, request)
        .catch((error: unknown) => send({ call: id, failure: toFailure(error) }))
        .finally(() => calls.delete(id))
        .catch(() => {})
    }

    function take(request: Request): void {
      if ('method' in request) {
        begin(request)
        return
      }
      const call = calls.get(request.call)
      if (!call) return
      if ('credit' in request) call.credit += request.credit
      else call.controller.abort()
      call.wake()
    }

    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) if (isRequest(message)) take(message)
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'dropping a role that speaks nonsense')
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      for (const call of calls.values()) {
        call.controller.abort()
        call.wake()
      }
    })
  }

  return {
    name: 'rpc',
    async start() {
      // Left behind by a process that was killed; the state's lock says that nobody else is there.
      await rm(path, { force: true })
      const listening = createServer(serve)
      server = listening
      await new Promise<void>((resolve, reject) => {
        listening.once('error', reject)
        listening.listen(path, resolve)
      })
      await chmod(path, SOCKET_MODE)
    },
    async stop() {
      const closing = server
      server = undefined
      for (const socket of sockets) socket.destroy()
      if (closing) await new Promise<void>((resolve) => void closing.close(() => resolve()))
    },
    health: () => ({ status: server ? 'ok' : 'down', score: server ? 100 : 0 }),
  }
}
