/** A folder as one file: `?format=zip` and `?format=tar`, streamed, with its length known before. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { tarEnd, tarHeader, tarLength, tarPadding } from '../../base/tar.ts'
import type { TorrentFile } from '../../base/metainfo/metainfo.ts'
import { contentDisposition, createSink, precondition, type Sink } from '../http/index.ts'
import type { Content } from './content.ts'
import { cacheControl, siteHeaders } from './content-headers.ts'
import { NotCached, NotFound } from './errors.ts'
import { answer, type Exchange, writeHead } from './exchange.ts'
import { formatPath, parsePath } from './path.ts'
import type { SiteView } from './site-view.ts'
import { find, walk } from './tree.ts'
import {
  type ArchiveEntry,
  type WrittenEntry,
  zipDescriptor,
  zipEnd,
  zipLength,
  zipLocalHeader,
} from './zip.ts'

export type ArchiveFormat = 'tar' | 'zip'
export type ServeArchive = (
  exchange: Exchange,
  view: SiteView,
  format: ArchiveFormat,
) => Promise<void>

interface FileEntry extends ArchiveEntry {
  file: TorrentFile
}

const TYPES: Record<ArchiveFormat, string> = { tar: 'application/x-tar', zip: 'application/zip' }

/** Everything under the path, in a folder with the name of the torrent or of the folder asked. */
function entriesOf(exchange: Exchange, view: SiteView): { title: string; entries: FileEntry[] } {
  const { segments } = parsePath(exchange.target.path)
  const { file, folder } = find(view.prepared.tree, segments)
  const title = (segments.at(-1) ?? view.torrent.metainfo.name) || 'site'
  if (folder) {
    const entries = [...walk(folder, [title])].map((found) => ({
      file: found.file,
      name: found.path.join('/'),
      length: found.file.length,
    }))
    return { title, entries }
  }
  if (!file) throw new NotFound(exchange.target.path)
  return { title, entries: [{ file, name: title, length: file.length }] }
}

export function createServeArchive(content: Content): ServeArchive {
  async function writeFile(
    exchange: Exchange,
    view: SiteView,
    file: TorrentFile,
    to: { sink: Sink; observe?: (chunk: Uint8Array) => void },
  ): Promise<void> {
    const whole = { start: 0, end: file.length }
    const reading = await content.open(view, file, whole, exchange.signal())
    try {
      await reading.to(to.sink, to.observe)
    } finally {
      await reading.close()
    }
  }

  async function writeTar(exchange: Exchange, view: SiteView, entries: FileEntry[], sink: Sink) {
    for (const entry of entries) {
      await sink.write(tarHeader(entry))
      await writeFile(exchange, view, entry.file, { sink })
      const padding = tarPadding(entry.length)
      if (padding.length > 0) await sink.write(padding)
    }
    await sink.write(tarEnd())
  }

  async function writeZip(exchange: Exchange, view: SiteView, entries: FileEntry[], sink: Sink) {
    const written: WrittenEntry[] = []
    let offset = 0
    for (const { name, length, file } of entries) {
      const header = zipLocalHeader({ name, length })
      await sink.write(header)
      let crc = 0
      const observe = (chunk: Uint8Array) => {
        crc = crc32(chunk, crc)
      }
      await writeFile(exchange, view, file, { sink, observe })
      const descriptor = zipDescriptor(length, crc)
      await sink.write(descriptor)
      written.push({ name, length, crc, offset })
      offset += header.length + length + descriptor.length
    }
    await sink.write(zipEnd(written, offset))
  }

  return async (exchange, view, format) => {
    const { title, entries } = entriesOf(exchange, view)
    const path = parsePath(exchange.target.path)
    const sum = createHash('sha1').update(formatPath(path.segments)).digest('hex')
    const etag = `"${view.infoHash}.${format}.${sum}"`
    const headers = siteHeaders(exchange, view, path.segments, path.isFolder)
    headers.push('ETag', etag, 'Cache-Control', cacheControl(exchange.isMutable))
    if (precondition(exchange.req.headers, { etag }) === 'not-modified') {
      answer(exchange, 304, headers)
      return
    }
    if (exchange.onlyIfCached && !entries.every(({ file }) => content.isLocal(view, file))) {
      throw new NotCached()
    }
    const length = format === 'tar' ? tarLength(entries) : zipLength(entries)
    headers.push('Content-Type', TYPES[format], 'Content-Length', String(length))
    headers.push('Content-Disposition', contentDisposition('attachment', `${title}.${format}`))
    if (exchange.isHead) {
      writeHead(exchange, 200, headers)
      exchange.res.end()
      return
    }
    // The first file must be on its way before a 200 is promised.
    const [first] = entries
    if (first) {
      const probe = { start: 0, end: Math.min(1, first.length) }
      await content.bytes(view, first.file, probe, exchange.signal())
    }
    const sink = createSink(exchange.res)
    writeHead(exchange, 200, headers)
    try {
      await (format === 'tar' ? writeTar : writeZip)(exchange, view, entries, sink)
      sink.end()
    } catch (error) {
      sink.cut()
      throw error
    }
  }
}
