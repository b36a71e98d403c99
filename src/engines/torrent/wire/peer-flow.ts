/**
 * Moves bytes between a peer's connection and its wire. Stands in for webtorrent's chain of four
 * transforms, which costs every byte four copies of the bookkeeping even where nothing is limited,
 * and answers requests only as fast as the peer takes the answers.
 */
import type { Duplex } from 'node:stream'
import Wire from 'bittorrent-protocol'
import type { Peer, ThrottleGroups } from 'webtorrent'
import AnyPeer from 'webtorrent/lib/peer.js'
import type { Bandwidth } from './bandwidth.ts'
import type { Mover } from './gate.ts'
import { hostOf, isWebRtc } from './peer-view.ts'

// Blocks read from the disk for a peer and not yet taken by it; one that asks for 2000 and reads none must cost no more.
const MAX_AHEAD_BYTES = 512 * 1024
// As for those webtorrent queues itself; see harden-wire.ts.
const MAX_HELD = 2000

export interface FlowDeps {
  bandwidth: Bandwidth
  /** Bytes of payload given to a peer outside the own network. */
  given: (infoHash: string, bytes: number) => void
}

interface Flow {
  /** Whether a request is kept for later: as much as the peer takes is on its way. */
  holds(piece: number, offset: number, length: number): boolean
  cancel(piece: number, offset: number, length: number): void
  /** Lets go of what is held: the peer is choked. */
  choked(): void
}

interface Held {
  piece: number
  offset: number
  length: number
}

const depsOf = new WeakMap<ThrottleGroups, FlowDeps>()
const flows = new WeakMap<Wire, Flow>()
let installed = false

type OnRequest = (this: Wire, piece: number, offset: number, length: number) => void
/** The wire's own answer to a request, as hardened. */
let onAnyRequest: OnRequest = () => {}

function openFlow(peer: Peer, conn: Duplex, wire: Wire, deps: FlowDeps): void {
  const { bandwidth } = deps
  const kind = isWebRtc(peer) ? 'webrtc' : 'tcp'
  const queue: Uint8Array[] = []
  const held: Held[] = []
  let queued = 0
  let corked = false
  let exempt: boolean | undefined

  // Asked late: a browser's address is set after its connection.
  const isExempt = () => {
    exempt ??= bandwidth.isExempt(peer.addr === null ? undefined : hostOf(peer.addr))
    return exempt
  }
  const isFree = (direction: 'down' | 'up') => bandwidth[direction].isFree(kind) || isExempt()

  function take(bytes: Uint8Array): void {
    peer.emit('download', bytes.length)
    // The wire parses at once, so there is nothing to wait for.
    if (!peer.destroyed) wire.write(bytes)
  }

  const coming: Mover = {
    kind,
    ready: () => (peer.destroyed ? 0 : conn.readableLength),
    move(most) {
      const bytes = conn.read(Math.min(most, conn.readableLength)) as Uint8Array | null
      if (bytes === null) return 0
      take(bytes)
      // Who reads just what is there is not told of the end otherwise.
      if (conn.readableLength === 0) conn.read(0)
      return bytes.length
    },
  }

  function onReadable(): void {
    answerHeld()
    if (!isFree('down') && conn.readableLength > 0) {
      bandwidth.down.ask(coming)
      return
    }
    for (;;) {
      const bytes = peer.destroyed ? null : (conn.read() as Uint8Array | null)
      if (bytes === null) return
      take(bytes)
    }
  }

  function send(bytes: Uint8Array): void {
    if (!corked) {
      // A block and its header leave in one packet.
      corked = true
      conn.cork()
      process.nextTick(() => {
        corked = false
        conn.uncork()
        answerHeld()
      })
    }
    conn.write(bytes)
    peer.emit('upload', bytes.length)
  }

  const isBlocked = () => peer.destroyed || conn.writableNeedDrain

  const going: Mover = {
    kind,
    ready: () => (isBlocked() ? 0 : queued),
    move(most) {
      let moved = 0
      while (moved < most && !isBlocked()) {
        const first = queue[0]
        if (first === undefined) break
        const part = first.subarray(0, most - moved)
        if (part.length === first.length) queue.shift()
        else queue[0] = first.subarray(part.length)
        queued -= part.length
        moved += part.length
        send(part)
      }
      return moved
    },
  }

  function flush(): void {
    if (queued === 0 || isBlocked()) return
    if (isFree('up')) going.move(queued)
    else bandwidth.up.ask(going)
  }

  function ahead(): number {
    let bytes = queued + conn.writableLength
    for (const { length } of wire.peerRequests) bytes += length
    return bytes
  }

  function answerHeld(): void {
    while (!peer.destroyed && ahead() <= MAX_AHEAD_BYTES) {
      const next = held.shift()
      if (next === undefined) return
      answer(next)
    }
  }

  const answer = ({ piece, offset, length }: Held): void =>
    onAnyRequest.call(wire, piece, offset, length)

  conn.on('readable', onReadable)
  conn.on('drain', () => {
    flush()
    answerHeld()
  })
  wire.on('data', (bytes: Uint8Array) => {
    queue.push(bytes)
    queued += bytes.length
    flush()
  })
  wire.on('upload', (bytes: number) => {
    const infoHash = peer.swarm?.infoHash
    if (infoHash !== undefined && !isExempt()) deps.given(infoHash, bytes)
  })
  peer.once('disconnect', () => {
    queue.length = 0
    queued = 0
    held.length = 0
    bandwidth.down.leave(coming)
    bandwidth.up.leave(going)
  })

  flows.set(wire, {
    holds(piece, offset, length) {
      if (held.length === 0 && ahead() <= MAX_AHEAD_BYTES) return false
      if (held.length >= MAX_HELD) wire.destroy()
      else held.push({ piece, offset, length })
      return true
    },
    cancel(piece, offset, length) {
      const at = held.findIndex(
        (one) => one.piece === piece && one.offset === offset && one.length === length,
      )
      if (at >= 0) held.splice(at, 1)
    },
    choked() {
      // BEP 6: each is rejected, or answered where its piece is in the allowed fast set.
      for (const request of held.splice(0)) answer(request)
    },
  })
}

function install(): void {
  if (installed) return
  installed = true
  onAnyRequest = Reflect.get(Wire.prototype, '_onRequest')
  const onAnyCancel = Reflect.get(Wire.prototype, '_onCancel')
  const chokeAny = Reflect.get(Wire.prototype, 'choke')
  const linkAny = Reflect.get(AnyPeer.prototype, 'setThrottlePipes')

  AnyPeer.prototype.setThrottlePipes = function setThrottlePipes(this: Peer) {
    const deps = depsOf.get(this.throttleGroups)
    if (deps && this.conn && this.wire) openFlow(this, this.conn, this.wire, deps)
    else linkAny.call(this)
  }
  Wire.prototype._onRequest = function onRequest(this: Wire, piece, offset, length) {
    if (flows.get(this)?.holds(piece, offset, length) !== true)
      onAnyRequest.call(this, piece, offset, length)
  }
  Wire.prototype._onCancel = function onCancel(this: Wire, piece, offset, length) {
    flows.get(this)?.cancel(piece, offset, length)
    onAnyCancel.call(this, piece, offset, length)
  }
  Wire.prototype.choke = function choke(this: Wire) {
    chokeAny.call(this)
    flows.get(this)?.choked()
  }
}

/** From now on peers of the client that has these groups move their bytes here. */
export function regulate(groups: ThrottleGroups, deps: FlowDeps): void {
  install()
  depsOf.set(groups, deps)
}
