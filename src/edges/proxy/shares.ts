/** Connections to other sites: so many in all, and so many for one client. */
import { TooMany, TooManyOfClient } from './errors.ts'

export interface Shares {
  /**
   * @returns gives the share back; safe to call twice
   * @throws TooManyOfClient (429), TooMany (503)
   */
  take(client: string): () => void
  readonly taken: number
}

export function createShares(max: number, maxPerClient: number): Shares {
  const perClient = new Map<string, number>()
  let taken = 0
  return {
    take(client) {
      const own = perClient.get(client) ?? 0
      if (own >= maxPerClient) throw new TooManyOfClient(own)
      if (taken >= max) throw new TooMany(taken)
      perClient.set(client, own + 1)
      taken++
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        taken--
        const left = (perClient.get(client) ?? 1) - 1
        if (left > 0) perClient.set(client, left)
        else perClient.delete(client)
      }
    },
    get taken() {
      return taken
    },
  }
}
