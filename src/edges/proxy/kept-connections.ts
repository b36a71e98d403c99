/** Connections to other servers that are kept for a moment, for the next request of the same client. */
import { Agent, type ClientRequestArgs } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export type Dial = () => Promise<Socket>

export interface KeptConnections {
  /**
   * Options for http.request: a connection that is kept, or a new one.
   * @param key who asks whom; nobody else gets what is left of a connection
   */
  way(key: string, dial: Dial): ClientRequestArgs
  stop(): void
}

// Browsers open six to a site.
const MAX_OF_KEY = 6
const MAX_IDLE = 128
// Less than servers wait before they hang up.
const IDLE_MS = 4000

interface Way extends ClientRequestArgs {
  key?: string
  dial?: Dial
}

/** Node lets its agents be changed by inheritance only. */
class KeepingAgent extends Agent {
  override getName(options?: Way): string {
    return options?.key ?? ''
  }
  override createConnection(
    options: Way,
    give: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    options.dial?.().then(
      (socket) => give(null, socket),
      // What there is in place of a socket is not looked at.
      (error: Error) => (give as (error: Error) => void)(error),
    )
  }
  override keepSocketAlive(socket: Duplex): boolean {
    const idle = Object.values(this.freeSockets).reduce((sum, list) => sum + (list?.length ?? 0), 0)
    if (idle >= MAX_IDLE) return false
    super.keepSocketAlive(socket)
    return true
  }
}

export function createKeptConnections(): KeptConnections {
  const agent = new KeepingAgent({ keepAlive: true, maxFreeSockets: MAX_OF_KEY, timeout: IDLE_MS })
  return {
    way(key, dial) {
      const way: Way = { agent, key, dial }
      return way
    },
    stop: () => agent.destroy(),
  }
}
