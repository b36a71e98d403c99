/**
 * A node of the DHT that takes every record (BEP 5, BEP 44) and says which it was given: what has left
 * the box before the plug was pulled counts, acknowledged or not.
 */
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import type * as Bencode from '../../../src/base/bencode.ts'
import { tell } from './box.ts'

const { decode, encode } = (await import(
  join(import.meta.dirname, '../dist/base/bencode.js')
)) as typeof Bencode

const ID = Buffer.alloc(20, 0x5a)
const hex = (bytes: unknown): string =>
  bytes instanceof Uint8Array ? Buffer.from(bytes).toString('hex') : ''

/** Prints `put KEY SEQ SHA1-OF-VALUE` for each record. */
export function startWitness(port: number): void {
  const socket = createSocket('udp4')
  socket.on('message', (datagram, from) => {
    let query: unknown
    try {
      query = decode(datagram)
    } catch {
      return
    }
    if (!(query instanceof Map)) return
    const args: unknown = query.get('a')
    if (!(args instanceof Map)) return
    if (Buffer.from((query.get('q') as Uint8Array | undefined) ?? '').toString() === 'put') {
      const value = createHash('sha1')
        .update(encode(args.get('v') as Uint8Array))
        .digest('hex')
      tell('put', hex(args.get('k')), String(args.get('seq')), value)
    }
    const answer = { id: ID, nodes: Buffer.alloc(0), token: Buffer.from('token') }
    const reply = encode({ t: query.get('t') as Uint8Array, y: 'r', r: answer })
    socket.send(reply, from.port, from.address)
  })
  socket.bind(port, '127.0.0.1')
}
