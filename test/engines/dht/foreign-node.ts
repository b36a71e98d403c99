/** bittorrent-dht as an independent node, in promises. */
import { sign, verify } from 'node:crypto'
import { Client, type Got, type Options } from 'bittorrent-dht'
import { toHex } from '../../../src/base/bytes.ts'
import { edPrivateKey, edPublicKey } from './keys.ts'
import { freshHost } from './network.ts'

export interface ForeignNode {
  client: Client
  host: string
  address: string
  put(value: unknown, more?: { seed?: Uint8Array; salt?: string; seq?: number }): Promise<string>
  get(target: string, salt?: string): Promise<Got | null>
  announce(infoHash: string, port: number): Promise<void>
  lookup(infoHash: string): Promise<{ host: string; port: number }[]>
  stop(): Promise<void>
}

export const foreignVerify = (
  signature: Uint8Array,
  message: Uint8Array,
  key: Uint8Array,
): boolean => {
  try {
    return verify(null, message, edPublicKey(key), signature)
  } catch {
    return false
  }
}

export async function startForeignNode(
  bootstrap: string[],
  options: Partial<Options> = {},
): Promise<ForeignNode> {
  const host = freshHost()
  const first = bootstrap.length > 0 ? bootstrap : (false as const)
  const client = new Client({ bootstrap: first, verify: foreignVerify, ...options })
  client.on('error', () => undefined)
  client.on('warning', () => undefined)
  const ready = new Promise<void>((done) => {
    client.on('ready', done)
  })
  await new Promise<void>((done) => {
    client.listen(0, host, done)
  })
  await ready
  return {
    client,
    host,
    address: `${host}:${client.address().port}`,
    async put(value, { seed, salt, seq } = {}) {
      const signed = seed && {
        k: Buffer.from(edPrivateKey(seed).raw),
        seq: seq ?? 1,
        sign: (message: Buffer) => sign(null, message, edPrivateKey(seed).key),
        ...(salt !== undefined && { salt: Buffer.from(salt) }),
      }
      return new Promise((done, fail) => {
        client.put({ v: value, ...signed }, (error, hash) => {
          if (error) fail(error)
          else done(toHex(hash))
        })
      })
    },
    async get(target, salt) {
      const more = { cache: false, ...(salt !== undefined && { salt: Buffer.from(salt) }) }
      return new Promise((done, fail) => {
        client.get(Buffer.from(target, 'hex'), more, (error, found) => {
          if (error) fail(error)
          else done(found)
        })
      })
    },
    async announce(infoHash, port) {
      return new Promise((done, fail) => {
        client.announce(infoHash, port, (error) => {
          if (error) fail(error)
          else done()
        })
      })
    },
    async lookup(infoHash) {
      const found: { host: string; port: number }[] = []
      client.on('peer', (peer, hash) => {
        if (toHex(hash) === infoHash) found.push(peer)
      })
      await new Promise<void>((done) => {
        client.lookup(infoHash, () => done())
      })
      return found
    },
    async stop() {
      await new Promise<void>((done) => {
        client.destroy(done)
      })
    },
  }
}
