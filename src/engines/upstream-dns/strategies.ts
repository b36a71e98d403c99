/** Whom to ask, and in which order: one function a strategy. */
import type { Server } from './server.ts'

export type Strategy = 'strict' | 'parallel' | 'fastest'

/** A house's question costs others at most this many packets. */
export const MAX_TRIES = 3

/** How many are asked at once at first. */
export const WIDTH: Record<Strategy, number> = { strict: 1, parallel: 2, fastest: 1 }

/** Every so many questions one that is not the fastest has its turn, or it could never become so. */
const EXPLORE_EVERY = 20

/** Up ones before those that rest; resting ones are better than none. */
const awakeFirst = (servers: readonly Server[]): Server[] => [
  ...servers.filter((server) => server.health.isUp()),
  ...servers.filter((server) => !server.health.isUp()),
]

const byRoundTrip = (a: Server, b: Server): number =>
  // One that was never asked comes first, since nothing speaks against it.
  (a.health.roundTripMs() ?? 0) - (b.health.roundTripMs() ?? 0)

/**
 * The servers of up to `MAX_TRIES` tries. One that is alone has every try.
 * @param turn counts the questions
 */
export function orderOf(strategy: Strategy, servers: readonly Server[], turn: number): Server[] {
  let order = awakeFirst(servers)
  if (strategy !== 'strict') {
    const awake = order.filter((server) => server.health.isUp()).sort(byRoundTrip)
    const explored = awake[1 + (Math.floor(turn / EXPLORE_EVERY) % Math.max(1, awake.length - 1))]
    const isTurn = turn % EXPLORE_EVERY === EXPLORE_EVERY - 1 && explored !== undefined
    const first = isTurn ? [explored, ...awake.filter((server) => server !== explored)] : awake
    order = [...first, ...order.slice(awake.length)]
  }
  const tries: Server[] = []
  while (tries.length < MAX_TRIES && order.length > 0) tries.push(...order)
  return tries.slice(0, MAX_TRIES)
}
