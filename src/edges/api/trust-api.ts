/** The routes of certificates without a daemon: the command line asks them of a state folder at rest. */
import fastify, { type FastifyError } from 'fastify'
import type { CertAuthority } from '../../base/ports/cert-issuer.ts'
import { describeError } from '../http/index.ts'
import { trustRoutes } from './trust-routes.ts'

export interface TrustApi {
  ask(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }>
}

/** Whoever can open the folder is its owner. */
export function createTrustApi(pki: CertAuthority): TrustApi {
  const app = fastify({ ajv: { customOptions: { removeAdditional: false } } })
  app.setErrorHandler((error: FastifyError, _, reply) => {
    const { statusCode, code, message } = describeError(error)
    void reply.code(statusCode).send({ code, message })
  })
  trustRoutes(app, { pki, isTrusted: () => true })
  return {
    async ask(method, path, body) {
      const payload = body === undefined ? {} : { payload: body as object }
      const answer = await app.inject({ method, url: path, ...payload })
      return { status: answer.statusCode, body: answer.json<unknown>() }
    },
  }
}
