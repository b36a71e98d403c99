/** Who in the house has a name of .local: a one-shot question (RFC 6762 §5.1). */
import { createSocket } from 'node:dgram'
import { CLASS, TYPE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import { nameOfText } from '../../base/dns/name.ts'
import { readAddress } from '../../base/dns/record-data.ts'

const GROUP = '224.0.0.251'
const PORT = 5353
const MAX_ADDRESSES = 16

/** IPv4 addresses that anybody gives for it within `waitMs`. */
export function askMdns(text: string, waitMs: number, signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>()
  const name = nameOfText(text)
  if (name === undefined) return Promise.resolve(found)
  const { bytes } = encodeMessage({
    id: 0,
    flags: 0,
    rcode: 0,
    questions: [{ name, type: TYPE.A, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
  })
  return new Promise((resolve) => {
    // From a port of our own the answers come to us alone (§6.7).
    const socket = createSocket('udp4')
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      socket.close()
      resolve(found)
    }
    const timer = setTimeout(end, waitMs)
    signal.addEventListener('abort', end, { once: true })
    socket.on('error', end)
    socket.on('message', (packet) => {
      const decoded = decodeResponse(packet)
      if (!decoded.ok) return
      for (const { type, data } of decoded.message.answers) {
        if (type === TYPE.A && found.size < MAX_ADDRESSES) found.add(readAddress(data))
      }
    })
    socket.send(bytes, PORT, GROUP, () => undefined)
  })
}
