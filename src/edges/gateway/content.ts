/** Bytes of torrent files: from memory, from disk, or from the swarm as they arrive. */
import type { InfoHash } from '../../base/hashes.ts'
import type { TorrentFile } from '../../base/metainfo/metainfo.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Library } from '../../base/ports/content.ts'
import type { ByteRange } from '../../base/ports/torrent-engine.ts'
import type { Sink } from '../http/index.ts'
import { createByteCache, type ByteCache } from './byte-cache.ts'
import { within } from './deadline.ts'
import { ShortFile, Timeout } from './errors.ts'
import { createBufferPool, createOpenFiles, readAt } from './open-files.ts'
import type { SiteView } from './site-view.ts'

/** A range whose first bytes can be read. */
export interface Reading {
  /** Writes all of it in order. @param observe sees every chunk first */
  to(sink: Sink, observe?: (chunk: Uint8Array) => void): Promise<void>
  /** Gives up what was not read. */
  close(): Promise<void>
}

export interface Content {
  /** Bytes that are in memory, verified. */
  cached(infoHash: InfoHash, fileIndex: number): Buffer | undefined
  isLocal(view: SiteView, file: TorrentFile, range?: ByteRange): boolean
  /** Waits for the first bytes. @throws Timeout (504) after `wait_timeout` */
  open(view: SiteView, file: TorrentFile, range: ByteRange, signal: AbortSignal): Promise<Reading>
  /** The bytes of a small range; a whole file of at most `SMALL_FILE_BYTES` is kept in memory. */
  bytes(view: SiteView, file: TorrentFile, range: ByteRange, signal: AbortSignal): Promise<Buffer>
  memory: ByteCache
  /** Lets go of files and buffers that nobody uses; called now and then. */
  sweep(): void
  close(): Promise<void>
}

/** Files up to here are held in memory when they are asked. */
export const SMALL_FILE_BYTES = 64 * 1024
// Each read is a hop to another thread: with 128 KiB a fast client gets little more than half, and
// beyond 512 KiB nothing is gained (bench/gateway.ts).
const READ_BYTES = 512 * 1024
const POOLED_BUFFERS = 96
const IDLE_BUFFERS = 8
// A client that takes longer for a buffer gets small ones: many slow players must not hold much memory.
const SLOW_WRITE_MS = 50
const SLOW_READ_BYTES = 64 * 1024

const wholeOf = (file: TorrentFile): ByteRange => ({ start: 0, end: file.length })

export function createContent(
  deps: { library: Library; clock: Clock },
  options: { waitTimeoutMs: number; memoryBytes: number },
): Content {
  const { library, clock } = deps
  const pool = createBufferPool(READ_BYTES, POOLED_BUFFERS)
  const files = createOpenFiles(clock)
  const memory = createByteCache(options.memoryBytes)
  const seconds = options.waitTimeoutMs / 1000

  const isLocal = (view: SiteView, file: TorrentFile, range?: ByteRange): boolean =>
    file.length === 0 || library.isLocal(view.infoHash, file.index, range)

  /** Ranges as they become readable; each wait has its deadline. */
  async function* arriving(
    view: SiteView,
    file: TorrentFile,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<ByteRange> {
    if (range.end <= range.start) return
    if (isLocal(view, file, range)) {
      yield range
      return
    }
    const controller = new AbortController()
    const give = () => controller.abort(signal.reason)
    signal.addEventListener('abort', give, { once: true })
    const arrivals = library.available(view.infoHash, file.index, range, controller.signal)
    const ranges = arrivals[Symbol.asyncIterator]()
    const late = () => new Timeout('the next bytes of this file', seconds)
    try {
      for (;;) {
        const wait = { ms: options.waitTimeoutMs, signal, late }
        const next = await within(wait, async () => ranges.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      signal.removeEventListener('abort', give)
      controller.abort()
    }
  }

  /** Reads ahead while the bytes before are being written. */
  async function copy(
    fd: number,
    range: ByteRange,
    sink: Sink,
    observe?: (chunk: Uint8Array) => void,
  ): Promise<void> {
    let writing: Promise<void> | undefined
    let isSlow = false
    try {
      for (let at = range.start; at < range.end; ) {
        const buffer = isSlow ? Buffer.allocUnsafeSlow(SLOW_READ_BYTES) : pool.take()
        const wanted = buffer.subarray(0, Math.min(buffer.length, range.end - at))
        const count = await readAt(fd, wanted, at)
        if (count === 0) throw new ShortFile(at)
        await writing
        const chunk = wanted.subarray(0, count)
        observe?.(chunk)
        const startedAt = clock.now()
        writing = sink.write(chunk).then(() => {
          pool.give(buffer)
          isSlow = clock.now() - startedAt > SLOW_WRITE_MS
        })
        // Whoever awaits it next sees the failure; until then it must not count as unhandled.
        writing.catch(() => undefined)
        at += count
      }
    } finally {
      await writing
    }
  }

  async function open(
    view: SiteView,
    file: TorrentFile,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<Reading> {
    const ranges = arriving(view, file, range, signal)
    const path = view.torrent.filePath(file.index)
    let next = await ranges.next()
    return {
      async to(sink, observe) {
        for (; next.done !== true; next = await ranges.next()) {
          const part = next.value
          await files.use(path, async (fd) => copy(fd, part, sink, observe))
        }
      },
      async close() {
        await ranges.return(undefined)
      },
    }
  }

  async function bytes(
    view: SiteView,
    file: TorrentFile,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const { infoHash } = view
    const known = memory.get(infoHash, file.index)
    if (known) return known.subarray(range.start, range.end)
    const out = Buffer.allocUnsafeSlow(range.end - range.start)
    const path = view.torrent.filePath(file.index)
    for await (const part of arriving(view, file, range, signal)) {
      await files.use(path, async (fd) => {
        for (let at = part.start; at < part.end; ) {
          const target = out.subarray(at - range.start, part.end - range.start)
          const count = await readAt(fd, target, at)
          if (count === 0) throw new ShortFile(at)
          at += count
        }
      })
    }
    const whole = wholeOf(file)
    if (range.start === whole.start && range.end === whole.end && out.length <= SMALL_FILE_BYTES) {
      memory.set(infoHash, file.index, out)
    }
    return out
  }

  return {
    cached: (infoHash, fileIndex) => memory.get(infoHash, fileIndex),
    isLocal,
    open,
    bytes,
    memory,
    sweep() {
      files.sweep()
      pool.trim(IDLE_BUFFERS)
    },
    async close() {
      await files.closeAll()
      memory.clear()
      pool.trim(0)
    },
  }
}
