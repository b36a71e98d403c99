/** The part of bittorrent-dht that tests and benchmarks use; the package brings no types. */
declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events'

  export interface PutOptions {
    v: unknown
    k?: Buffer
    salt?: Buffer
    seq?: number
    cas?: number
    sign?: (message: Buffer) => Buffer
  }

  export interface Got {
    v: unknown
    k?: Buffer
    seq?: number
    sig?: Buffer
  }

  export interface Options {
    bootstrap?: string[] | false
    host?: string
    timeout?: number
    concurrency?: number
    /** A socket like dgram's, for k-rpc-socket. */
    socket?: unknown
    krpcSocket?: unknown
    verify?: (signature: Uint8Array, message: Uint8Array, key: Uint8Array) => boolean
  }

  export class Client extends EventEmitter {
    constructor(options?: Options)
    readonly nodes: { count(): number }
    listen(port: number, host: string, done: () => void): void
    address(): { address: string; port: number }
    addNode(node: { host: string; port: number }): void
    announce(infoHash: string, port: number, done: (error: Error | null) => void): void
    lookup(infoHash: string, done: (error: Error | null, peers: number) => void): () => void
    put(
      options: PutOptions,
      done: (error: Error | null, hash: Buffer, stored: number) => void,
    ): void
    get(
      hash: Buffer | string,
      options: { salt?: Buffer; cache?: boolean },
      done: (error: Error | null, found: Got | null) => void,
    ): void
    destroy(done: () => void): void
    on(event: 'peer', heard: (peer: { host: string; port: number }, infoHash: Buffer) => void): this
    on(event: 'error' | 'warning', heard: (error: Error) => void): this
    on(event: 'ready' | 'listening', heard: () => void): this
  }
}
