/** The URLs under which others reach the tracker. */
import { isIPv6 } from 'node:net'
import type { TrackerConfig } from './config.ts'

const MAX_HOSTS = 4

const written = (host: string): string => {
  const plain = host.replace(/^\[(.*)\]$/, '$1').split('%', 1)[0] ?? host
  return isIPv6(plain) ? `[${plain}]` : plain
}

/**
 * The hosts for strangers first: the one that a client came by may mean nothing outside the house.
 * @param udpPort 0 where UDP is off
 */
export function announceUrls(
  { enabled, public_hosts }: TrackerConfig,
  host: string,
  apiPort: number,
  udpPort: number,
): string[] {
  if (!enabled) return []
  const hosts = [...new Set([...public_hosts, ...(host === '' ? [] : [host])].map(written))]
  return hosts
    .slice(0, MAX_HOSTS)
    .flatMap((name) => [
      ...(apiPort === 0 ? [] : [`http://${name}:${apiPort}/announce`]),
      ...(udpPort === 0 ? [] : [`udp://${name}:${udpPort}/announce`]),
      ...(apiPort === 0 ? [] : [`ws://${name}:${apiPort}/announce`]),
    ])
}
