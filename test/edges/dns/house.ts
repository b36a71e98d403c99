/** A resolver on loopback with a fake upstream, and clients that ask it. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { CLASS, FLAG } from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import { ourEdns } from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { EdnsOption, Message } from '../../../src/base/dns/message.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createLinks } from '../../../src/services/links/index.ts'
import { createDns, type Dns, type DnsConfig, type DnsDeps } from '../../../src/edges/dns/index.ts'
import { createFakeUpstream, type FakeUpstream, type Script } from '../../fakes/dns-upstream.ts'
import { run } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { DIG } from '../../support/dns-servers.ts'
import { named } from '../../support/dns-zone.ts'

export const dnsConfig = (changes: Partial<DnsConfig> = {}): DnsConfig => ({
  enabled: true,
  port: 0,
  listen: ['127.0.0.1'],
  allow: [],
  max_rate: 100_000,
  burst: 100_000,
  cache_size: 4 * 1024 * 1024,
  max_ttl: 86_400_000,
  stale_for: 86_400_000,
  discard_after: 1900,
  records: [],
  link_records: [],
  link_check: false,
  intercept_links: false,
  local_domains: ['lan', 'home.arpa', 'internal'],
  wpad: false,
  canaries: true,
  block_private: true,
  allow_private: [],
  max_connections: 100,
  max_connections_per_client: 20,
  idle_timeout: 10_000,
  front: [],
  house_addresses: ['auto'],
  hostname: '',
  ...changes,
})

export interface House {
  dns: Dns
  upstream: FakeUpstream
  port: number
  /** Moves the resolver's clock, in ms. */
  pass(ms: number): void
}

export async function startHouse(
  t: Cleanup,
  config: Partial<DnsConfig> = {},
  { script, ...deps }: Partial<DnsDeps> & { script?: Script } = {},
): Promise<House> {
  // The tests' zone is under .test, which the standards keep from the internet: it has servers of its own.
  const upstream = createFakeUpstream(script)
  await upstream.start(new AbortController().signal)
  let skipped = 0
  const now = () => performance.now() + skipped
  const whole = dnsConfig(config)
  const links =
    deps.links ??
    createLinks(
      { upstream, clock: { now }, log: silentLog },
      { ...whole, tld: 'btlink', allow_local: false },
    )
  const dns = createDns(
    {
      log: silentLog,
      upstream,
      tld: 'btlink',
      routed: ['example.test'],
      now,
      ...deps,
      links,
    },
    whole,
  )
  finallyDo(t, async () => dns.stop())
  await dns.start(new AbortController().signal)
  return {
    dns,
    upstream,
    port: dns.listening()[0]?.port ?? 0,
    pass: (ms) => void (skipped += ms),
  }
}

export interface AskOptions {
  flags?: number
  /** Without: no EDNS. */
  payloadBytes?: number
  dnssecOk?: boolean
  options?: EdnsOption[]
  class?: number
  id?: number
}

export function queryFor(name: string, type: number, options: AskOptions = {}): Uint8Array {
  const message: Message = {
    id: options.id ?? 0x1234,
    flags: options.flags ?? FLAG.RD,
    rcode: 0,
    questions: [{ name: named(name), type, class: options.class ?? CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
  }
  if (options.payloadBytes !== undefined) {
    const edns = ourEdns(options.options ?? [], options.dnssecOk ?? false)
    message.edns = { ...edns, payloadBytes: options.payloadBytes }
  }
  return encodeMessage(message).bytes
}

/** What comes back over UDP within the time; undefined for nothing. */
export async function exchange(
  port: number,
  packet: Uint8Array,
  { timeoutMs = 3000, host = '127.0.0.1' } = {},
): Promise<Buffer | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    const reply = once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) })
    socket.send(packet, port, host)
    const [bytes] = (await reply.catch(() => [undefined])) as [Buffer | undefined]
    return bytes
  } finally {
    socket.close()
  }
}

export function read(bytes: Uint8Array | undefined): Message {
  assert.ok(bytes, 'no answer came')
  const decoded = decodeMessage(bytes)
  assert.ok(decoded.ok, JSON.stringify(decoded))
  return decoded.message
}

export const ask = async (
  { port }: { port: number },
  name: string,
  type: number,
  options: AskOptions = {},
): Promise<Message> => read(await exchange(port, queryFor(name, type, options)))

export const dig = async (port: number, ...args: string[]): Promise<string> =>
  (await run(DIG, ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=3', ...args])).stdout

export interface TcpClient {
  socket: Socket
  send(packet: Uint8Array): void
  /** The next whole message. */
  next(timeoutMs?: number): Promise<Message | undefined>
  readonly closed: Promise<void>
}

export async function connectTcp(
  t: Cleanup,
  port: number,
  localAddress?: string,
): Promise<TcpClient> {
  const socket = connect({ host: '127.0.0.1', port, ...(localAddress && { localAddress }) })
  finallyDo(t, () => void socket.destroy())
  socket.on('error', () => undefined)
  const closed = new Promise<void>((done) => void socket.once('close', () => done()))
  const messages: Message[] = []
  let wake = () => {}
  let held = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0)
      messages.push(read(held.subarray(2, end)))
      held = held.subarray(end)
    }
    wake()
  })
  await once(socket, 'connect')
  return {
    socket,
    closed,
    send(packet) {
      socket.write(Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet]))
    },
    async next(timeoutMs = 3000) {
      const deadline = AbortSignal.timeout(timeoutMs)
      while (messages.length === 0 && !deadline.aborted && !socket.destroyed) {
        await new Promise<void>((done) => {
          wake = done
          deadline.addEventListener('abort', () => done(), { once: true })
          socket.once('close', () => done())
        })
      }
      return messages.shift()
    },
  }
}
