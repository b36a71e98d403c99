/** From any thrown value to what the client reads: HTML for browsers, JSON for the rest. */
import { isBtlError } from '../../base/errors.ts'
import { InternalFault } from './errors.ts'
import { html, page, type Html } from './html.ts'

/** What INTERFACES promises to programs. */
export interface ErrorBody {
  code: string
  message: string
  requestId: string
}

export interface ErrorResponse {
  statusCode: number
  /** Name and value in turn, as `writeHead` takes them. */
  headers: string[]
  body: Buffer
}

/** How soon to try again where waiting helps: too many requests, not reachable, not found in time. */
const RETRY_AFTER_SECONDS: Record<number, number> = { 429: 10, 503: 10, 504: 5 }

const TITLES: Record<number, string> = {
  400: 'This address is not right',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible here',
  410: 'Gone',
  412: 'Not on this box',
  413: 'Too large',
  416: 'No such range',
  451: 'Unavailable for legal reasons',
  502: 'What was found is broken',
  503: 'Not reachable now',
  504: 'Nobody had it in time',
}

/** The browser asked for a page: everything else wants to read the code. */
export const wantsHtml = (accept: string | undefined): boolean =>
  accept?.toLowerCase().includes('text/html') ?? false

/** Status, code and message for the wire; what is no error of ours says nothing of the inside. */
export function describeError(error: unknown): {
  statusCode: number
  code: string
  message: string
} {
  if (isBtlError(error)) {
    return { statusCode: error.statusCode, code: error.code, message: error.message }
  }
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    const { statusCode } = error
    // Fastify's own refusals (body too large, unknown media type) are about the request.
    if (statusCode >= 400 && statusCode < 500) {
      return { statusCode, code: 'BTL_ERR_HTTP_BAD_REQUEST', message: error.message }
    }
  }
  const fault = new InternalFault()
  return { statusCode: fault.statusCode, code: fault.code, message: fault.message }
}

function errorPage(body: ErrorBody, statusCode: number, retry: number | undefined): string {
  const title = TITLES[statusCode] ?? 'That did not work'
  const again: Html | undefined =
    retry === undefined
      ? undefined
      : html`<p>Peers may still appear. This page tries again by itself every ${retry} seconds.</p>`
  const refresh =
    retry === undefined ? undefined : html`<meta http-equiv="refresh" content="${retry}">`
  return page(
    title,
    html`<h1>${title}</h1>
<p>${body.message}</p>
${again}<p class="dim"><code>${body.code}</code> · request <code>${body.requestId}</code></p>`,
    refresh,
  )
}

/** @param accept the request's Accept header */
export function errorResponse(
  error: unknown,
  accept: string | undefined,
  requestId: string,
): ErrorResponse {
  const { statusCode, code, message } = describeError(error)
  const retry = RETRY_AFTER_SECONDS[statusCode]
  const asHtml = wantsHtml(accept)
  const content: ErrorBody = { code, message, requestId }
  const body = Buffer.from(
    asHtml ? errorPage(content, statusCode, retry) : `${JSON.stringify(content)}\n`,
  )
  const headers = [
    'Content-Type',
    asHtml ? 'text/html; charset=utf-8' : 'application/json',
    'Content-Length',
    String(body.length),
    'X-Request-Id',
    requestId,
    'X-Content-Type-Options',
    'nosniff',
    'Vary',
    'Accept',
    'Cache-Control',
    // A missing file of an immutable torrent stays missing, but names come to life: keep it short.
    statusCode === 404 || statusCode === 410 ? 'public, max-age=10' : 'no-store',
  ]
  if (asHtml) {
    headers.push('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
  }
  if (retry !== undefined) headers.push('Retry-After', String(retry))
  return { statusCode, headers, body }
}
