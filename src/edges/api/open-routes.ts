/** What everyone in the house may ask: is it well, in numbers, and what can be asked. */
import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from './deps.ts'
import { METRICS_TYPE, metricsText } from './metrics.ts'

const status = { type: 'string', enum: ['ok', 'degraded', 'down'] }
const score = { type: 'number' }
const health = {
  type: 'object',
  properties: {
    status,
    score,
    components: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        properties: { status, score, detail: { type: 'string' } },
      },
    },
  },
}

export function openRoutes(
  app: FastifyInstance,
  { deps, document }: { deps: Pick<ApiDeps, 'health' | 'stats'>; document: () => object },
): void {
  const healthSchema = { summary: 'Is the box well', response: { 200: health, 503: health } }
  app.get('/api/health', { schema: healthSchema }, async (_, reply) => {
    const report = await deps.health.check()
    return reply
      .code(report.status === 'down' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report)
  })
  app.get('/metrics', { schema: { summary: 'Numbers for Prometheus' } }, async (_, reply) => {
    const [rooms, report] = await Promise.all([deps.stats(), deps.health.check()])
    const parts = Object.entries(report.components).map(([name, { score }]) => [
      `score_${name}`,
      score,
    ])
    const own = { score: report.score, ...Object.fromEntries(parts) } as Record<string, number>
    const { rss, heapUsed } = process.memoryUsage()
    const web = { resident_bytes: rss, heap_bytes: heapUsed, uptime_seconds: process.uptime() }
    return reply.type(METRICS_TYPE).send(metricsText({ ...rooms, health: own, web }))
  })
  app.get('/api/openapi.json', { schema: { summary: 'This description' } }, async (_, reply) =>
    reply.send(document()),
  )
}
