/** One piece of work however many wait for it; it is given up when the last of them leaves. */

interface Flight<Result> {
  promise: Promise<Result>
  controller: AbortController
  waiters: number
}

export interface SingleFlight<Result> {
  /**
   * Joins the work under `key` or begins it. Rejects with the reason of `signal` when this caller
   * leaves; the work goes on for the others.
   */
  run(
    key: string,
    work: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result>
  /** Gives up everything. */
  stop(): void
}

export function createSingleFlight<Result>(): SingleFlight<Result> {
  const flights = new Map<string, Flight<Result>>()

  function begin(key: string, work: (signal: AbortSignal) => Promise<Result>): Flight<Result> {
    const controller = new AbortController()
    const promise = work(controller.signal).finally(() => {
      if (flights.get(key)?.controller === controller) flights.delete(key)
    })
    // Every waiter may have left when it fails; the failure is theirs, not the process's.
    promise.catch(() => {})
    const flight = { promise, controller, waiters: 0 }
    flights.set(key, flight)
    return flight
  }

  function leave(key: string, flight: Flight<Result>): void {
    flight.waiters--
    if (flight.waiters > 0) return
    if (flights.get(key) === flight) flights.delete(key)
    flight.controller.abort()
  }

  return {
    async run(key, work, signal) {
      signal?.throwIfAborted()
      const flight = flights.get(key) ?? begin(key, work)
      flight.waiters++
      let onAbort: (() => void) | undefined
      const aborted = new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(signal?.reason as Error)
        signal?.addEventListener('abort', onAbort, { once: true })
      })
      try {
        return await Promise.race([flight.promise, aborted])
      } finally {
        if (onAbort) signal?.removeEventListener('abort', onAbort)
        leave(key, flight)
      }
    },
    stop() {
      for (const flight of flights.values()) flight.controller.abort()
      flights.clear()
    },
  }
}
