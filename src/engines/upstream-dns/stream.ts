/**
 * Questions over a connection that is kept for the next ones: TCP (RFC 7766) and TLS (RFC 7858).
 * Answers come in any order; each carries the id of its question.
 */
import type { Socket } from 'node:net'
import { messageOf } from '../../base/errors.ts'
import { UpstreamBadAnswer } from './errors.ts'
import { createKept } from './kept.ts'
import { readAnswer, type SentQuery } from './query.ts'
import type { Message } from '../../base/dns/message.ts'

/** RFC 7766 §6.2.3: a client closes what it does not use, and soon. */
const IDLE_MS = 10_000
/** Beyond this a further connection would serve better; nobody's house gets there. */
const MAX_PIPELINED = 128

interface Waiting {
  sent: SentQuery
  resolve(message: Message): void
  reject(error: Error): void
}

interface Connection {
  socket: Socket
  /** By id. */
  waiting: Map<number, Waiting>
  /** Whether anything ever came over it. */
  isProven: boolean
  isOpen: boolean
}

export interface StreamDeps {
  /** For messages. */
  server: string
  /** Resolves to a socket that is ready to be written to. */
  connect(signal: AbortSignal): Promise<Socket>
}

export interface StreamLink {
  /** @throws UpstreamBadAnswer; the reason of `signal` */
  ask(make: () => SentQuery, signal: AbortSignal): Promise<Message>
  close(): void
}

export function createStreamLink(deps: StreamDeps): StreamLink {
  const { server } = deps
  const open = new Set<Connection>()
  const broken = (why: string, cause?: Error) => new UpstreamBadAnswer(server, why, { cause })

  function end(connection: Connection, error: Error): void {
    if (!connection.isOpen) return
    connection.isOpen = false
    open.delete(connection)
    connection.socket.destroy()
    for (const waiter of connection.waiting.values()) waiter.reject(error)
    connection.waiting.clear()
  }

  function heard(connection: Connection, frame: Buffer): void {
    connection.isProven = true
    const waiter = frame.length < 2 ? undefined : connection.waiting.get(frame.readUInt16BE(0))
    // Late answers to questions that were given up are nothing to complain about.
    if (waiter === undefined) return
    connection.waiting.delete(waiter.sent.id)
    const reading = readAnswer(frame, waiter.sent)
    if (reading.kind === 'answer') waiter.resolve(reading.message)
    else waiter.reject(broken(reading.kind === 'stray' ? reading.why : 'its question is another'))
  }

  function adopt(socket: Socket): Connection {
    const connection: Connection = { socket, waiting: new Map(), isProven: false, isOpen: true }
    open.add(connection)
    let held: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.setTimeout(IDLE_MS, () => end(connection, broken('it was silent')))
    socket.on('error', (error) => end(connection, broken(messageOf(error), error)))
    socket.on('close', () => end(connection, broken('it closed the connection')))
    socket.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const size = held.readUInt16BE(0)
        heard(connection, held.subarray(2, 2 + size))
        held = held.subarray(2 + size)
      }
    })
    return connection
  }

  const kept = createKept(
    async (signal) => adopt(await deps.connect(signal)),
    ({ isOpen, waiting }) => isOpen && waiting.size < MAX_PIPELINED,
  )

  async function exchange(
    link: Connection,
    sent: SentQuery,
    signal: AbortSignal,
  ): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>()
    const onAbort = () => {
      link.waiting.delete(sent.id)
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    link.waiting.set(sent.id, { sent, resolve, reject })
    const frame = Buffer.allocUnsafe(2 + sent.bytes.length)
    frame.writeUInt16BE(sent.bytes.length, 0)
    frame.set(sent.bytes, 2)
    link.socket.write(frame)
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    async ask(make, signal) {
      for (let isLast = false; ; isLast = true) {
        const link = await kept.get(signal)
        const wasProven = link.isProven
        let sent = make()
        while (link.waiting.has(sent.id)) sent = make()
        try {
          return await exchange(link, sent, signal)
        } catch (error) {
          // RFC 7766 §6.2.4: a server may close an idle connection just as we use it.
          if (signal.aborted || isLast || !wasProven || link.isOpen) throw error
        }
      }
    },
    close() {
      kept.close()
      for (const link of open) end(link, broken('we stopped'))
    },
  }
}
