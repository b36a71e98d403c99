/** The flags of `serve`. */
import { parseArgs } from 'node:util'
import { declareError } from '../base/errors.ts'
import type { Config } from './config/schema.ts'

export const BadServeArgs = declareError('BTL_ERR_APP_SERVE_ARGS', '%s', 400)

export const ROLES = ['dns', 'swarm', 'web'] as const
export type RoleName = (typeof ROLES)[number]

export interface ServeArgs {
  config?: string | undefined
  state?: string | undefined
  role?: RoleName | undefined
}

/** The roles of a daemon, in start order: a house without DNS is offline, so that comes first. */
export function rolesOf({ mode, dns }: Pick<Config, 'mode' | 'dns'>): RoleName[] {
  if (mode === 'dht-only') return ['swarm']
  if (mode === 'gateway-only') return ['swarm', 'web']
  const resolver: RoleName[] = dns.enabled ? ['dns'] : []
  // What the names lead to is another box's business.
  return mode === 'proxy-only' ? [...resolver, 'web'] : [...resolver, 'swarm', 'web']
}

const isRole = (name: string): name is RoleName => (ROLES as readonly string[]).includes(name)

/** @throws BadServeArgs on an unknown flag or role */
export function parseServeArgs(args: readonly string[]): ServeArgs {
  const { values } = readFlags(args)
  const { config, state, role } = values
  if (role !== undefined && !isRole(role)) {
    throw new BadServeArgs(`there is no role "${role}": roles are ${ROLES.join(', ')}`)
  }
  return { config, state, role }
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        state: { type: 'string' },
        role: { type: 'string' },
      },
    })
  } catch (error) {
    throw new BadServeArgs(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
