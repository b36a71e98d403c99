/** The client of bittorrent-tracker 11, as far as tests use it. */
declare module 'bittorrent-tracker' {
  import type { EventEmitter } from 'node:events'
  import type { Agent } from 'node:https'

  export interface Answer {
    infoHash: string
    interval: number
    complete: number
    incomplete: number
  }

  interface Events {
    update: [Answer]
    scrape: [Answer]
    warning: [Error]
    error: [Error]
  }

  export class Client extends EventEmitter<Events> {
    constructor(options: {
      infoHash: string
      peerId: Uint8Array
      announce: string[]
      port: number
      getAnnounceOpts?: () => object
      proxyOpts?: { httpsAgent?: Agent }
    })
    start(): void
    complete(): void
    scrape(): void
    stop(): void
    destroy(): void
  }
}
