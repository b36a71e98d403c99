/** Why a request was refused, as the client reads it. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorResponse } from '../http/index.ts'

/** Answers with the error; an answer that has begun is broken off instead. */
export function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  const { statusCode, headers, body } = errorResponse(error, req.headers.accept, randomUUID())
  // What the client still wants to send will not be read.
  if (!req.complete) headers.push('Connection', 'close')
  res.writeHead(statusCode, headers)
  res.end(req.method === 'HEAD' ? undefined : body)
}
