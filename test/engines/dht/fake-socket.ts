/** A socket without a network: a test hands datagrams in and reads what would have left. */
import type { DatagramSocket, OpenSocket, Sender } from '../../../src/engines/dht/udp-link.ts'

export interface SentDatagram {
  datagram: Uint8Array
  host: string
  port: number
}

export interface FakeSocket {
  open: OpenSocket
  sent: SentDatagram[]
  /** As if `datagram` had come from there. */
  inject(datagram: Uint8Array, host: string, port: number): void
  /** As if the kernel reported a failure. */
  fail(error: Error): void
  /** What the next sends throw or report. */
  sendFault: Error | undefined
}

export function createFakeSocket(): FakeSocket {
  const heard: ((datagram: Uint8Array, from: Sender) => void)[] = []
  const failed: ((error: Error) => void)[] = []
  const fake: FakeSocket = {
    sent: [],
    sendFault: undefined,
    inject(datagram, host, port) {
      for (const listener of heard) listener(datagram, { address: host, port })
    },
    fail(error) {
      for (const listener of failed) listener(error)
    },
    open: (): DatagramSocket => ({
      bind: (_port: number, _host: string, done: () => void) => queueMicrotask(done),
      address: () => ({ port: 6883 }),
      close: (done?: () => void) => done?.(),
      send(datagram, port, host, done) {
        if (fake.sendFault) throw fake.sendFault
        fake.sent.push({ datagram, host, port })
        done(null)
      },
      on(event: 'message' | 'error', listener: unknown) {
        if (event === 'message') heard.push(listener as (typeof heard)[number])
        else failed.push(listener as (typeof failed)[number])
      },
    }),
  }
  return fake
}
