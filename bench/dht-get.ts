/**
 * How long a BEP 46 get takes in a network of 200 nodes behind links of 20 ms, with all nodes alive
 * and with 30 % of them dead; the client of bittorrent-dht does the same gets in the same run.
 *
 *   node bench/dht-get.ts [--json]
 *
 * The network, half our nodes and half bittorrent-dht's, runs in a process of its own.
 */
import { fork } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SignedItem } from '../src/base/ports/dht-node.ts'
import { mutableTarget } from '../src/base/bep44.ts'
import { publicKey, type PublicKey } from '../src/base/hashes.ts'
import { createSigner, linkValue } from '../test/compliance/dht-node.ts'
import { type ForeignNode, startForeignNode } from '../test/engines/dht/foreign-node.ts'
import { startNode, type TestNode } from '../test/engines/dht/network.ts'
import { type Bench, bench, percentile } from './runner.ts'

const NODES = 200
const LINK_MS = 20
const DEAD = 0.3
const GETS = 60
const NO_SALT = new Uint8Array(0)

/** A UDP socket whose packets take as long as a link would. */
function slowSocket(): Socket {
  const socket = createSocket('udp4')
  let open = true
  socket.on('close', () => {
    open = false
  })
  const send = socket.send.bind(socket) as (...args: unknown[]) => void
  return Object.assign(socket, {
    send: (...args: unknown[]) => {
      setTimeout(() => {
        if (open) send(...args)
      }, LINK_MS)
    },
  })
}

/** The child is ended, not stopped, so its nodes' states lie where the parent clears them. */
const folder = process.argv[3] ?? (await mkdtemp(join(tmpdir(), 'btl-bench-dht-')))
let states = 0

const ours = async (bootstrap: string[]): Promise<TestNode> =>
  startNode(
    { bootstrap_nodes: bootstrap },
    { openSocket: slowSocket, statePath: join(folder, `${process.pid}-${++states}`) },
  )
const foreign = async (bootstrap: string[]): Promise<ForeignNode> =>
  startForeignNode(bootstrap, { socket: slowSocket() })

interface Order {
  put?: number
  kill?: number
}

/** The child: builds the network, puts items, kills nodes, as it is told. */
async function runNetwork(): Promise<void> {
  const first = await ours([])
  const ourNodes: TestNode[] = [first]
  const foreignNodes: ForeignNode[] = []
  for (let at = 1; at < NODES; at += 20) {
    const batch = Array.from({ length: Math.min(20, NODES - at) }, async (_, offset) =>
      offset % 2 === 0
        ? foreignNodes.push(await foreign([first.address]))
        : ourNodes.push(await ours([first.address])),
    )
    await Promise.all(batch)
  }
  await sleep(3000)
  process.on('message', (order: Order) => void obey(order))
  process.send?.({ bootstrap: first.address })

  async function obey(order: Order): Promise<void> {
    if (order.put !== undefined) {
      const keys: string[] = []
      for (let at = 0; at < order.put; at++) {
        const signer = createSigner()
        const item: SignedItem = signer.item(1, linkValue(at & 255))
        const writer = ourNodes[at % ourNodes.length] ?? first
        await writer.node.putMutable(item)
        keys.push(signer.key)
      }
      process.send?.({ keys })
    }
    if (order.kill !== undefined) {
      const dying = [
        ...ourNodes.slice(1, 1 + order.kill / 2),
        ...foreignNodes.slice(0, order.kill / 2),
      ]
      await Promise.all(dying.map(async (node) => node.stop()))
      process.send?.({ killed: dying.length })
    }
  }
}

async function answer<T>(child: ReturnType<typeof fork>, order?: Order): Promise<T> {
  const said = once(child, 'message')
  if (order) child.send(order)
  const [message] = (await said) as [T]
  return message
}

interface Times {
  found: number
  ms: number[]
}

async function measure(keys: PublicKey[], get: (key: PublicKey) => Promise<boolean>) {
  const times: Times = { found: 0, ms: [] }
  for (const key of keys) {
    const startedAt = performance.now()
    if (await get(key)) times.found++
    times.ms.push(performance.now() - startedAt)
  }
  return times
}

const p50 = ({ ms }: Times): number => percentile(ms, 0.5)
const p95 = ({ ms }: Times): number => percentile(ms, 0.95)
const found = ({ found: hits, ms }: Times): number => (100 * hits) / ms.length

async function main(run: Bench): Promise<void> {
  run.after(async () => rm(folder, { recursive: true, force: true }))
  const child = fork(import.meta.filename, ['network', folder], { stdio: 'inherit' })
  run.after(async () => {
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
  const { bootstrap } = await answer<{ bootstrap: string }>(child)
  const mine = await ours([bootstrap])
  run.after(async () => mine.stop())
  const theirs = await foreign([bootstrap])
  run.after(async () => theirs.stop())
  await sleep(3000)
  const getMine = async (key: PublicKey): Promise<boolean> =>
    (await mine.node.getMutable(key, NO_SALT)).item !== undefined
  const getTheirs = async (key: PublicKey): Promise<boolean> =>
    (await theirs.get(mutableTarget(key, NO_SALT)).catch(() => null)) !== null
  const put = async (): Promise<PublicKey[]> =>
    (await answer<{ keys: string[] }>(child, { put: GETS })).keys.map((key) => publicKey(key))

  const keys = await put()
  const alive = await measure(keys, getMine)
  const aliveTheirs = await measure(keys, getTheirs)
  run.report({ what: 'get, p50', value: p50(alive), unit: 'ms', atMost: 400 })
  run.report({ what: 'get, p95', value: p95(alive), unit: 'ms', atMost: 1000 })
  run.report({ what: 'get, found', value: found(alive), unit: '%', atLeast: 100 })
  run.report({ what: 'get by bittorrent-dht, p50', value: p50(aliveTheirs), unit: 'ms' })
  run.report({ what: 'its p50 over ours', value: p50(aliveTheirs) / p50(alive), unit: 'x' })

  const rest = await put()
  await answer<{ killed: number }>(child, { kill: NODES * DEAD })
  const dead = await measure(rest.slice(0, GETS / 2), getMine)
  const deadTheirs = await measure(rest.slice(GETS / 2), getTheirs)
  run.report({ what: 'get with 30 % dead, p50', value: p50(dead), unit: 'ms' })
  run.report({ what: 'get with 30 % dead, p95', value: p95(dead), unit: 'ms', atMost: 1500 })
  run.report({ what: 'get with 30 % dead, found', value: found(dead), unit: '%', atLeast: 100 })
  run.report({ what: 'the same by bittorrent-dht, p50', value: p50(deadTheirs), unit: 'ms' })
  run.report({ what: 'its p50 over ours', value: p50(deadTheirs) / p50(dead), unit: 'x' })
}

await (process.argv[2] === 'network' ? runNetwork() : bench('BEP 46 get among 200 nodes', main))
