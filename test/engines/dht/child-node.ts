/**
 * A DHT node of ours in a process of its own, for tests in network namespaces:
 * `node child-node.ts HOST PORT [BOOTSTRAP]`. Reads one JSON command a line, answers with one line.
 */
import { createInterface } from 'node:readline'
import { infoHash } from '../../../src/base/hashes.ts'
import { peersOf } from '../../compliance/dht-node.ts'
import { startNode } from './network.ts'

export type Command =
  | { do: 'info' }
  | { do: 'announce'; hash: string; port: number }
  | { do: 'peers'; hash: string }

const [, , host = '127.0.0.1', port = '0', bootstrap] = process.argv
const started = await startNode({
  bind_address: host,
  port: Number(port),
  bootstrap_nodes: bootstrap === undefined ? [] : [bootstrap],
})
const { node } = started

async function obey(command: Command): Promise<unknown> {
  if (command.do === 'announce') return node.announce(infoHash(command.hash), command.port)
  if (command.do === 'peers') return peersOf(node, command.hash)
  return node.info()
}

console.log(JSON.stringify({ listening: started.port }))
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await obey(JSON.parse(line) as Command)))
}
await started.stop()
