import { complyAsDhtNode } from '../../compliance/dht-node.ts'
import { startNetwork } from './network.ts'

for (const count of [2, 24]) {
  complyAsDhtNode(`the DHT engine among ${count} nodes`, async () => {
    const network = await startNetwork(count)
    const [a, b, ...rest] = network.nodes.map(({ node }) => node)
    if (!a || !b) throw new Error('a network needs two nodes')
    return { nodes: [a, b, ...rest], stop: async () => network.stop() }
  })
}
