/** Hands peers that announced themselves to the box, a few at a time, so that it can dial them. */
import type { InfoHash } from '../../base/hashes.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'

const DELAY_MS = 200
const MAX_TORRENTS = 64
const MAX_PEERS = 16

export function createIntroductions(meet: (infoHash: InfoHash, peers: PeerAddress[]) => void) {
  const waiting = new Map<InfoHash, PeerAddress[]>()
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    timer = undefined
    const batches = [...waiting]
    waiting.clear()
    for (const [infoHash, peers] of batches) meet(infoHash, peers)
  }

  return {
    /** What is over the batch is left out: that peer announces again, or dials. */
    add(infoHash: InfoHash, host: string, port: number): void {
      const peers = waiting.get(infoHash)
      if (peers === undefined) {
        if (waiting.size >= MAX_TORRENTS) return
        waiting.set(infoHash, [{ host, port }])
        timer ??= setTimeout(flush, DELAY_MS).unref()
        return
      }
      const known = peers.some((peer) => peer.port === port && peer.host === host)
      if (!known && peers.length < MAX_PEERS) peers.push({ host, port })
    },
    stop(): void {
      clearTimeout(timer)
      timer = undefined
      waiting.clear()
    },
  }
}

export type Introductions = ReturnType<typeof createIntroductions>
