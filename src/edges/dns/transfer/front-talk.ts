/** Talk with a resolver that is in front of this one: which zone it holds, and that there is a newer one. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { randomInt } from 'node:crypto'
import { latin1 } from '../../../base/bytes.ts'
import { CLASS, FLAG, TYPE } from '../../../base/dns/codes.ts'
import { decodeMessage } from '../../../base/dns/decode-message.ts'
import { encodeMessage } from '../../../base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../../base/dns/message.ts'
import type { DnsName } from '../../../base/dns/name.ts'
import { printable } from '../../../base/errors.ts'
import { ipBytes, ipText } from '../../../base/ip-address.ts'
import { DnsBadFront } from '../errors.ts'
import { serialOf } from './stream.ts'

export interface Front {
  /** In the one spelling of the literal. */
  address: string
  port: number
}

/** What a front has of the zone. */
export interface Held {
  serial: number
  /** The first label of the SOA's primary: there we write what the zone says. */
  digest: string
}

const DNS_PORT = 53
const FORM = /^([^@]+)(?:@(\d{1,5}))?$/
const ANSWER_MS = 1000
/** RFC 1996 §3.3. */
const NOTIFY = 4 << 11

/** @throws DnsBadFront */
export function parseFront(text: string): Front {
  const [, address = '', digits] = FORM.exec(text.trim()) ?? []
  const bytes = ipBytes(address)
  const port = Number(digits ?? DNS_PORT)
  if (bytes === undefined || port < 1 || port > 65_535) {
    throw new DnsBadFront(printable(text), 'is no address@port')
  }
  return { address: ipText(bytes), port }
}

/** The answer to `message`; undefined where none comes in time, or nobody is there. */
async function exchange(
  { address, port }: Front,
  message: Omit<Message, 'id' | 'rcode' | 'authority' | 'additional'>,
  signal: AbortSignal,
): Promise<Message | undefined> {
  const id = randomInt(0x10000)
  const sections = { authority: [], additional: [] }
  const { bytes } = encodeMessage({ ...message, ...sections, id, rcode: 0 })
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const wait = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  try {
    // Connected: the kernel drops what comes from elsewhere, and says when nobody listens.
    socket.connect(port, address)
    await once(socket, 'connect', { signal: wait })
    const answer = once(socket, 'message', { signal: wait })
    socket.send(bytes)
    const [packet] = (await answer) as [Buffer]
    const decoded = decodeMessage(packet)
    return decoded.ok && decoded.message.id === id ? decoded.message : undefined
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

const question = (zone: DnsName) => [{ name: zone, type: TYPE.SOA, class: CLASS.IN }]

/** What the front has; undefined where it does not say, or would only ask us. */
export async function askHeld(
  front: Front,
  zone: DnsName,
  signal: AbortSignal,
): Promise<Held | undefined> {
  const message = { flags: FLAG.RD, questions: question(zone), answers: [] }
  const answer = await exchange(front, message, signal)
  const soa = answer?.answers.find(({ type }) => type === TYPE.SOA)
  if (answer === undefined || soa === undefined || (answer.flags & FLAG.AA) === 0) return undefined
  const [length = 0] = soa.data
  return { serial: serialOf(soa.data), digest: latin1(soa.data.subarray(1, 1 + length)) }
}

/** Whether the front heard that the zone changed (RFC 1996); what it does about it is its own affair. */
export async function notify(
  front: Front,
  soa: ResourceRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const message = { flags: NOTIFY | FLAG.AA, questions: question(soa.name), answers: [soa] }
  return (await exchange(front, message, signal)) !== undefined
}
