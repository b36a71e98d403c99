/** A connection that is made when it is needed and kept for all who come after; one is made at a time. */
import { orAborted } from './patience.ts'

/** More than a TCP and a TLS handshake across the world. */
const CONNECT_MS = 5000

export interface Kept<Connection> {
  /** The usable one, or a new one. A caller may leave; the others still get it. */
  get(signal: AbortSignal): Promise<Connection>
  /** Gives up one that is being made. */
  close(): void
}

export function createKept<Connection>(
  open: (signal: AbortSignal) => Promise<Connection>,
  isUsable: (connection: Connection) => boolean,
): Kept<Connection> {
  let kept: Connection | undefined
  let opening: Promise<Connection> | undefined
  let controller = new AbortController()

  async function begin(): Promise<Connection> {
    const { signal } = (controller = new AbortController())
    const late = () => controller.abort(new Error('connecting took too long'))
    const timer = setTimeout(late, CONNECT_MS)
    try {
      kept = await open(signal)
      return kept
    } finally {
      clearTimeout(timer)
      opening = undefined
    }
  }

  return {
    async get(signal) {
      signal.throwIfAborted()
      if (kept !== undefined && isUsable(kept)) return kept
      opening ??= begin()
      return orAborted(opening, signal)
    },
    close() {
      kept = undefined
      controller.abort(new Error('we stopped'))
    },
  }
}
