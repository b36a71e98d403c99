/** The ports that the configuration says are listened at, and who is meant by each. */
import { reachOf } from '../base/ip-reach.ts'
import type { WantedPort } from '../services/doctor/index.ts'
import type { Config } from './config/schema.ts'
import { rolesOf } from './serve-args.ts'

export interface DeclaredPort extends WantedPort {
  /** Devices of the house, the whole internet, or programs of this machine. */
  from: 'house' | 'everyone' | 'machine'
}

/** At loopback there is nobody but the machine; every other address is one of the house. */
const behind = (addresses: readonly string[]): 'house' | 'machine' =>
  addresses.length > 0 && addresses.every((one) => reachOf(one) === 'loopback')
    ? 'machine'
    : 'house'

type Row = [key: string, listener: string, port: number, of: DeclaredPort['from']]

const row =
  (...transports: DeclaredPort['transports']) =>
  ([key, listener, port, from]: Row): DeclaredPort => ({ key, listener, port, transports, from })

/** In the order of the roles; a port of 0 is one that the system chooses. */
export function declaredPorts(config: Config): DeclaredPort[] {
  const { dns, proxy, gateway, dht, swarm, tracker, mode } = config
  const roles = rolesOf(config)
  const [tcp, udp, both] = [row('tcp'), row('udp'), row('udp', 'tcp')]
  const ports: DeclaredPort[] = []
  if (roles.includes('dns')) ports.push(both(['dns.port', 'dns', dns.port, behind(dns.listen)]))
  if (roles.includes('web')) {
    const at = behind([proxy.address])
    ports.push(tcp(['proxy.http_port', 'http', proxy.http_port, at]))
    ports.push(tcp(['proxy.https_port', 'https', proxy.https_port, at]))
    if (proxy.socks_port !== 'off' && mode !== 'gateway-only')
      ports.push(tcp(['proxy.socks_port', 'socks', proxy.socks_port, at]))
    if (gateway.enabled)
      ports.push(tcp(['gateway.port', 'gateway', gateway.port, behind([gateway.address])]))
    if (tracker.enabled && tracker.udp)
      ports.push(udp(['tracker.udp_port', 'tracker', tracker.udp_port, 'everyone']))
  }
  if (roles.includes('swarm')) {
    if (dht.enabled) ports.push(udp(['dht.port', 'dht', dht.port, 'everyone']))
    ports.push(tcp(['swarm.port', 'swarm', swarm.port, 'everyone']))
  }
  return ports
}
