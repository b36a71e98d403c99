/** One question over UDP, as a device asks it. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { CLASS, FLAG, TYPE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { ourEdns } from '../../base/dns/edns.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import type { Message } from '../../base/dns/message.ts'
import { nameOfText } from '../../base/dns/name.ts'
import { readAddress } from '../../base/dns/record-data.ts'

export interface DnsServer {
  address: string
  port: number
}

const TRIES = 2
const TRY_MS = 1000

function queryOf(text: string, type: number, dnssec: boolean): { id: number; bytes: Uint8Array } {
  const name = nameOfText(text)
  if (name === undefined) throw new TypeError(`"${text}" is no name`)
  const id = randomInt(0x10000)
  const { bytes } = encodeMessage({
    id,
    flags: FLAG.RD | (dnssec ? FLAG.CD : 0),
    rcode: 0,
    questions: [{ name, type, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
    edns: ourEdns([], dnssec),
  })
  return { id, bytes }
}

/** Undefined where nobody answered in time; what is said by a stranger is not heard. */
export function askDns(
  server: DnsServer,
  name: string,
  { type = TYPE.A, dnssec = false }: { type?: number; dnssec?: boolean },
  signal: AbortSignal,
): Promise<Message | undefined> {
  const { id, bytes } = queryOf(name, type, dnssec)
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    let tries = 0
    let isOver = false
    const end = (message?: Message): void => {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      signal.removeEventListener('abort', onAbort)
      socket.close()
      resolve(message)
    }
    const onAbort = (): void => end()
    const send = (): void => {
      if (++tries > TRIES) end()
      else socket.send(bytes, () => undefined)
    }
    const timer = setInterval(send, TRY_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', () => end())
    socket.on('message', (packet) => {
      const decoded = decodeResponse(packet)
      if (decoded.ok && decoded.message.id === id) end(decoded.message)
    })
    // A connected socket hears nobody else, and is told of a closed port.
    socket.connect(server.port, server.address, (error?: Error) => {
      // Where there is no way there.
      if (error) end()
      else send()
    })
  })
}

export const addressesIn = (message: Message): string[] =>
  message.answers.filter(({ type }) => type === TYPE.A).map(({ data }) => readAddress(data))
