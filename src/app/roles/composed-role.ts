import type { Lifetime } from '../lifecycle.ts'
import type { Listeners } from './listeners.ts'

/** A role, put together but not started. */
export interface ComposedRole {
  /** In start order. */
  components: readonly Lifetime[]
  /** Asked once everything has started. */
  listeners(): Promise<Listeners>
  /** After the start, in the background: what need not be there for the first request. */
  afterStart?(signal: AbortSignal): Promise<string | undefined>
  /** Asks the role over its own sockets, as others do; fails where no answer comes. */
  ask(signal: AbortSignal): Promise<void>
  /** How it is, in one line for people. */
  status(): string | Promise<string>
}
