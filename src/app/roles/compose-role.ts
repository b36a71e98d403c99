/** The page of each role, loaded only where it is wanted. */
import type { Config } from '../config/schema.ts'
import type { RoleName } from '../serve-args.ts'
import type { ComposedRole } from './composed-role.ts'
import type { GivenSockets } from './given-sockets.ts'

/** Names of the sockets that a role takes from systemd in place of binding its own. */
export const SOCKETS: Record<RoleName, readonly string[]> = {
  dns: ['dns-udp', 'dns-tcp'],
  swarm: [],
  web: ['http', 'https'],
}

/** @throws the error of a room whose part of the configuration cannot be meant */
export async function composeRole(
  role: RoleName,
  config: Config,
  given: GivenSockets = new Map(),
): Promise<ComposedRole> {
  if (role === 'dns') {
    const { composeDns } = await import('../compose-dns.ts')
    return composeDns(config, given)
  }
  if (role === 'swarm') {
    const { composeSwarm } = await import('../compose-swarm.ts')
    return composeSwarm(config)
  }
  if (config.mode === 'proxy-only') {
    const { composeProxy } = await import('../compose-proxy.ts')
    return composeProxy(config, given)
  }
  const { composeWeb } = await import('../compose-web.ts')
  return composeWeb(config, given)
}
