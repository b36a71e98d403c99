/**
 * Browsers and TCP peers cannot reach each other: while one asks the box for what it does not have
 * itself, the box fetches it and gives each piece on as soon as it is verified.
 */
import type Wire from 'bittorrent-protocol'
import type { InfoHash } from '../../base/hashes.ts'
import { isWebRtc } from './wire/peer-view.ts'
import type { PieceSet } from './pieces/piece-set.ts'
import type { Wants } from './pieces/wants.ts'

// Of those that nobody here asked to keep; each may fill the disk with a whole torrent.
const MAX_VISITED = 8
const FAILED_PAUSE_MS = 60_000

export interface Bridgeable {
  readonly infoHash: InfoHash
  readonly have: PieceSet
  readonly wants: Wants
  /** Kept anyway. */
  readonly seeding: boolean
  wires: () => readonly Wire[]
}

export interface Bridge {
  /** Begins or ends what the peers of now ask for; call about once a second. Whether a browser is served. */
  look(torrent: Bridgeable): boolean
  forget(infoHash: InfoHash): void
  stop(): void
}

/** BEP 21: a peer that has what it wants says so. */
const asks = (wire: Wire): boolean =>
  !wire.destroyed && !wire.isSeeder && wire.peerExtendedHandshake.upload_only !== 1

function offersMore(wire: Wire, have: PieceSet): boolean {
  if (wire.isSeeder) return have.size < have.count
  for (let piece = 0; piece < have.count; piece++)
    if (wire.peerPieces.get(piece) && !have.has(piece)) return true
  return false
}

export function createBridge(enabled: boolean): Bridge {
  const fetching = new Map<InfoHash, { ending: AbortController; visited: boolean }>()
  const failedAt = new Map<InfoHash, number>()

  function isAskedFor({ have, seeding, wires }: Bridgeable): boolean {
    if (have.size === have.count) return false
    if (seeding) return wires().some(asks)
    if (!enabled) return false
    // A browser has no way to others but the box; TCP peers find each other, but no browser.
    const browsers = wires().filter(isWebRtc)
    if (browsers.some(asks)) return true
    return (
      browsers.some((wire) => offersMore(wire, have)) &&
      wires().some((wire) => !isWebRtc(wire) && asks(wire))
    )
  }

  function begin({ infoHash, have, wants, seeding }: Bridgeable): void {
    const visited = [...fetching.values()].filter((one) => one.visited).length
    if (!seeding && visited >= MAX_VISITED) return
    const failed = failedAt.get(infoHash)
    if (failed !== undefined && performance.now() - failed < FAILED_PAUSE_MS) return
    failedAt.delete(infoHash)
    const ending = new AbortController()
    const entry = { ending, visited: !seeding }
    fetching.set(infoHash, entry)
    wants
      .wait({ first: 0, last: have.count - 1 }, 'background', ending.signal)
      .catch(() => {
        // Who waits for a range is told why it cannot come; here it is enough not to insist.
        if (!ending.signal.aborted) failedAt.set(infoHash, performance.now())
      })
      .finally(() => {
        if (fetching.get(infoHash) === entry) fetching.delete(infoHash)
      })
  }

  function end(infoHash: InfoHash): void {
    fetching.get(infoHash)?.ending.abort()
    fetching.delete(infoHash)
  }

  return {
    look(torrent) {
      const { infoHash } = torrent
      const asked = isAskedFor(torrent)
      if (!asked) end(infoHash)
      else if (!fetching.has(infoHash)) begin(torrent)
      return torrent.wires().some((wire) => isWebRtc(wire) && wire.peerInterested)
    },
    forget(infoHash) {
      end(infoHash)
      failedAt.delete(infoHash)
    },
    stop() {
      for (const infoHash of fetching.keys()) end(infoHash)
      failedAt.clear()
    },
  }
}
