/** What lives and dies with a role: everything with sockets, timers or files. */
export interface Component {
  readonly name: string
  /** Begins work; resolves when it can be used (sockets bound), not when it is warm. */
  start(signal: AbortSignal): Promise<void>
  /** Ends work and releases everything; safe to call twice and after a failed start. */
  stop(): Promise<void>
  health(): Health | Promise<Health>
}

export interface Health {
  status: 'ok' | 'degraded' | 'down'
  /** 0 (dead) to 100 (well). */
  score: number
  /** One line for people: why it is not 100. */
  detail?: string
}

/** Counters and gauges of a room by name, as `/metrics` shows them. */
export type Stats = Record<string, number>
