/** The parts of bittorrent-tracker 11 that tests use; it brings no types. */
declare module 'bittorrent-tracker/server' {
  import type { EventEmitter } from 'node:events'
  import type { Server as HttpServer } from 'node:http'

  export default class Server extends EventEmitter {
    constructor(options: {
      http?: boolean
      udp?: boolean
      ws?: boolean
      stats?: boolean
      interval?: number
    })
    readonly http: HttpServer | null
    readonly torrents: Record<string, { complete: number; incomplete: number }>
    listen(port: number, host: string, done: () => void): void
    close(done: () => void): void
  }
}
