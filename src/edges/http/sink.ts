/** Writing a body to a client that may leave, be slow, or be cut off. */
import type { ServerResponse } from 'node:http'
import { ClientLeft } from './errors.ts'

/** A body in the making: `write` resolves when the bytes left our hands and their buffer may be reused. */
export interface Sink {
  write(chunk: Uint8Array): Promise<void>
  /** Ends the body as it should. */
  end(): void
  /** Ends it so that no cache takes what came so far for the whole: a reset, not an end (RFC 9112 §8). */
  cut(): void
}

export function createSink(res: ServerResponse): Sink {
  let fail: ((reason: Error) => void) | undefined
  // A write that still waits for its turn in a pipeline is never called back when the socket goes.
  res.once('close', () => fail?.(new ClientLeft()))
  return {
    async write(chunk) {
      if (res.destroyed || res.closed) throw new ClientLeft()
      await new Promise<void>((resolve, reject) => {
        fail = reject
        res.write(chunk, (error) => (error ? reject(new ClientLeft()) : resolve()))
      })
      fail = undefined
    },
    end() {
      res.end()
    },
    cut() {
      const { socket } = res
      if (!socket) {
        res.destroy()
        return
      }
      // Sockets inside TLS have no reset of their own; destroying them leaves out the close_notify.
      if ('encrypted' in socket) socket.destroy()
      else socket.resetAndDestroy()
    },
  }
}

/** Aborts when the response closes before it is finished, or when `until` says so. */
export function closeSignal(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (res.destroyed) controller.abort(new ClientLeft())
  else {
    res.once('close', () => {
      if (!res.writableFinished) controller.abort(new ClientLeft())
    })
  }
  return controller.signal
}
