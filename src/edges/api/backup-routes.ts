/** What a backup needs of a running daemon: only it can read the database. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Store } from '../../base/ports/store.ts'
import { closeSignal } from '../http/index.ts'
import { NotAllowed } from './errors.ts'

export interface BackupDeps {
  store: Pick<Store, 'snapshot'>
  /** Whether a request came over the admin socket. */
  isTrusted(request: FastifyRequest): boolean
}

const answer = { type: 'object', properties: { file: { type: 'string' } } }

export function backupRoutes(app: FastifyInstance, deps: BackupDeps): void {
  app.post(
    '/api/backup/snapshot',
    {
      schema: {
        summary: 'Copy the database beside it, for a backup',
        response: { 200: answer },
      },
      onRequest: async (request) => {
        if (!deps.isTrusted(request)) throw new NotAllowed('backups are made over the admin socket')
      },
    },
    async (_, reply) => ({ file: await deps.store.snapshot(closeSignal(reply.raw)) }),
  )
}
