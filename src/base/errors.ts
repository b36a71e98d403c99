/** The one way to declare an error of the daemon, and to read the code of one that was caught. */
import createFastifyError from '@fastify/error'

/** An error with a code that scripts may rely on, and the HTTP status it becomes at an edge. */
export interface BtlError extends Error {
  readonly code: string
  readonly statusCode: number
}

export interface BtlErrorConstructor {
  /** Fills the `%s` places of the declared message in order; a last `{ cause }` is kept as cause. */
  new (...details: unknown[]): BtlError
  readonly prototype: BtlError
}

/**
 * Declares an error class.
 * @param code `BTL_ERR_<ROOM>_<WHAT>`, written out whole so that grep finds it
 * @param message lower case, names the bad input through `%s`, without the word "error"
 * @param statusCode HTTP status at an edge
 */
export function declareError(
  code: `BTL_ERR_${string}`,
  message: string,
  statusCode: number,
): BtlErrorConstructor {
  return createFastifyError(code, message, statusCode)
}

export function isBtlError(error: unknown): error is BtlError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('BTL_ERR_')
  )
}

/** The `code` of whatever was thrown: ours, or Node's (`ENOSPC`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    return typeof error.code === 'string' ? error.code : undefined
  }
  return undefined
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Text from outside as it may stand in a message: printable ASCII, cut to `max` characters. */
export function printable(text: string, max = 80): string {
  const clean = text.slice(0, max).replace(/[^\x20-\x7e]/g, '?')
  return text.length > max ? `${clean}...` : clean
}
