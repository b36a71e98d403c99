/** Keeps the peer port open at the household's router, where the owner wants that: nothing is sent otherwise. */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/ports/log.ts'
import {
  decodeNatPmp,
  decodePcp,
  encodeNatPmp,
  encodePcp,
  gatewayOf,
  type MappingReply,
  NONCE_BYTES,
} from './port-mapping-codec.ts'

// RFC 6886 and RFC 6887: routers listen here.
const PORT = 5351
// RFC 6886 section 3.3: two hours are recommended, renewed at half of it.
const LIFETIME_SECONDS = 7200
const MIN_RENEW_MS = 60_000
const RETRY_MS = 5 * 60_000
// RFC 6886 section 3.1: 250 ms, doubled each time; a router of the house answers the first or never.
const TRIES_MS = [250, 500, 1000]

export interface PortMapping {
  /** Asks now and again until `stop`. */
  start(internalPort: number): void
  /** The port by which peers outside reach us; 0 where nobody said. */
  externalPort(): number
  stop(): Promise<void>
}

export interface PortMappingDeps {
  log: Log
  gateway?: () => Promise<string | undefined>
  port?: number
}

const defaultGateway = async (): Promise<string | undefined> =>
  gatewayOf(await readFile('/proc/net/route', 'latin1').catch(() => ''))

type Exchange = { packet: Uint8Array; decode: (bytes: Uint8Array) => MappingReply | undefined }

export function createPortMapping(deps: PortMappingDeps): PortMapping {
  const { log, gateway = defaultGateway, port = PORT } = deps
  const nonce = randomBytes(NONCE_BYTES)
  let stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let external = 0

  async function ask(
    socket: Socket,
    { packet, decode }: Exchange,
    signal: AbortSignal,
  ): Promise<MappingReply | undefined> {
    const { promise, resolve } = Promise.withResolvers<MappingReply>()
    const onMessage = (bytes: Uint8Array) => {
      const reply = decode(bytes)
      if (reply) resolve(reply)
    }
    socket.on('message', onMessage)
    try {
      for (const waitMs of TRIES_MS) {
        socket.send(packet, () => {})
        const reply = await Promise.race([
          promise,
          sleep(waitMs, undefined, { signal, ref: false }),
        ])
        if (reply) return reply
      }
      return undefined
    } finally {
      socket.removeListener('message', onMessage)
    }
  }

  /** PCP where the router knows it, else NAT-PMP. @throws where neither answers */
  async function map(internalPort: number, lifetimeSeconds: number, signal: AbortSignal) {
    const router = await gateway()
    if (router === undefined) throw new Error('there is no default route')
    const socket = createSocket('udp4')
    // A router that does not listen is heard of as a fault of the socket.
    socket.on('error', () => {})
    try {
      socket.connect(port, router)
      await once(socket, 'connect', { signal })
      const wish = { internalPort, externalPort: external || internalPort, lifetimeSeconds }
      const exchanges: Exchange[] = [
        {
          packet: encodePcp(wish, socket.address().address, nonce),
          decode: (bytes) => decodePcp(bytes, nonce),
        },
        { packet: encodeNatPmp(wish), decode: decodeNatPmp },
      ]
      for (const exchange of exchanges) {
        const reply = await ask(socket, exchange, signal)
        const isMapped = reply?.result === 0 && reply.internalPort === internalPort
        if (isMapped && (reply.externalPort > 0 || lifetimeSeconds === 0)) return reply
      }
      throw new Error(`the router ${router} maps no port`)
    } finally {
      socket.close()
    }
  }

  async function keep(internalPort: number, signal: AbortSignal): Promise<void> {
    let told = false
    while (!signal.aborted) {
      let wait = RETRY_MS
      try {
        const reply = await map(internalPort, LIFETIME_SECONDS, signal)
        if (external !== reply.externalPort)
          log.info(
            { internalPort, externalPort: reply.externalPort },
            'the router maps the peer port',
          )
        external = reply.externalPort
        wait = Math.max((reply.lifetimeSeconds * 1000) / 2, MIN_RENEW_MS)
      } catch (error) {
        if (signal.aborted) return
        external = 0
        if (!told) log.info({ reason: messageOf(error) }, 'the peer port could not be mapped')
        told = true
      }
      await sleep(wait, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  return {
    start(internalPort) {
      stopping = new AbortController()
      running = keep(internalPort, stopping.signal).then(async () => {
        if (external === 0) return
        external = 0
        await map(internalPort, 0, AbortSignal.timeout(1000)).catch(() => {})
      })
    },
    externalPort: () => external,
    async stop() {
      stopping.abort()
      await running
    },
  }
}
