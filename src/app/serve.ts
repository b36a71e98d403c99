/** `btlinkd serve`: all roles under a supervisor, or one role for a systemd unit. */
import { messageOf } from '../base/errors.ts'
import { parseServeArgs, type ServeArgs } from './serve-args.ts'

const USAGE_EXIT = 2

/** Resolves with the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  let parsed: ServeArgs
  try {
    parsed = parseServeArgs(args)
  } catch (error) {
    process.stderr.write(`btlinkd serve: ${messageOf(error)}\n`)
    return USAGE_EXIT
  }
  if (parsed.role) {
    const { runRole } = await import('./roles/role.ts')
    return runRole(parsed.role, parsed)
  }
  const { serveSupervised } = await import('./roles/supervised-serve.ts')
  return serveSupervised(args)
}
