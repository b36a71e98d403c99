/** Nodes of ours on addresses of 127.0.0.0/8, each as if it had a host of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { systemClock } from '../../../src/base/ports/clock.ts'
import type { DhtNode } from '../../../src/base/ports/dht-node.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createDhtNode, type DhtConfig, type DhtDeps } from '../../../src/engines/dht/index.ts'
import { dhtConfigSchema } from '../../../src/engines/dht/config.ts'
import { until } from '../../support/until.ts'

/** The defaults, made fit for loopback. */
export const localConfig = (overrides: Partial<DhtConfig> = {}): DhtConfig => ({
  ...Value.Parse(dhtConfigSchema, Value.Create(dhtConfigSchema)),
  port: 0,
  bootstrap_nodes: [],
  allow_local: true,
  ipv6: false,
  min_interval: 200,
  ...overrides,
})

export interface TestNode {
  node: DhtNode
  host: string
  port: number
  /** `host:port`, as `bootstrap_nodes` wants it. */
  address: string
  statePath: string
  stop: () => Promise<void>
}

let nextHost = 2

/** An address of 127.77.0.0/16 that no other node of this process has. */
export function freshHost(): string {
  const number = nextHost++
  return `127.77.${number >> 8}.${number & 255}`
}

export async function startNode(
  overrides: Partial<DhtConfig> = {},
  deps: Partial<DhtDeps> = {},
): Promise<TestNode> {
  const statePath = deps.statePath ?? (await mkdtemp(join(tmpdir(), 'btl-dht-')))
  const config = localConfig({ bind_address: freshHost(), ...overrides })
  const node = createDhtNode({ log: silentLog, clock: systemClock, ...deps, statePath }, config)
  const clear = async (): Promise<void> => {
    if (!deps.statePath) await rm(statePath, { recursive: true, force: true })
  }
  await node.start(new AbortController().signal).catch(async (error: unknown) => {
    await clear()
    throw error
  })
  const { port } = await node.info()
  const host = config.bind_address
  return {
    node,
    host,
    port,
    statePath,
    address: `${host}:${port}`,
    async stop() {
      await node.stop()
      await clear()
    },
  }
}

export interface TestNetwork {
  nodes: TestNode[]
  stop: () => Promise<void>
}

/** `count` nodes that found each other through the first one. */
export async function startNetwork(
  count: number,
  overrides: Partial<DhtConfig> = {},
  deps: Partial<DhtDeps> = {},
): Promise<TestNetwork> {
  const first = await startNode(overrides, deps)
  const nodes = [first]
  for (let at = 1; at < count; at++)
    nodes.push(await startNode({ bootstrap_nodes: [first.address], ...overrides }, deps))
  const enough = Math.min(count - 1, 8)
  await until('every node knows others', async () => {
    const infos = await Promise.all(nodes.map(async ({ node }) => node.info()))
    return infos.every((info) => info.nodes4 + info.nodes6 >= enough)
  })
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map(async (node) => node.stop()))
    },
  }
}
