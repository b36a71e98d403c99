/** The page of each role, loaded only where it is wanted. */
import type { Config } from '../config/schema.ts'
import type { RoleName } from '../serve-args.ts'
import type { ComposedRole } from './composed-role.ts'

/** @throws the error of a room whose part of the configuration cannot be meant */
export async function composeRole(role: RoleName, config: Config): Promise<ComposedRole> {
  if (role === 'dns') {
    const { composeDns } = await import('../compose-dns.ts')
    return composeDns(config)
  }
  if (role === 'swarm') {
    const { composeSwarm } = await import('../compose-swarm.ts')
    return composeSwarm(config)
  }
  if (config.mode === 'proxy-only') {
    const { composeProxy } = await import('../compose-proxy.ts')
    return composeProxy(config)
  }
  const { composeWeb } = await import('../compose-web.ts')
  return composeWeb(config)
}
