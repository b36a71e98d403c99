/** How far our clock is from that of a time server (RFC 4330), without setting it. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const NTP_PORT = 123
const PACKET_BYTES = 48
const WAIT_MS = 2000
/** RFC 4330 §3: seconds from 1900 to 1970. */
const NTP_EPOCH_SECONDS = 2_208_988_800

const readTime = (packet: Buffer, at: number): number =>
  (packet.readUInt32BE(at) - NTP_EPOCH_SECONDS + packet.readUInt32BE(at + 4) / 2 ** 32) * 1000

/**
 * Milliseconds that the server is ahead of us; undefined where it does not answer, or has no time itself.
 * @param server an address, with `:port` behind an IPv4 one where it is another
 */
export function clockOffset(
  server: string,
  now: () => number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const [, host = server, port = String(NTP_PORT)] = /^([\d.]+):(\d+)$/.exec(server) ?? []
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    let sentAt = 0
    let isOver = false
    const end = (offset?: number): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.close()
      resolve(offset)
    }
    const onAbort = (): void => end()
    const timer = setTimeout(onAbort, WAIT_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', () => end())
    socket.on('message', (packet) => {
      const stratum = packet[1] ?? 0
      // RFC 4330 §5: leap 3 is a clock that was never set, stratum 0 a refusal, mode 4 a server.
      const isTime =
        packet.length >= PACKET_BYTES &&
        ((packet[0] ?? 0) & 0x07) === 4 &&
        (packet[0] ?? 0) >> 6 !== 3 &&
        stratum > 0 &&
        stratum < 16
      if (!isTime) return end()
      const back = now()
      end((readTime(packet, 32) - sentAt + (readTime(packet, 40) - back)) / 2)
    })
    socket.connect(Number(port), host, (error?: Error) => {
      if (error) return end()
      const request = Buffer.alloc(PACKET_BYTES)
      // Version 4, mode 3: a client.
      request[0] = 0x23
      sentAt = now()
      socket.send(request, () => undefined)
    })
  })
}
