/** The Unix socket at which the child hands over data channels: a connection each, named by a secret. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, isIP, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerAddress } from '../../base/ports/dht-node.ts'

export interface ChannelDoor {
  /** Path of the socket; it listens from here on. */
  open(): Promise<string>
  /** Lets one connection in that shows `key`. */
  expect(key: string): void
  forget(key: string): void
  close(): Promise<void>
  /** Connections that showed nothing, or nothing we know. */
  refused(): number
}

/** @param greetingBytes what of `stream.bytesRead` was not the far side's */
type Take = (
  key: string,
  stream: Socket,
  address: PeerAddress | undefined,
  greetingBytes: number,
) => void

// Linux: sun_path has 108 bytes, the last one 0; Node cuts a longer one off without a word.
const MAX_SOCKET_PATH = 107
const NAME = 'webrtc.sock'
// A key of 64 digits, the longest IPv6 address, a port.
const MAX_GREETING = 64 + 1 + 45 + 1 + 5 + 1
const GREETING_MS = 5000
const GREETING = /^([0-9a-f]{64})(?: ([0-9a-fA-F:.]{2,45}) (\d{1,5}))?$/
const NEWLINE = 0x0a
// Those that have not shown their key yet come on top.
const MAX_STRANGERS = 16

function addressOf(host: string | undefined, digits: string | undefined): PeerAddress | undefined {
  const port = Number(digits)
  if (host === undefined || isIP(host) === 0 || port < 1 || port > 65_535) return undefined
  return { host, port }
}

/**
 * @param runDir folder for the socket, unless the path gets too long
 * @param maxChannels connections at a time
 */
export function createChannelDoor(
  runDir: string,
  maxChannels: number,
  take: Take,
  greetingMs = GREETING_MS,
): ChannelDoor {
  const expected = new Set<string>()
  const strangers = new Set<Socket>()
  let server: Server | undefined
  let ownFolder: string | undefined
  let opening: Promise<string> | undefined
  let refused = 0

  function admit(socket: Socket): void {
    strangers.add(socket)
    let head = Buffer.alloc(0)
    // Strangers never keep the process alive, and known ones are closed by the room.
    const late = setTimeout(refuse, greetingMs).unref()

    function leave(): void {
      clearTimeout(late)
      strangers.delete(socket)
      socket.off('readable', onReadable)
    }
    function refuse(): void {
      if (strangers.has(socket)) refused += 1
      leave()
      socket.destroy()
    }
    // Not 'data': a stream that flowed once, and was paused, does not flow for its next owner.
    function onReadable(): void {
      const part = socket.read() as Buffer | null
      if (part === null) return
      head = Buffer.concat([head, part])
      const end = head.indexOf(NEWLINE)
      if (end < 0 && head.length <= MAX_GREETING) return
      const [, key, host, port] = GREETING.exec(head.toString('latin1', 0, Math.max(end, 0))) ?? []
      if (key === undefined || !expected.delete(key)) {
        refuse()
        return
      }
      leave()
      socket.off('close', refuse)
      if (end + 1 < head.length) socket.unshift(head.subarray(end + 1))
      take(key, socket, addressOf(host, port), end + 1)
    }
    // Whatever goes wrong with it closes it, and that is what its owner looks at.
    socket.on('error', () => undefined)
    socket.on('readable', onReadable)
    socket.once('close', refuse)
  }

  async function pathFor(): Promise<string> {
    const near = join(runDir, NAME)
    if (Buffer.byteLength(near) <= MAX_SOCKET_PATH) return near
    ownFolder = await mkdtemp(join(tmpdir(), 'btl-webrtc-'))
    return join(ownFolder, NAME)
  }

  async function listen(): Promise<string> {
    const path = await pathFor()
    // Left by a daemon that was killed: nobody else uses the name.
    await rm(path, { force: true })
    const opened = createServer(admit)
    opened.maxConnections = maxChannels + MAX_STRANGERS
    await new Promise<void>((listening, failed) => {
      opened.once('error', failed)
      opened.listen(path, listening)
    })
    // Running out of descriptors must not end the swarm role.
    opened.on('error', () => undefined)
    server = opened
    await chmod(path, 0o600)
    return path
  }

  return {
    async open() {
      opening ??= listen().catch((error: unknown) => {
        opening = undefined
        throw error
      })
      return opening
    },
    expect: (key) => void expected.add(key),
    forget: (key) => void expected.delete(key),
    async close() {
      // Who stops while it opens would leave it open for good.
      await opening?.catch(() => undefined)
      opening = undefined
      const closing = server
      server = undefined
      expected.clear()
      for (const socket of strangers) socket.destroy()
      if (closing) {
        // Waits for channels that are still open: the room ended them before.
        await new Promise<void>((closed) => closing.close(() => closed()))
      }
      if (ownFolder !== undefined) await rm(ownFolder, { recursive: true, force: true })
      ownFolder = undefined
    },
    refused: () => refused,
  }
}
