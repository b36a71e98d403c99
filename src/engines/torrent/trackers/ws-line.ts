/** One WebSocket to one tracker, opened again when it ends; what strangers name is not asked on the own network. */
import { isIP } from 'node:net'
import { WebSocket } from 'ws'
import type { Log } from '../../../base/ports/log.ts'
import { guardedLookup, isAskable } from './guarded-http.ts'
import { createAllowance } from '../allowance.ts'

// An SDP is 2 KB, and a message carries one.
const MAX_MESSAGE_BYTES = 64 * 1024
const HANDSHAKE_MS = 10_000
const FIRST_AGAIN_MS = 5000
const LAST_AGAIN_MS = 60 * 60_000
// Offers of a busy swarm come in bursts; ten thousand a minute come from nobody who means well.
const MESSAGES = { burst: 500, perSecond: 20 }
const MAX_BROKEN = 20
// What a tracker leaves unread.
const MAX_UNSENT_BYTES = 1024 * 1024
const QUIET_MS = 60_000

export interface WsLine {
  isOpen(): boolean
  /** Connects, unless it is connected or waits to be. */
  open(): void
  /** False where it went nowhere. */
  send(text: string): boolean
  close(): void
}

export interface WsLineDeps {
  log: Log
  opened: () => void
  /** Returns whether the message made sense. */
  take: (text: string) => boolean
  closed: () => void
}

function isBarred(url: URL, allowLocal: boolean): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) > 0 && !isAskable(host, allowLocal)
}

export function createWsLine(url: URL, deps: WsLineDeps, allowLocal: boolean): WsLine {
  const { log } = deps
  let socket: WebSocket | undefined
  let again: NodeJS.Timeout | undefined
  let pause = FIRST_AGAIN_MS
  let wanted = false

  function later(): void {
    if (!wanted || again) return
    // Not all boxes at once, after a tracker was away.
    const wait = pause * (0.75 + Math.random() / 2)
    pause = Math.min(pause * 2, LAST_AGAIN_MS)
    again = setTimeout(() => {
      again = undefined
      connect()
    }, wait).unref()
  }

  function connect(): void {
    if (socket || !wanted) return
    if (isBarred(url, allowLocal)) {
      log.debug({ tracker: url.host }, 'a tracker on the own network is not asked')
      return
    }
    const fresh = new WebSocket(url, {
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
      handshakeTimeout: HANDSHAKE_MS,
      headers: { 'user-agent': 'btlinkd' },
      lookup: guardedLookup(allowLocal),
    })
    socket = fresh
    const messages = createAllowance(MESSAGES.burst, MESSAGES.perSecond)
    let broken = 0
    let heard = true
    let watch: NodeJS.Timeout | undefined

    /** Half-open connections would go unnoticed for hours. */
    function look(): void {
      if (!heard) return fresh.terminate()
      heard = false
      fresh.ping()
    }

    fresh.on('open', () => {
      watch = setInterval(look, QUIET_MS).unref()
      deps.opened()
    })
    fresh.on('pong', () => {
      heard = true
    })
    fresh.on('message', (data, isBinary) => {
      heard = true
      // What lay in the receiver when it was left is not heard any more.
      if (socket !== fresh || fresh.readyState !== WebSocket.OPEN) return
      // Binary frames, and Buffer lists, are nothing this protocol has.
      const text = !isBinary && Buffer.isBuffer(data) ? data.toString('utf8') : ''
      if (!messages.take() || (!deps.take(text) && ++broken > MAX_BROKEN)) {
        log.info({ tracker: url.host }, 'a tracker that sends nonsense or too much was left')
        pause = LAST_AGAIN_MS
        fresh.terminate()
      } else if (broken === 0) pause = Math.min(pause, FIRST_AGAIN_MS)
    })
    fresh.on('error', (error) =>
      log.debug({ tracker: url.host, err: error }, 'a tracker cannot be reached'),
    )
    fresh.on('close', () => {
      clearInterval(watch)
      if (socket !== fresh) return
      socket = undefined
      deps.closed()
      later()
    })
  }

  return {
    isOpen: () => socket?.readyState === WebSocket.OPEN,
    open() {
      wanted = true
      if (!again) connect()
    },
    send(text) {
      if (socket?.readyState !== WebSocket.OPEN) return false
      if (socket.bufferedAmount > MAX_UNSENT_BYTES) {
        socket.terminate()
        return false
      }
      socket.send(text)
      return true
    },
    close() {
      wanted = false
      clearTimeout(again)
      again = undefined
      const ending = socket
      socket = undefined
      if (ending?.readyState === WebSocket.OPEN) {
        // What was said last should arrive; the answer is not waited for.
        ending.close()
        setTimeout(() => ending.terminate(), 1000).unref()
      } else ending?.terminate()
      deps.closed()
    },
  }
}
