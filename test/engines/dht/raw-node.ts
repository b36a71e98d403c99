/** A node that answers what a test tells it to: for rogues, and for watching what others send. */
import { createSocket } from 'node:dgram'
import { encode, encodeRawDict, type Encodable } from '../../../src/base/bencode.ts'
import { packPeer } from '../../../src/engines/dht/address.ts'
import { type Contact, decodeMessage, type Query } from '../../../src/engines/dht/krpc.ts'
import { freshHost } from './network.ts'

/** Entries of the reply's `r`; `raw` ones are bencoded already. */
export interface RawReply {
  fields?: Record<string, Encodable>
  raw?: Record<string, Uint8Array>
}

export interface RawNode {
  contact: Contact
  address: string
  /** Every query that came. */
  queries: Query[]
  send(datagram: Uint8Array, to: { host: string; port: number }): void
  stop: () => Promise<void>
}

/** @param reply undefined: stays silent */
export async function startRawNode(
  id: Uint8Array,
  reply: (query: Query, from: { host: string; port: number }) => RawReply | undefined,
): Promise<RawNode> {
  const socket = createSocket('udp4')
  const host = freshHost()
  const queries: Query[] = []
  await new Promise<void>((done) => {
    socket.bind(0, host, done)
  })
  const { port } = socket.address()
  socket.on('message', (datagram, from) => {
    const message = decodeMessage(Uint8Array.from(datagram))
    if (message?.kind !== 'query') return
    queries.push(message)
    const answer = reply(message, { host: from.address, port: from.port })
    if (!answer) return
    const body = new Map<string, Uint8Array>([['id', encode(id)]])
    for (const [key, value] of Object.entries(answer.fields ?? {})) body.set(key, encode(value))
    for (const [key, value] of Object.entries(answer.raw ?? {})) body.set(key, value)
    const top = new Map([
      ['t', encode(message.transaction)],
      ['y', encode('r')],
      ['r', encodeRawDict(body)],
    ])
    socket.send(encodeRawDict(top), from.port, from.address)
  })
  return {
    contact: { id, host, port },
    address: `${host}:${port}`,
    queries,
    send: (datagram, to) => socket.send(datagram, to.port, to.host),
    stop: async () =>
      new Promise((done) => {
        socket.close(done)
      }),
  }
}

export const packNodes = (nodes: readonly Contact[]): Uint8Array =>
  Buffer.concat(nodes.flatMap((node) => [node.id, packPeer(node)]))
