/** Waiting for something a test cannot be told about. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks `probe` until it gives something other than undefined or false. What it throws counts as
 * "not yet" and is the cause of the failure when the time is over.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 15_000, everyMs = 50 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== false) return answer
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      throw new Error(`gave up after ${timeoutMs} ms waiting for ${what}`, { cause: last })
    }
    await sleep(everyMs)
  }
}
