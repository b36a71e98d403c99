/** A wait that ends: by its result, by its deadline, or because the client left. */

/**
 * Runs `work` with a signal that aborts on the deadline and with `signal`; does not wait for work
 * that ignores it.
 * @param late makes the error thrown when `ms` have passed
 */
export async function within<T>(
  { ms, signal, late }: { ms: number; signal: AbortSignal; late: () => Error },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const giveUp = (reason: unknown) => {
    reject(reason)
    controller.abort(reason)
  }
  const timer = setTimeout(() => giveUp(late()), ms)
  const onAbort = () => giveUp(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    work(controller.signal).then(resolve, reject)
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
