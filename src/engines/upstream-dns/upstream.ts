/** The engine: whom to ask for which name, in which order, and when to give up. */
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { foldName, isWithin, textOfName } from '../../base/dns/name.ts'
import { messageOf, printable } from '../../base/errors.ts'
import type { Health } from '../../base/ports/component.ts'
import type { DnsAnswer, DnsQuestion, DnsUpstream } from '../../base/ports/dns-upstream.ts'
import type { Log } from '../../base/ports/log.ts'
import { createAddressBook } from './addresses.ts'
import type { UpstreamDnsConfig } from './config.ts'
import { UpstreamBadAnswer, UpstreamFull, UpstreamTimeout, UpstreamUnreachable } from './errors.ts'
import type { Now } from './health.ts'
import { within } from './patience.ts'
import { addressesOnly, createPool, createSystemServers, type IsOwn, type Pool } from './pool.ts'
import { type Course, race } from './race.ts'
import { createServer, type Server } from './server.ts'
import { isSystem, parseRoute, parseServer } from './server-spec.ts'
import { orderOf, WIDTH } from './strategies.ts'

export interface UpstreamDnsDeps {
  log: Log
  /** Whether our own resolver answers at this endpoint: asking it would go round for ever. */
  isOwn?: IsOwn
  /** Monotonic milliseconds: wall time jumps when the clock is set. */
  now?: Now
  /** The text of resolv.conf. */
  readResolvConf?: () => Promise<string>
}

