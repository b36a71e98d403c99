/** In the child: the peer connections, from an order of the room to an open data channel. */
import { type DataChannel, PeerConnection, type RtcConfig } from 'node-datachannel'
import { bridge, type Channel } from './channel.ts'
import type { Order, Report, Setup } from './messages.ts'

// Without servers candidates are there within a millisecond; a server may be slow or gone.
const GATHER_MS = 2000
const CLOSING_MS = 2000

interface Connection {
  key: string
  native: PeerConnection
  channel: Channel | undefined
  gathering: NodeJS.Timeout | undefined
}

export interface Connections {
  obey(order: Exclude<Order, Setup | { do: 'end' }>): void
  closeAll(): void
}

export function createConnections(setup: Setup, report: (report: Report) => void): Connections {
  const connections = new Map<string, Connection>()
  const closing = new Set<Connection>()
  const rtcConfig: RtcConfig = {
    iceServers: setup.iceServers,
    ...(setup.portMin > 0 && {
      portRangeBegin: setup.portMin,
      portRangeEnd: setup.portMax,
    }),
  }

  function drop(connection: Connection, why: string): void {
    if (connections.get(connection.key) !== connection) return
    connections.delete(connection.key)
    clearTimeout(connection.gathering)
    connection.channel?.destroy()
    // Its threads still work on it: it must not be collected under them.
    closing.add(connection)
    setTimeout(() => closing.delete(connection), CLOSING_MS).unref()
    try {
      connection.native.close()
    } catch {
      // It is closed already, and nothing else was asked of it.
    }
    report({ say: 'gone', key: connection.key, why })
  }

  /** An exception that reaches native code ends the process, and with it every other connection. */
  const guarded =
    (connection: Connection) =>
    <Values extends unknown[]>(work: (...values: Values) => void) =>
    (...values: Values): void => {
      try {
        work(...values)
      } catch (error) {
        drop(connection, error instanceof Error ? error.message : String(error))
      }
    }

  function take(connection: Connection, channel: DataChannel): void {
    if (connection.channel) {
      channel.close()
      return
    }
    const remote = connection.native.getSelectedCandidatePair()?.remote
    const address = remote ? ` ${remote.address} ${remote.port}` : ''
    connection.channel = bridge(channel, {
      socketPath: setup.socketPath,
      greeting: `${connection.key}${address}\n`,
      guard: guarded(connection),
      onEnd: (why) => drop(connection, why),
    })
  }

  function open(key: string): Connection {
    if (connections.size >= setup.maxConnections) throw new RangeError('full')
    const made: Connection = {
      key,
      native: new PeerConnection('btlinkd', rtcConfig),
      channel: undefined,
      gathering: undefined,
    }
    connections.set(key, made)
    const guard = guarded(made)
    made.native.onStateChange(
      guard((state) => {
        if (state === 'failed' || state === 'closed' || state === 'disconnected') drop(made, state)
      }),
    )
    made.native.onDataChannel(
      guard((channel) => {
        if (channel.isOpen()) take(made, channel)
        else channel.onOpen(guard(() => take(made, channel)))
      }),
    )
    return made
  }

  /** Says our description once all candidates are in it, or those that came in time. */
  function describe(connection: Connection): void {
    const guard = guarded(connection)
    let isSaid = false
    const say = guard(() => {
      const description = connection.native.localDescription()
      if (isSaid || !description || !connections.has(connection.key)) return
      isSaid = true
      clearTimeout(connection.gathering)
      report({ say: 'sdp', key: connection.key, sdp: description.sdp })
    })
    connection.gathering = setTimeout(say, GATHER_MS)
    connection.native.onGatheringStateChange(
      guard((state) => {
        if (state === 'complete') say()
      }),
    )
    if (connection.native.gatheringState() === 'complete') say()
  }

  function begin(order: { do: 'answer'; key: string; sdp: string } | { do: 'offer'; key: string }) {
    try {
      const connection = open(order.key)
      const guard = guarded(connection)
      if (order.do === 'answer') {
        connection.native.setRemoteDescription(order.sdp, 'offer')
      } else {
        const channel = connection.native.createDataChannel('')
        channel.onOpen(guard(() => take(connection, channel)))
      }
      describe(connection)
    } catch (error) {
      const isFull = error instanceof RangeError && error.message === 'full'
      const why = error instanceof Error ? error.message : String(error)
      report({ say: 'refused', key: order.key, why, isFull })
      const half = connections.get(order.key)
      if (half) drop(half, why)
    }
  }

  return {
    obey(order) {
      if (order.do === 'answer' || order.do === 'offer') {
        begin(order)
        return
      }
      const connection = connections.get(order.key)
      if (!connection) return
      const guard = guarded(connection)
      if (order.do === 'close') drop(connection, 'closed here')
      if (order.do === 'accept') {
        guard(() => connection.native.setRemoteDescription(order.sdp, 'answer'))()
      }
      if (order.do === 'candidate') {
        try {
          connection.native.addRemoteCandidate(order.candidate, order.mid)
        } catch {
          // One way fewer to reach the far side; others may do.
        }
      }
    },
    closeAll() {
      for (const connection of connections.values()) drop(connection, 'closed here')
    },
  }
}
