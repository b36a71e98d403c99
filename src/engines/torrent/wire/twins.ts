/** Two boxes that dial each other at the same moment have two connections; one is enough. */
import type Wire from 'bittorrent-protocol'
import { hostOf } from './peer-view.ts'

export interface Twins {
  /** The one to close of two TCP connections with the same peer, if this makes two. */
  surplus(wire: Wire): Wire | undefined
  /** Whether the peer that listens there has a connection to us, dialled by itself. */
  isHere(address: string): boolean
}

const isTcp = ({ type }: Wire) => type.startsWith('tcp')
const isOutgoing = ({ type }: Wire) => type.endsWith('Outgoing')
const sameHost = (a: string | undefined, b: string | undefined) =>
  a !== undefined && b !== undefined && hostOf(a) === hostOf(b)

export function createTwins(ourId: string, wires: () => readonly Wire[]): Twins {
  /** Where those listen whose second connection was closed. */
  const elsewhere = new Map<string, WeakRef<Wire>>()

  function note(closed: Wire, kept: Wire): void {
    if (!isOutgoing(closed) || closed.remoteAddress === undefined) return
    for (const [key, wire] of elsewhere)
      if (wire.deref()?.destroyed !== false) elsewhere.delete(key)
    elsewhere.set(`${hostOf(closed.remoteAddress)} ${closed.remotePort}`, new WeakRef(kept))
  }

  return {
    surplus(wire) {
      // The same id from another address is somebody who pretends.
      const twin = wires().find(
        (other) =>
          other !== wire &&
          !other.destroyed &&
          isTcp(other) &&
          isOutgoing(other) !== isOutgoing(wire) &&
          other.peerId === wire.peerId &&
          sameHost(other.remoteAddress, wire.remoteAddress),
      )
      if (twin === undefined || !isTcp(wire)) return undefined
      const [ours, theirs] = isOutgoing(wire) ? [wire, twin] : [twin, wire]
      // Both ends see both connections; by this rule they close the same one.
      const closed = ourId > (wire.peerId ?? '') ? theirs : ours
      note(closed, closed === wire ? twin : wire)
      return closed
    },
    isHere(address) {
      const host = hostOf(address)
      const port = Number(address.slice(address.lastIndexOf(':') + 1))
      if (elsewhere.get(`${host} ${port}`)?.deref()?.destroyed === false) return true
      return wires().some(
        (wire) =>
          isTcp(wire) &&
          !wire.destroyed &&
          sameHost(wire.remoteAddress, host) &&
          // BEP 10: the port the peer listens at.
          wire.peerExtendedHandshake.p === port,
      )
    },
  }
}
