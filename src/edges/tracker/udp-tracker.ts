/** The tracker over UDP (BEP 15), on one port of IPv4 and IPv6; never says more than it was sent before a client proved its address. */
import { createSocket, type Socket } from 'node:dgram'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { badRequest, type Refusal, type RefusalKind, TOO_OFTEN } from './announce.ts'
import type { Asker, Askers } from './askers.ts'
import type { ConnectionIds } from './connection-ids.ts'
import { TrackerBindFailed } from './errors.ts'
import type { PeerTable } from './peer-table.ts'
import type { Tracking } from './tracking.ts'
import {
  ANNOUNCE,
  announceReply,
  CONNECT,
  CONNECT_BYTES,
  connectReply,
  errorReply,
  peersThatFit,
  PROTOCOL_HIGH,
  PROTOCOL_LOW,
  readAnnounce,
  readScrape,
  SCRAPE,
  scrapeReply,
} from './udp-packets.ts'

export interface UdpTrackerDeps {
  tracking: Tracking
  askers: Askers
  table: PeerTable
  connectionIds: ConnectionIds
  log: Log
}

type Family = 4 | 6

const HOSTS: Record<Family, string> = { 4: '0.0.0.0', 6: '::' }
const RECEIVE_BUFFER_BYTES = 1024 * 1024
const BAD_SCRAPE = badRequest('a scrape names 1 to 74 torrents')

/** Literals need no resolver; without this every send would pass through one. */
const openSocket = (family: Family): Socket =>
  createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (host, _options, done) => {
      done(null, host, family)
    },
  })

async function bind(socket: Socket, family: Family, port: number): Promise<void> {
  await new Promise<void>((done, fail) => {
    socket.once('error', fail)
    socket.bind(port, HOSTS[family], () => {
      socket.off('error', fail)
      done()
    })
  })
}

export function createUdpTracker({ tracking, askers, table, connectionIds, log }: UdpTrackerDeps) {
  const stats = {
    connects: 0,
    announces: 0,
    scrapes: 0,
    malformed: 0,
    badConnections: 0,
    sendFailures: 0,
    socketFailures: 0,
  }
  const refused: Record<RefusalKind, number> = {
    bad_request: 0,
    not_tracked: 0,
    too_often: 0,
    full: 0,
  }
  let sockets: Socket[] = []
  let port = 0

  function refusal(packet: Buffer, { refused: kind, reason }: Refusal): Buffer {
    refused[kind]++
    return errorReply(packet.readUInt32BE(12), reason, packet.length)
  }

  function announce(packet: Buffer, asker: Asker): Buffer | undefined {
    const read = readAnnounce(packet)
    if (read === undefined) {
      stats.malformed++
      return undefined
    }
    if ('fault' in read) {
      return refusal(packet, tracking.mayAsk(asker) ? badRequest(read.fault) : TOO_OFTEN)
    }
    stats.announces++
    const most = peersThatFit(asker.v4)
    const answer = tracking.announce({
      infoHash: read.infoHash,
      asker,
      port: read.port,
      peerId: read.peerId,
      key: read.key,
      event: read.event,
      left: read.left,
      uploaded: read.uploaded,
      numwant: read.numwant === undefined ? undefined : Math.min(read.numwant, most),
      families: asker.v4 ? 4 : 6,
    })
    if (answer.refused !== undefined) return refusal(packet, answer)
    // What the default or the maximum allows may still be more than a packet holds.
    answer.count = Math.min(answer.count, most - answer.box.length)
    return announceReply(table, answer, packet.readUInt32BE(12), asker.v4)
  }

  function scrape(packet: Buffer, asker: Asker): Buffer {
    stats.scrapes++
    if (!tracking.mayAsk(asker)) return refusal(packet, TOO_OFTEN)
    const hashes = readScrape(packet)
    if (hashes === undefined) return refusal(packet, BAD_SCRAPE)
    const counts = hashes.map((infoHash) => {
      const found = tracking.scrape(infoHash)
      return found && { ...found }
    })
    return scrapeReply(packet.readUInt32BE(12), counts)
  }

  function connect(packet: Buffer, host: string): Buffer | undefined {
    if (packet.readUInt32BE(0) !== PROTOCOL_HIGH || packet.readUInt32BE(4) !== PROTOCOL_LOW) {
      stats.malformed++
      return undefined
    }
    stats.connects++
    const [high = 0, low = 0] = connectionIds.current(host)
    return connectReply(packet.readUInt32BE(12), high, low)
  }

  /** Undefined where silence is the answer: to noise, and to whoever has not proved its address. */
  function reply(packet: Buffer, host: string): Buffer | undefined {
    if (packet.length < CONNECT_BYTES) {
      stats.malformed++
      return undefined
    }
    const action = packet.readUInt32BE(8)
    if (action === CONNECT) return connect(packet, host)
    if (action !== ANNOUNCE && action !== SCRAPE) {
      stats.malformed++
      return undefined
    }
    if (!connectionIds.accepts(host, packet.readUInt32BE(0), packet.readUInt32BE(4))) {
      stats.badConnections++
      return undefined
    }
    const asker = askers.of(host)
    if (asker === undefined) return undefined
    return action === ANNOUNCE ? announce(packet, asker) : scrape(packet, asker)
  }

  function serve(socket: Socket): void {
    socket.on('error', (error) => {
      // One line a run: a route that is gone fails with every answer.
      if (stats.socketFailures++ === 0) {
        log.warn({ error: error.message }, 'the UDP socket of the tracker reports a failure')
      }
    })
    socket.on('message', (packet, from) => {
      if (from.port === 0) return
      try {
        const answer = reply(packet, from.address)
        if (answer) socket.send(answer, from.port, from.address)
      } catch (error) {
        // A fault of ours must not become a way to kill the process from afar.
        stats.sendFailures++
        log.debug({ error: messageOf(error) }, 'a datagram could not be answered')
      }
    })
  }

  async function open(family: Family, wanted: number): Promise<Socket> {
    const socket = openSocket(family)
    try {
      await bind(socket, family, wanted)
    } catch (error) {
      socket.close()
      throw error
    }
    serve(socket)
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
    } catch {
      // The system's size does as well.
    }
    return socket
  }

  return {
    stats,
    refused,
    port: () => port,
    /** @throws TrackerBindFailed */
    async start(wanted: number): Promise<void> {
      try {
        const four = await open(4, wanted)
        sockets.push(four)
        port = four.address().port
        sockets.push(await open(6, port))
      } catch (error) {
        // A system without IPv6 is no failure.
        if (sockets.length === 1 && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error) ?? ''))
          return
        await this.stop()
        throw new TrackerBindFailed(`UDP port ${wanted}`, messageOf(error))
      }
    },
    async stop(): Promise<void> {
      const open = sockets
      sockets = []
      port = 0
      await Promise.all(
        open.map(
          (socket) =>
            new Promise<void>((done) => {
              socket.close(() => done())
            }),
        ),
      )
    },
  }
}

export type UdpTracker = ReturnType<typeof createUdpTracker>
