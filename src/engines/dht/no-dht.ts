/** The port without a network, for `dht.enabled: false`: nothing is sent, and nobody answers. */
import { immutableTarget, mutableTarget } from '../../base/bep44.ts'
import { type Target, target } from '../../base/hashes.ts'
import type { DhtNode, PutOutcome } from '../../base/ports/dht-node.ts'

const NOBODY = { asked: 0, answered: 0, holders: 0, rejected: 0 } as const

const notStored = (id: Target): PutOutcome => ({ target: id, asked: 0, stored: 0, errors: {} })

export function createNoDht(): DhtNode {
  return {
    name: 'dht',
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    health: () => ({ status: 'ok', score: 100, detail: 'switched off' }),
    async *peers() {},
    announce: (infoHash) => Promise.resolve(notStored(target(infoHash))),
    getImmutable: () => Promise.resolve({ ...NOBODY }),
    getMutable: () => Promise.resolve({ ...NOBODY }),
    putImmutable: (value) => Promise.resolve(notStored(immutableTarget(value))),
    putMutable: (item) => Promise.resolve(notStored(mutableTarget(item.publicKey, item.salt))),
    addNode: () => Promise.resolve(),
    info: () =>
      Promise.resolve({ nodeId: '', nodes4: 0, nodes6: 0, port: 0, readOnly: true, stats: {} }),
  }
}
