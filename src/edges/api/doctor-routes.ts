/** What is wrong with the box, and what can be mended. */
import type { FastifyInstance } from 'fastify'
import { closeSignal } from '../http/index.ts'

export interface DoctorResult {
  id: string
  state: 'ok' | 'warning' | 'failed' | 'unknown'
  line: string
  severity: string
  remedy?: string
  fix?: string
}

export interface DoctorView {
  /** Worst first. */
  results: DoctorResult[]
  failed: number
  warnings: number
  unknown: number
  ok: number
}

export interface DoctorDeps {
  report(only: readonly string[] | undefined, signal: AbortSignal): Promise<DoctorView>
  fix(id: string, signal: AbortSignal): Promise<{ id: string; done: string }>
}

const text = { type: 'string' }
const count = { type: 'integer', minimum: 0 }
const view = {
  type: 'object',
  properties: {
    results: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: text,
          state: { type: 'string', enum: ['ok', 'warning', 'failed', 'unknown'] },
          line: text,
          severity: { type: 'string', enum: ['house', 'some', 'later'] },
          remedy: text,
          fix: text,
        },
      },
    },
    failed: count,
    warnings: count,
    unknown: count,
    ok: count,
  },
}
const id = { type: 'string', pattern: '^[a-z0-9-]{1,40}$' }

export function doctorRoutes(app: FastifyInstance, doctor: DoctorDeps): void {
  app.get<{ Querystring: { only?: string } }>(
    '/api/doctor',
    {
      schema: {
        summary: 'What is wrong, worst first, as far as the daemon sees it',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { only: { type: 'string', pattern: '^[a-z0-9-]+(,[a-z0-9-]+){0,99}$' } },
        },
        response: { 200: view },
      },
    },
    async ({ query }, reply) => doctor.report(query.only?.split(','), closeSignal(reply.raw)),
  )
  app.post<{ Params: { id: string } }>(
    '/api/doctor/fix/:id',
    {
      schema: {
        summary: 'Mend one thing; may be repeated, takes nothing from anybody',
        params: { type: 'object', required: ['id'], properties: { id } },
        response: { 200: { type: 'object', properties: { id: text, done: text } } },
      },
    },
    async ({ params }, reply) => doctor.fix(params.id, closeSignal(reply.raw)),
  )
}
