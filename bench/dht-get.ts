/**
 * How long a BEP 46 get takes in a network of 200 nodes behind links of 20 ms, with all nodes alive
 * and with 30 % of them dead; the client of bittorrent-dht does the same gets in the same run.
 *
 *   node bench/dht-get.ts [gets]
 *
 * The network, half our nodes and half bittorrent-dht's, runs in a process of its own.
 */
import { fork } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SignedItem } from '../src/base/ports/dht-node.ts'
import { mutableTarget } from '../src/base/bep44.ts'
import { fromHex, toHex } from '../src/base/bytes.ts'
import { publicKey, type PublicKey } from '../src/base/hashes.ts'
import { createSigner, linkValue } from '../test/compliance/dht-node.ts'
import { type ForeignNode, startForeignNode } from '../test/engines/dht/foreign-node.ts'
import { startNode, type TestNode } from '../test/engines/dht/network.ts'

const NODES = 200
const LINK_MS = 20
const DEAD = 0.3

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

const ours = async (bootstrap: string[]): Promise<TestNode> =>
  startNode({ bootstrap_nodes: bootstrap }, { openSocket: slowSocket })
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
  times.ms.sort((a, b) => a - b)
  return times
}

const at = ({ ms }: Times, share: number): number =>
  ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? 0

function report(title: string, mine: Times, theirs: Times): void {
  const row = (name: string, times: Times): string =>
    `  ${name.padEnd(15)} p50 ${at(times, 0.5).toFixed(0)} ms  p95 ${at(times, 0.95).toFixed(0)} ms` +
    `  max ${at(times, 1).toFixed(0)} ms  found ${times.found}/${times.ms.length}`
  console.log(`${title}\n${row('btlinkd', mine)}\n${row('bittorrent-dht', theirs)}`)
  console.log(`  ratio of p50: ${(at(theirs, 0.5) / at(mine, 0.5)).toFixed(2)}x faster`)
}

async function main(): Promise<void> {
  const gets = Number(process.argv[2] ?? 60)
  const child = fork(import.meta.filename, ['network'], { stdio: 'inherit' })
  const { bootstrap } = await answer<{ bootstrap: string }>(child)
  const mine = await ours([bootstrap])
  const theirs = await foreign([bootstrap])
  await sleep(3000)
  const getMine = async (key: PublicKey): Promise<boolean> =>
    (await mine.node.getMutable(key, new Uint8Array(0))).item !== undefined
  const getTheirs = async (key: PublicKey): Promise<boolean> => {
    const hash = toHex(fromHex(mutableTarget(key, new Uint8Array(0))))
    const found = await theirs.get(hash).catch(() => null)
    return found !== null
  }
  const put = async (): Promise<PublicKey[]> =>
    (await answer<{ keys: string[] }>(child, { put: gets })).keys.map((key) => publicKey(key))

  const alive = await put()
  report(
    `${NODES} nodes, all alive`,
    await measure(alive, getMine),
    await measure(alive, getTheirs),
  )
  const rest = await put()
  const { killed } = await answer<{ killed: number }>(child, { kill: NODES * DEAD })
  const half = rest.length / 2
  const dead = await measure(rest.slice(0, half), getMine)
  const deadTheirs = await measure(rest.slice(half), getTheirs)
  report(`${killed} of them dead`, dead, deadTheirs)
  await Promise.all([mine.stop(), theirs.stop()])
  child.kill()
}

await (process.argv[2] === 'network' ? runNetwork() : main())
