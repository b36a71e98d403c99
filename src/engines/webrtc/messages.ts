/** What the room and its child process say to each other over IPC; each side checks what it hears. */

/** As the native library wants them. */
export interface IceServer {
  hostname: string
  port: number
  username?: string
  password?: string
  relayType?: 'TurnUdp' | 'TurnTcp'
}

/** Sent once, before anything else. */
export interface Setup {
  do: 'setup'
  /** Unix socket that takes the channels. */
  socketPath: string
  iceServers: IceServer[]
  /** UDP ports; 0 and 0 leave it to the system. */
  portMin: number
  portMax: number
  maxConnections: number
}

/** A connection is named by its key: a secret of 64 hex digits that its channel shows as well. */
export type Order =
  | Setup
  | { do: 'answer'; key: string; sdp: string }
  | { do: 'offer'; key: string }
  | { do: 'accept'; key: string; sdp: string }
  | { do: 'candidate'; key: string; candidate: string; mid: string }
  | { do: 'close'; key: string }
  | { do: 'end' }

export type Report =
  | { say: 'ready' }
  /** The description asked for by `answer` or `offer`. */
  | { say: 'sdp'; key: string; sdp: string }
  /** It never began. */
  | { say: 'refused'; key: string; why: string; isFull: boolean }
  /** It is over, whether it had a channel or not. */
  | { say: 'gone'; key: string; why: string }

const KEY = /^[0-9a-f]{64}$/
const MAX_TEXT = 32 * 1024

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_TEXT

const isKey = (value: unknown): value is string => typeof value === 'string' && KEY.test(value)

/** Undefined for anything else than a report. */
export function asReport(message: unknown): Report | undefined {
  if (typeof message !== 'object' || message === null || !('say' in message)) return undefined
  const { say, key, sdp, why, isFull } = message as Record<string, unknown>
  if (say === 'ready') return { say }
  if (!isKey(key)) return undefined
  if (say === 'sdp' && isText(sdp)) return { say, key, sdp }
  if (say === 'gone' && isText(why)) return { say, key, why }
  if (say === 'refused' && isText(why)) return { say, key, why, isFull: isFull === true }
  return undefined
}

/** Undefined for anything else than an order. `setup` comes from our own config and is not looked into. */
export function asOrder(message: unknown): Order | undefined {
  if (typeof message !== 'object' || message === null || !('do' in message)) return undefined
  const order = message as Record<string, unknown>
  const { key, sdp, candidate, mid } = order
  if (order['do'] === 'setup') return isText(order['socketPath']) ? (message as Setup) : undefined
  if (order['do'] === 'end') return { do: 'end' }
  if (!isKey(key)) return undefined
  switch (order['do']) {
    case 'answer':
    case 'accept':
      return isText(sdp) ? { do: order['do'], key, sdp } : undefined
    case 'candidate':
      return isText(candidate) && isText(mid) ? { do: 'candidate', key, candidate, mid } : undefined
    case 'offer':
    case 'close':
      return { do: order['do'], key }
    default:
      return undefined
  }
}
