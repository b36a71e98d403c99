/** A file of a torrent as the best static server would give it: types, conditionals, ranges, streaming. */
import { randomBytes } from 'node:crypto'
import type { TorrentFile } from '../../base/metainfo/metainfo.ts'
import type { ByteRange } from '../../base/ports/torrent-engine.ts'
import {
  contentDisposition,
  contentRange,
  createSink,
  parseRange,
  precondition,
  rangeApplies,
  SNIFF_BYTES,
  sniffType,
  type Span,
  UNKNOWN_TYPE,
  type Validators,
} from '../http/index.ts'
import { SMALL_FILE_BYTES, type Content } from './content.ts'
import {
  cacheControl,
  declaredType,
  fileName,
  lastModifiedMs,
  siteHeaders,
  wantsDownload,
} from './content-headers.ts'
import { BadRange, NotCached, PreconditionFailed } from './errors.ts'
import { answer, answerError, type Exchange, writeHead } from './exchange.ts'
import type { ReadyAnswers } from './ready-answers.ts'
import type { SiteView } from './site-view.ts'

export interface FileAnswer {
  view: SiteView
  file: TorrentFile
  /** 200, or what `_redirects` and `404.html` make of it. */
  statusCode: number
}

export type ServeFile = (exchange: Exchange, what: FileAnswer) => Promise<void>

const SEPARATOR_BYTES = 12

/** Strong: the infohash fixes every byte of the file. */
export const fileEtag = (view: SiteView, file: TorrentFile): string =>
  `"${view.infoHash}.${file.index}"`

