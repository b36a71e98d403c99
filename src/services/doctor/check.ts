/** What a check and a fix of the doctor are made of. */
import type { Ports } from './ports.ts'

export type State = 'ok' | 'warning' | 'failed' | 'unknown'

/** What a check found: one line, and what to do where it is not what the table says. */
export interface Finding {
  state: State
  /** For `unknown`: why it cannot be known. */
  line: string
  remedy?: string
}

/** How much of the household notices: all of it, a part, nobody yet. */
export type Severity = 'house' | 'some' | 'later'

export interface Check {
  id: string
  /** A question that `ok` answers with yes. */
  asks: string
  severity: Severity
  /** What the household notices of it. */
  why: string
  /** What a person can do. */
  remedy: string
  /** The id of the fix that mends it. */
  fix?: string
  /**
   * Who sees it: `daemon` is known only to the running daemon, everything else also to whoever asks
   * from outside, who may see more because he is root.
   */
  view: 'machine' | 'daemon'
  look(ports: Ports, signal: AbortSignal): Promise<Finding>
}

export interface Fix {
  id: string
  /** Said before it is done. */
  does: string
  /** Who has to do it. */
  view: 'machine' | 'daemon'
  /** Idempotent, and takes nothing from anybody. Resolves to what was done, in one line. */
  mend(ports: Ports, signal: AbortSignal): Promise<string>
}

export const ok = (line: string): Finding => ({ state: 'ok', line })
export const warning = (line: string, remedy?: string): Finding => ({
  state: 'warning',
  line,
  ...(remedy !== undefined && { remedy }),
})
export const failed = (line: string, remedy?: string): Finding => ({
  state: 'failed',
  line,
  ...(remedy !== undefined && { remedy }),
})
export const unknown = (line: string): Finding => ({ state: 'unknown', line })

const MAX_NAMED = 4

/** `a, b and 3 more` */
export function few(names: readonly string[], most = MAX_NAMED): string {
  const rest = names.length - most
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${rest} more` : names.join(', ')
}
