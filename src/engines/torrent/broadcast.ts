/** Events for consumers that read at their own pace: what was not read yet is folded together, never queued without end. */

export interface Broadcast<Event> {
  emit(event: Event): void
  /** Ends with the signal or with `close`. */
  subscribe(signal?: AbortSignal): AsyncGenerator<Event[], void>
  close(): void
}

/** @param maxWaiting events kept for one slow consumer; the oldest go first */
export function createBroadcast<Event>(maxWaiting: number): Broadcast<Event> {
  interface Consumer {
    waiting: Event[]
    wake: () => void
  }
  const consumers = new Set<Consumer>()
  let closed = false

  async function* read(consumer: Consumer, signal?: AbortSignal): AsyncGenerator<Event[], void> {
    const onAbort = () => consumer.wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        if (signal?.aborted === true) return
        const batch = consumer.waiting.splice(0)
        if (batch.length > 0) {
          yield batch
          continue
        }
        if (closed) return
        await new Promise<void>((resolve) => {
          consumer.wake = resolve
        })
      }
    } finally {
      consumers.delete(consumer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  return {
    emit(event) {
      for (const consumer of consumers) {
        consumer.waiting.push(event)
        if (consumer.waiting.length > maxWaiting) consumer.waiting.shift()
        consumer.wake()
      }
    },
    subscribe(signal) {
      const consumer: Consumer = { waiting: [], wake: () => {} }
      // Registered before the first read, so that nothing between the two is missed.
      if (!closed) consumers.add(consumer)
      return read(consumer, signal)
    },
    close() {
      closed = true
      for (const consumer of consumers) consumer.wake()
    },
  }
}
