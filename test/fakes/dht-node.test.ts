import { complyAsDhtNode } from '../compliance/dht-node.ts'
import { createFakeDht } from './dht-node.ts'

complyAsDhtNode('the fake DHT', async () => {
  const dht = createFakeDht()
  return { nodes: [dht.node(), dht.node()], async stop() {} }
})
