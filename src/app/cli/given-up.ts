/** Ctrl-C and its like, for verbs that would leave something half done behind. */
import { Refused } from './admin-client.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work`, which ends by its signal where this process is told to end. */
export async function untilGivenUp<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const given = new AbortController()
  const giveUp = () => given.abort(new Refused('given up'))
  for (const name of SIGNALS) process.on(name, giveUp)
  try {
    return await work(given.signal)
  } catch (error) {
    throw given.signal.aborted ? given.signal.reason : error
  } finally {
    for (const name of SIGNALS) process.off(name, giveUp)
  }
}
