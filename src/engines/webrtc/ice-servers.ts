/** STUN and TURN servers as people write them, for the native library. */
import { WebRtcBadServer } from './errors.ts'
import type { IceServer } from './messages.ts'

const ADDRESS = '(?:\\[([0-9a-fA-F:.]{2,45})\\]|([A-Za-z0-9.-]{1,253})):(\\d{1,5})'
const STUN = new RegExp(`^(?:stun:)?${ADDRESS}$`)
// A password may hold anything but white space; the last @ ends it.
const TURN = new RegExp(
  `^(?:turn:)?([^\\s:@]{1,256}):(\\S{1,256})@${ADDRESS}(?:\\?transport=(udp|tcp))?$`,
)

const portOf = (digits: string | undefined): number | undefined => {
  const port = Number(digits)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/**
 * @throws BTL_ERR_WEBRTC_BAD_SERVER; of a TURN server without the entry: it holds a password
 */
export function parseIceServers(
  stunServers: readonly string[],
  turnServers: readonly string[],
): IceServer[] {
  const stuns = stunServers.map((text) => {
    const [, ipv6, name, digits] = STUN.exec(text) ?? []
    const hostname = ipv6 ?? name
    const port = portOf(digits)
    if (hostname === undefined || port === undefined) {
      throw new WebRtcBadServer('stun_servers', `host:port: "${text}"`)
    }
    return { hostname, port }
  })
  const turns = turnServers.map((text): IceServer => {
    const [, username, password, ipv6, name, digits, transport] = TURN.exec(text) ?? []
    const hostname = ipv6 ?? name
    const port = portOf(digits)
    if (hostname === undefined || port === undefined || username === undefined) {
      throw new WebRtcBadServer('turn_servers', 'user:password@host:port')
    }
    const relayType = transport === 'tcp' ? 'TurnTcp' : 'TurnUdp'
    return { hostname, port, username, password: password ?? '', relayType }
  })
  return [...stuns, ...turns]
}