export function createServeFile(content: Content, ready: ReadyAnswers): ServeFile {
  async function typeOf(exchange: Exchange, view: SiteView, file: TorrentFile): Promise<string> {
    const declared = declaredType(exchange, file)
    if (declared !== undefined) return declared
    const known = view.prepared.sniffed.get(file.index)
    if (known !== undefined) return known
    const head = { start: 0, end: Math.min(SNIFF_BYTES, file.length) }
    const { headers, method } = exchange.req
    // A reader of the middle, or of the headers, must not wait for a beginning that nobody has yet.
    const mayWait = method === 'GET' && headers.range === undefined
    if (!mayWait && !content.isLocal(view, file, head)) return UNKNOWN_TYPE
    checkLocal(exchange, view, file, head)
    const type = sniffType(await content.bytes(view, file, head, exchange.signal()))
    view.prepared.sniffed.set(file.index, type)
    return type
  }

  function checkLocal(exchange: Exchange, view: SiteView, file: TorrentFile, range: ByteRange) {
    if (exchange.onlyIfCached && !content.isLocal(view, file, range)) throw new NotCached()
  }

  async function stream(
    exchange: Exchange,
    what: FileAnswer,
    span: Span,
    head: { statusCode: number; headers: string[] },
  ): Promise<void> {
    const { view, file } = what
    const { res } = exchange
    const reading = await content.open(view, file, span, exchange.signal())
    const sink = createSink(res)
    try {
      writeHead(exchange, head.statusCode, head.headers)
      await reading.to(sink)
      sink.end()
    } catch (error) {
      // The length is promised already: only a broken connection says that this is not all.
      sink.cut()
      throw error
    } finally {
      await reading.close()
    }
  }

  async function serveWhole(exchange: Exchange, what: FileAnswer, headers: string[]) {
    const { view, file, statusCode } = what
    const whole = { start: 0, end: file.length }
    if (file.length <= SMALL_FILE_BYTES) {
      const body = await content.bytes(view, file, whole, exchange.signal())
      answer(exchange, statusCode, headers, body)
      if (statusCode === 200) {
        ready.keep(exchange.req, { view, fileIndex: file.index, headers })
      }
      return
    }
    headers.push('Content-Length', String(file.length))
    await stream(exchange, what, whole, { statusCode, headers })
  }

  async function serveSpan(exchange: Exchange, what: FileAnswer, span: Span, headers: string[]) {
    const { view, file } = what
    headers.push('Content-Range', contentRange(span, file.length))
    if (span.end - span.start <= SMALL_FILE_BYTES) {
      answer(exchange, 206, headers, await content.bytes(view, file, span, exchange.signal()))
      return
    }
    headers.push('Content-Length', String(span.end - span.start))
    await stream(exchange, what, span, { statusCode: 206, headers })
  }

  /** `multipart/byteranges` (RFC 9110 §14.6), in the order asked. */
  async function serveSpans(
    exchange: Exchange,
    what: FileAnswer,
    spans: Span[],
    head: { type: string; headers: string[] },
  ): Promise<void> {
    const { view, file } = what
    const { res } = exchange
    const boundary = randomBytes(SEPARATOR_BYTES).toString('hex')
    const parts = spans.map((span) => ({
      span,
      intro: Buffer.from(
        `\r\n--${boundary}\r\nContent-Type: ${head.type}\r\nContent-Range: ${contentRange(span, file.length)}\r\n\r\n`,
      ),
    }))
    const end = Buffer.from(`\r\n--${boundary}--\r\n`)
    const length = parts.reduce(
      (sum, { span, intro }) => sum + intro.length + span.end - span.start,
      0,
    )
    const sink = createSink(res)
    const signal = exchange.signal()
    let reading = await content.open(view, file, parts[0]?.span ?? { start: 0, end: 0 }, signal)
    try {
      writeHead(exchange, 206, [
        ...head.headers,
        'Content-Type',
        `multipart/byteranges; boundary=${boundary}`,
        'Content-Length',
        String(length + end.length),
      ])
      for (const [i, { span, intro }] of parts.entries()) {
        if (i > 0) reading = await content.open(view, file, span, signal)
        await sink.write(intro)
        await reading.to(sink)
        await reading.close()
      }
      await sink.write(end)
      sink.end()
    } catch (error) {
      sink.cut()
      throw error
    } finally {
      await reading.close()
    }
  }

  function refuseRange(exchange: Exchange, file: TorrentFile, headers: string[]): void {
    answerError(exchange, new BadRange(file.length), [
      'Content-Range',
      `bytes */${file.length}`,
      ...headers.filter((_, i) => headers[i - (i % 2)]?.startsWith('X-Btlink') ?? false),
    ])
  }

  return async (exchange, what) => {
    const { view, file, statusCode } = what
    const { req, isHead } = exchange
    const modified = lastModifiedMs(view)
    const validators: Validators = {
      etag: fileEtag(view, file),
      ...(modified !== undefined && { lastModifiedMs: modified }),
    }
    const headers = siteHeaders(exchange, view, file.path)
    headers.push('ETag', validators.etag, 'Cache-Control', cacheControl(exchange.isMutable))
    if (statusCode === 200) {
      const verdict = precondition(req.headers, validators)
      if (verdict === 'failed') throw new PreconditionFailed()
      if (verdict === 'not-modified') {
        answer(exchange, 304, headers)
        return
      }
    }
    const type = await typeOf(exchange, view, file)
    const kind = wantsDownload(exchange) ? 'attachment' : 'inline'
    headers.push('Content-Disposition', contentDisposition(kind, fileName(exchange, file)))
    headers.push('Accept-Ranges', 'bytes')
    const mayRange =
      statusCode === 200 && req.method === 'GET' && rangeApplies(req.headers, validators)
    const asked = mayRange ? parseRange(req.headers.range, file.length) : 'whole'
    if (asked === 'none') {
      refuseRange(exchange, file, headers)
      return
    }
    const spans = asked === 'whole' ? [{ start: 0, end: file.length }] : asked
    for (const span of spans) checkLocal(exchange, view, file, span)
    const [span] = spans
    if (asked !== 'whole' && spans.length > 1) {
      await serveSpans(exchange, what, spans, { type, headers })
      return
    }
    headers.push('Content-Type', type)
    if (isHead) {
      headers.push('Content-Length', String(file.length))
      writeHead(exchange, statusCode, headers)
      exchange.res.end()
    } else if (asked === 'whole' || span === undefined) await serveWhole(exchange, what, headers)
    else await serveSpan(exchange, what, span, headers)
  }
}
