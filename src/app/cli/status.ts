import type { PeerInfo } from '../../base/ports/torrent-engine.ts'
import { formatSize } from '../../base/units.ts'
import { ask } from './admin-client.ts'
import { Refused } from './admin-client.ts'
import { peerTable } from './peers.ts'
import { table } from './table.ts'
import type { Verb } from './verb.ts'

interface HealthReport {
  status: string
  score: number
  components: Record<string, { status: string; score: number; detail?: string }>
}

interface Status {
  version: string
  uptimeSeconds: number
  gateway?: string
  sites: number
  clock?: { state: string; now: string }
  health: HealthReport
  listeners: Record<string, { port: number }>
  dht?: { nodes4: number; nodes6: number; readOnly: boolean }
  /** The busiest. */
  peers?: PeerInfo[]
  torrents?: { totalBytes: number; verifiedBytes: number; complete: boolean; peers: number }[]
}

const componentTable = ({ components }: HealthReport): string =>
  table(
    ['PART', 'STATUS', 'SCORE', ''],
    Object.entries(components).map(([name, one]) => [
      name,
      one.status,
      String(one.score),
      one.detail ?? '',
    ]),
  )

const SHOWN_PEERS = 20

function describe(status: Status): string {
  const { dht, torrents } = status
  const ports = Object.entries(status.listeners).map(([name, { port }]) => `${name} ${port}`)
  const lines = [
    `btlinkd    ${status.version}, up ${status.uptimeSeconds} s, ${status.health.status} (${status.health.score})`,
    `gateway    ${status.gateway ?? 'not listening'}`,
    `ports      ${ports.join(', ')}`,
    `sites      ${status.sites}`,
  ]
  if (status.clock)
    lines.push(`clock      ${status.clock.state}, ${status.clock.now.slice(0, 16)}Z`)
  if (dht)
    lines.push(`DHT        ${dht.nodes4 + dht.nodes6} nodes${dht.readOnly ? ', read-only' : ''}`)
  if (torrents) {
    const bytes = torrents.reduce((sum, one) => sum + one.verifiedBytes, 0)
    const peers = torrents.reduce((sum, one) => sum + one.peers, 0)
    lines.push(`torrents   ${torrents.length}, ${formatSize(bytes)}, ${peers} peers`)
  }
  const parts = [lines.join('\n'), componentTable(status.health)]
  if (status.peers && status.peers.length > 0)
    parts.push(peerTable(status.peers.slice(0, SHOWN_PEERS)))
  return parts.join('\n\n')
}

export const statusVerb: Verb = {
  usage: ['status'],
  help: 'Says what the running daemon does: ports, DHT, torrents, and how its parts are.',
  options: {},
  takes: [0, 0],
  async run(input) {
    const status = await ask<Status>(await input.stateDir(), 'GET', '/api/status')
    input.print(describe(status), status)
  },
}

export const healthVerb: Verb = {
  usage: ['health'],
  help: 'Says how each part is. The exit code is 1 when the box is down.',
  options: {},
  takes: [0, 0],
  async run(input) {
    const report = await ask<HealthReport>(await input.stateDir(), 'GET', '/api/health')
    input.print(`${report.status} (${report.score})\n\n${componentTable(report)}`, report)
    if (report.status === 'down') throw new Refused('the box is down')
  },
}
