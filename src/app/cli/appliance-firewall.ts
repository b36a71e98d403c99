/** `btlinkd appliance firewall`: the ports of the configuration as elements of the sets of the image's firewall. */
import { BadConfig } from '../config/errors.ts'
import { requireConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type DeclaredPort, declaredPorts } from '../declared-ports.ts'
import { rolesOf } from '../serve-args.ts'
import { type VerbInput, valueOf } from './verb.ts'

type Transport = DeclaredPort['transports'][number]

/** Ports that rules of /etc/nftables.conf open to the house whatever the configuration says. */
const FIXED: Record<Transport, readonly number[]> = {
  tcp: [22, 53, 80, 443, 42_080, 44_369],
  udp: [53, 5353, 6771],
}
/** The parts of the daemon may bind no other port by themselves. */
const LOWEST = 1024

/** Both ends belong to it. */
interface PortRange {
  from: number
  to: number
}

export interface FirewallSets {
  house: Record<Transport, number[]>
  /** Of everyone. */
  peers: Record<Transport, number[]>
  /** UDP of everyone as well: what browsers are met at over WebRTC. */
  browsers: PortRange | undefined
}

function browserPorts(config: Config): PortRange | undefined {
  const { enabled, port_min: from, port_max: to } = config.webrtc
  return rolesOf(config).includes('swarm') && enabled && from > 0 ? { from, to } : undefined
}

/** Why browsers cannot have these, or undefined. */
function refusal({ from, to }: PortRange, ofHouse: readonly number[]): string | undefined {
  if (from > to) return 'is no range'
  if (from < LOWEST) return `begins below ${LOWEST}`
  const taken = ofHouse.find((port) => port >= from && port <= to)
  return taken === undefined ? undefined : `holds ${taken}, which is meant for the house`
}

/** @throws BadConfig where a firewall cannot follow the configuration, or would open more than is meant */
export function firewallSets(config: Config): FirewallSets {
  const ports = declaredPorts(config).filter(({ from }) => from !== 'machine')
  const browsers = browserPorts(config)
  const sets: FirewallSets = {
    house: { tcp: [], udp: [] },
    peers: { tcp: [], udp: [] },
    browsers,
  }
  for (const { key, port, transports, from } of ports) {
    if (port === 0) {
      throw new BadConfig(`${key} is 0, any free port, which no firewall can know: give a number`)
    }
    for (const transport of transports) {
      const others = ports.filter((one) => one.from === 'house' && one.port === port)
      const isHouses =
        FIXED[transport].includes(port) || others.some((one) => one.transports.includes(transport))
      if (from === 'everyone' && (port < LOWEST || isHouses)) {
        throw new BadConfig(
          `${key} ${port}/${transport} is meant for the house alone: give peers another one of ${LOWEST} or more`,
        )
      }
      const list = sets[from === 'everyone' ? 'peers' : 'house'][transport]
      if (!list.includes(port)) list.push(port)
    }
  }
  const why = browsers && refusal(browsers, [...FIXED.udp, ...sets.house.udp])
  if (browsers && why !== undefined) {
    const { from, to } = browsers
    throw new BadConfig(`webrtc.port_min ${from} to port_max ${to} ${why}: give browsers others`)
  }
  return sets
}

/** Commands for `nft -f`, which takes all of them or none. */
export function nftCommands(sets: FirewallSets): string {
  const lines = (['house', 'peers'] as const).flatMap((who) =>
    (['tcp', 'udp'] as const).flatMap((transport) => {
      const set = `inet btlinkd ${who}_${transport}`
      const ports = sets[who][transport].toSorted((a, b) => a - b).map(String)
      const { browsers } = sets
      if (browsers && who === 'peers' && transport === 'udp')
        ports.push(`${browsers.from}-${browsers.to}`)
      const add = ports.length > 0 ? [`add element ${set} { ${ports.join(', ')} }`] : []
      return [`flush set ${set}`, ...add]
    }),
  )
  return `${lines.join('\n')}\n`
}

export async function firewall(input: VerbInput): Promise<void> {
  const sets = firewallSets(await requireConfig({ file: valueOf(input.flags, 'config') }))
  input.print(nftCommands(sets).trimEnd(), sets)
}