/** @throws UpstreamBadServer for an entry that is no server */
export function createDnsUpstream(deps: UpstreamDnsDeps, config: UpstreamDnsConfig): DnsUpstream {
  const { log } = deps
  const now = deps.now ?? (() => performance.now())
  const isOwn = deps.isOwn ?? (() => false)
  const stats = { asked: 0, answered: 0, timeouts: 0, unreachable: 0, refusedFull: 0 }
  let running: Running | undefined
  const tryTimeoutMs = config.try_timeout
  for (const text of [...config.servers, ...config.fallback]) if (!isSystem(text)) parseServer(text)
  const bootstrapServers = addressesOnly(config.bootstrap)
  const routeSpecs = config.routes.map(parseRoute)
  let turn = 0
  let inFlight = 0

  type Running = Awaited<ReturnType<typeof begin>>

  async function begin() {
    const system = createSystemServers(now, isOwn, deps.readResolvConf)
    await system.refresh()
    const ca = config.ca_file === '' ? undefined : [await readFile(config.ca_file, 'utf8')]
    const stopping = new AbortController()
    const book = createAddressBook(() => bootstrap.servers(), now)
    const make = (spec: Parameters<typeof createServer>[0]): Server =>
      createServer(spec, {
        now,
        addressOf: async (name, signal) => book.addressOf(name, signal),
        randomizeCase: config.randomize_case,
        retryAfterMs: config.retry_after,
        ca: ca && [...rootCertificates, ...ca],
      })
    const poolDeps = { make, system, isOwn }
    const bootstrap = createPool(bootstrapServers, poolDeps)
    const main = createPool(config.servers, poolDeps)
    const fallback = createPool(config.fallback, poolDeps)
    const routes = routeSpecs.map(({ zone, servers }) => ({
      zone,
      pool: createPool(
        servers.map((spec) => spec.text),
        poolDeps,
      ),
    }))
    // The longest zone that fits decides.
    routes.sort((a, b) => b.zone.length - a.zone.length)
    const pools = [main, fallback, ...routes.map((route) => route.pool)]
    return { system, stopping, book, bootstrap, main, fallback, routes, pools }
  }

  const allServers = (): Server[] => [
    ...new Set(running?.pools.flatMap((pool) => [...pool.servers()]) ?? []),
  ]

  function poolFor(running: Running, question: DnsQuestion): Pool {
    const name = foldName(question.name)
    return running.routes.find(({ zone }) => isWithin(name, zone))?.pool ?? running.main
  }

  async function askPools(
    running: Running,
    question: DnsQuestion,
    signal: AbortSignal,
  ): Promise<DnsAnswer> {
    await running.system.refresh()
    const pool = poolFor(running, question)
    const servers = pool.servers()
    for (const server of servers) if (server.health.takesProbe()) probe(running, server)
    const first: Course = {
      order: orderOf(config.strategy, servers, turn++),
      width: Math.min(WIDTH[config.strategy], servers.length),
      tryTimeoutMs,
    }
    const courses = [first]
    // A route's names are nobody else's business.
    if (pool === running.main) {
      const order = orderOf('strict', running.fallback.servers(), 0)
      const second = { order, width: 1, tryTimeoutMs }
      const isAwake = servers.some((server) => server.health.isUp())
      if (order.length > 0) courses.splice(isAwake ? 1 : 0, 0, second)
    }
    return askInTurn(courses, question, signal)
  }

  async function askInTurn(
    courses: readonly Course[],
    question: DnsQuestion,
    signal: AbortSignal,
  ): Promise<DnsAnswer> {
    let error: unknown
    for (const course of courses) {
      const best = await race(course, question, signal)
      if (best.answer) return best.answer
      error ??= best.error
    }
    const why = error === undefined ? 'none is known' : messageOf(error)
    throw new UpstreamUnreachable(shown(question), why, { cause: error })
  }

  function probe({ stopping }: Running, server: Server): void {
    const late = () => new UpstreamBadAnswer(server.spec.text, 'it was silent')
    within(tryTimeoutMs, [stopping.signal], late, async (signal) => server.probe(signal)).catch(
      () => undefined,
    )
  }

  return {
    name: 'upstream-dns',
    async start() {
      running = await begin()
      const servers = allServers().map((server) => server.spec.text)
      if (servers.length === 0) log.warn({}, 'no DNS server is known to ask for other names')
      else log.info({ servers, strategy: config.strategy }, 'asks other names of these DNS servers')
    },
    async stop() {
      const old = running
      running = undefined
      if (old === undefined) return
      old.stopping.abort(new UpstreamUnreachable('anything', 'the resolver stops'))
      old.book.stop()
      for (const pool of [...old.pools, old.bootstrap]) pool.close()
    },
    async ask(question, signal) {
      if (running === undefined) throw new UpstreamUnreachable(shown(question), 'not started')
      const { stopping } = running
      if (inFlight >= config.max_in_flight) {
        stats.refusedFull++
        throw new UpstreamFull(inFlight)
      }
      const parents = signal ? [stopping.signal, signal] : [stopping.signal]
      let isTimeout = false
      const timeout = () => {
        isTimeout = true
        return new UpstreamTimeout(shown(question))
      }
      const here = running
      inFlight++
      stats.asked++
      try {
        const answer = await within(config.timeout, parents, timeout, async (inner) =>
          askPools(here, question, inner),
        )
        stats.answered++
        return answer
      } catch (error) {
        if (isTimeout) stats.timeouts++
        else if (!parents.some((parent) => parent.aborted)) stats.unreachable++
        throw error
      } finally {
        inFlight--
      }
    },
    servers: () =>
      allServers().map(({ spec, health }) => ({
        server: spec.text,
        isUp: health.isUp(),
        roundTripMs: health.roundTripMs(),
        ...health.counts,
      })),
    stats: () => ({
      ...stats,
      inFlight,
      packets: allServers().reduce((sum, server) => sum + server.udp.sent, 0),
      strays: allServers().reduce((sum, server) => sum + server.udp.strays, 0),
    }),
    health(): Health {
      const all = allServers()
      const up = all.filter((server) => server.health.isUp()).length
      if (running === undefined) return { status: 'down', score: 0, detail: 'not started' }
      if (all.length === 0) return { status: 'down', score: 0, detail: 'no DNS server is known' }
      if (up === all.length) return { status: 'ok', score: 100 }
      const detail = `${all.length - up} of ${all.length} DNS servers do not answer`
      return {
        status: up === 0 ? 'down' : 'degraded',
        score: Math.round((100 * up) / all.length),
        detail,
      }
    },
  }
}

const shown = ({ name }: DnsQuestion): string => printable(textOfName(name), 100)
