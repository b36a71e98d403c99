/** So much at a time: the rest waits in order. */
export interface Slots {
  /** @throws the signal's reason while it waits, or what the work throws */
  run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result>
}

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = []
  let free = count

  function release(): void {
    const next = waiting.shift()
    if (next) next()
    else free++
  }

  async function take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free--
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const at = waiting.indexOf(resolve)
      if (at >= 0) waiting.splice(at, 1)
      reject(signal.reason as Error)
    }
    waiting.push(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    async run(work, signal) {
      await take(signal)
      try {
        return await work()
      } finally {
        release()
      }
    },
  }
}
