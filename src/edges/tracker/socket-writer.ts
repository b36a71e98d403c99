/** Writes to one browser: what is said to it within a turn of the event loop leaves at once. */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** @returns a function that says false where the reader is so slow that it had better be cut */
export function createSocketWriter(ws: WebSocket, socket: Duplex, maxBufferedBytes: number) {
  let held = false

  function release(): void {
    if (!held) return
    held = false
    socket.uncork()
  }

  return (text: string): boolean => {
    if (ws.readyState !== ws.OPEN) return true
    // One message may bring many: an announce in each of its torrents, offers from a whole swarm.
    if (!held) {
      held = true
      socket.cork()
      process.nextTick(release)
    }
    ws.send(text)
    // What was only held back is not the reader's fault.
    if (ws.bufferedAmount > maxBufferedBytes) release()
    return ws.bufferedAmount <= maxBufferedBytes
  }
}
