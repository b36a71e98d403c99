/**
 * Who calls says first which torrent it wants. That is read before anything is set up for the
 * caller: a seed that sleeps is woken, and a stranger who names nothing of ours, or nothing at all,
 * costs a socket and no more.
 */
import type { Socket } from 'node:net'
import { toHex } from '../../../base/bytes.ts'
import { type InfoHash, infoHash as checkedInfoHash } from '../../../base/hashes.ts'
import type { Log } from '../../../base/ports/log.ts'
import { type Allowance, createAllowance } from '../allowance.ts'

const PROTOCOL = Buffer.from('\x13BitTorrent protocol')
const RESERVED_BYTES = 8
// BEP 3: then come the infohash and the caller's id.
const HEAD_BYTES = PROTOCOL.length + RESERVED_BYTES + 20
const SILENT_MS = 10_000
const MAX_WAKING = 4
const MAX_WAITING = 64
// A caller may go through a list of what others announce; each torrent it names costs a few milliseconds.
const WAKES_AT_ONCE = 20
const WAKES_A_SECOND = 1
const STRANGERS_AT_ONCE = 100
const STRANGERS_A_SECOND = 20
const MAX_CALLERS = 1000

export interface ReceptionDeps {
  log: Log
  isHere: (infoHash: InfoHash) => boolean
  /** Brings a sleeping seed into the swarm; false where there is none for that caller. */
  wake: (infoHash: InfoHash) => Promise<boolean>
  /** Whether such a seed is known, without a look at the disk. */
  canWake: (infoHash: InfoHash, host: string) => boolean
  /** One of the house: not counted. */
  isTrusted: (host: string) => boolean
  /** Takes the connection over, with all its bytes. */
  pass: (socket: Socket) => void
}

export interface Reception {
  receive(socket: Socket): void
  stats(): { waking: number }
  stop(): void
}

/** Undefined where it is no handshake of BEP 3; encrypted ones (MSE) are none. */
export function calledFor(head: Uint8Array): InfoHash | undefined {
  if (head.length < HEAD_BYTES) return undefined
  if (!PROTOCOL.equals(head.subarray(0, PROTOCOL.length))) return undefined
  return checkedInfoHash(toHex(head.subarray(HEAD_BYTES - 20, HEAD_BYTES)))
}

export function createReception(deps: ReceptionDeps): Reception {
  const sockets = new Set<Socket>()
  const waiting: (() => void)[] = []
  const callers = new Map<string, Allowance>()
  const strangers = createAllowance(STRANGERS_AT_ONCE, STRANGERS_A_SECOND)
  let waking = 0

  function mayWake(host: string): boolean {
    if (deps.isTrusted(host)) return true
    const own = callers.get(host) ?? createAllowance(WAKES_AT_ONCE, WAKES_A_SECOND)
    callers.delete(host)
    callers.set(host, own)
    const oldest = callers.keys().next().value
    if (callers.size > MAX_CALLERS && oldest !== undefined) callers.delete(oldest)
    return own.take() && strangers.take()
  }

  async function inTurn<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    if (waking >= MAX_WAKING) {
      if (waiting.length >= MAX_WAITING) return undefined
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
    waking++
    try {
      return await work()
    } finally {
      waking--
      waiting.shift()?.()
    }
  }

  async function lead(socket: Socket, infoHash: InfoHash, host: string): Promise<boolean> {
    if (deps.isHere(infoHash)) return true
    if (!deps.canWake(infoHash, host) || !mayWake(host)) return false
    const woken = await inTurn(async () => !socket.destroyed && deps.wake(infoHash))
    return woken === true
  }

  async function admit(socket: Socket, head: Buffer): Promise<void> {
    const infoHash = calledFor(head)
    try {
      const host = socket.remoteAddress ?? ''
      const isLet = infoHash !== undefined && (await lead(socket, infoHash, host))
      if (!isLet || socket.destroyed || !sockets.has(socket)) {
        socket.destroy()
        return
      }
    } catch (error) {
      deps.log.debug({ infoHash, err: error }, 'a seed that was called for could not be woken')
      socket.destroy()
      return
    }
    sockets.delete(socket)
    socket.removeListener('error', ignore)
    socket.unshift(head)
    deps.pass(socket)
  }

  const ignore = () => {}

  return {
    receive(socket) {
      sockets.add(socket)
      socket.on('error', ignore)
      const silent = setTimeout(() => socket.destroy(), SILENT_MS).unref()
      const onReadable = () => {
        const head = socket.read(HEAD_BYTES) as Buffer | null
        if (head === null) return
        clearTimeout(silent)
        socket.removeListener('readable', onReadable)
        void admit(socket, head)
      }
      socket.on('readable', onReadable)
      socket.once('close', () => {
        clearTimeout(silent)
        sockets.delete(socket)
      })
    },
    stats: () => ({ waking }),
    stop() {
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
  }
}
