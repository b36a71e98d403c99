/** Waiting that ends: by its own time, by whoever waits, or by the end of the room. */

/** Made once: without a reason each abort would make an exception with a stack. */
export const OVER = new Error('nobody waits any more')

/**
 * Runs `work` with a signal that aborts after `ms` with `reason()`, or when one of `parents` does. Rejects at
 * that moment whether or not `work` listens.
 */
export async function within<Result>(
  ms: number,
  parents: readonly AbortSignal[],
  reason: () => Error,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  for (const parent of parents) parent.throwIfAborted()
  const controller = new AbortController()
  const { signal } = controller
  const timer = setTimeout(() => controller.abort(reason()), ms)
  // Not AbortSignal.any: a parent that lives as long as the room would gather its children.
  const followed = parents.map((parent) => {
    const onAbort = () => controller.abort(parent.reason)
    parent.addEventListener('abort', onAbort, { once: true })
    return () => parent.removeEventListener('abort', onAbort)
  })
  try {
    return await orAborted(work(signal), signal)
  } finally {
    clearTimeout(timer)
    for (const leave of followed) leave()
    // Whatever of the work still goes on is not waited for by anyone.
    controller.abort(OVER)
  }
}

/** The result of `work`, or the reason of `signal` where that comes first. */
export async function orAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  if (signal.aborted) {
    work.catch(() => {})
    throw signal.reason
  }
  let onAbort = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
