/** The description of the API (OpenAPI 3.1), made of the schemas that the routes are held to. */
import type { RouteOptions } from 'fastify'

declare module 'fastify' {
  interface FastifySchema {
    /** What the route is for, in the description of the API. */
    summary?: string
  }
}

interface Parameter {
  name: string
  in: 'path' | 'query'
  required: boolean
  schema: unknown
}

interface Properties {
  properties?: Record<string, unknown>
  required?: string[]
}

function parameters(place: 'path' | 'query', schema: unknown): Parameter[] {
  const { properties = {}, required = [] } = (schema ?? {}) as Properties
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }))
}

function operation({ schema = {} }: RouteOptions) {
  const { summary, params, querystring, body, response } = schema as Record<string, unknown>
  const answers = Object.entries((response ?? {}) as Record<string, unknown>).map(
    ([status, answer]) => [
      status,
      { description: status, content: { 'application/json': { schema: answer } } },
    ],
  )
  return {
    summary,
    parameters: [...parameters('path', params), ...parameters('query', querystring)],
    ...(body !== undefined && {
      requestBody: { content: { 'application/json': { schema: body } } },
    }),
    responses:
      answers.length > 0
        ? (Object.fromEntries(answers) as Record<string, unknown>)
        : { 200: { description: 'ok' } },
  }
}

/** Collects routes as they are added; `document` is asked when all are there. */
export function createOpenApi(version: string) {
  const paths: Record<string, Record<string, unknown>> = {}
  return {
    add(route: RouteOptions): void {
      const path = route.url.replace(/:(\w+)/g, '{$1}')
      for (const method of [route.method].flat()) {
        if (method === 'HEAD') continue
        paths[path] = { ...paths[path], [method.toLowerCase()]: operation(route) }
      }
    },
    document: () => ({ openapi: '3.1.0', info: { title: 'btlinkd', version }, paths }),
  }
}
