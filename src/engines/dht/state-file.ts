/** What outlives a restart: our ids, known nodes, stored items. Written whole or not at all. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BDict, decode, type Encodable, encode } from '../../base/bencode.ts'
import { fromHex, toHex } from '../../base/bytes.ts'
import { writeDurably } from '../../base/durable-file.ts'
import { publicKey, target } from '../../base/hashes.ts'
import { type Family, packPeer, PEER_BYTES, unpackPeer } from './address.ts'
import type { StoredItem } from './item-store.ts'
import type { Contact } from './krpc.ts'
import { ID_BYTES } from './node-id.ts'

export interface SavedState {
  ids: Partial<Record<Family, Uint8Array>>
  nodes: Contact[]
  items: StoredItem[]
  readOnly: boolean
}

const FILE_MODE = 0o600
const MAX_NODES = 1000
const MAX_ITEMS = 100_000
const NODE_STRIDES: Record<Family, number> = {
  4: ID_BYTES + PEER_BYTES[4],
  6: ID_BYTES + PEER_BYTES[6],
}

async function readDict(path: string): Promise<BDict | undefined> {
  try {
    const value = decode(await readFile(path), { maxDepth: 4 })
    return value instanceof Map ? value : undefined
  } catch {
    // Absent or damaged: the network gives it all back.
    return undefined
  }
}

const bytesOf = (dict: BDict, key: string): Uint8Array => {
  const value = dict.get(key)
  return value instanceof Uint8Array ? Uint8Array.from(value) : new Uint8Array(0)
}

const numberOf = (dict: BDict, key: string): number => {
  const value = dict.get(key)
  return typeof value === 'number' ? value : 0
}

function readNodes(dict: BDict, family: Family): Contact[] {
  const packed = bytesOf(dict, `nodes${family}`)
  const stride = NODE_STRIDES[family]
  const nodes: Contact[] = []
  for (let at = 0; at + stride <= packed.length && nodes.length < MAX_NODES; at += stride) {
    const address = unpackPeer(packed.subarray(at + ID_BYTES, at + stride))
    if (address) nodes.push({ id: packed.slice(at, at + ID_BYTES), ...address })
  }
  return nodes
}

function readItem(dict: BDict): StoredItem | undefined {
  const hash = bytesOf(dict, 'target')
  const value = bytesOf(dict, 'value')
  const at = numberOf(dict, 'at')
  if (hash.length !== ID_BYTES || value.length === 0) return undefined
  const item = { target: target(toHex(hash)), at, value }
  const key = bytesOf(dict, 'key')
  if (key.length !== 32) return item
  const salt = bytesOf(dict, 'salt')
  const signature = bytesOf(dict, 'sig')
  const mutable = {
    publicKey: publicKey(toHex(key)),
    salt,
    seq: numberOf(dict, 'seq'),
    value,
    signature,
  }
  return { ...item, mutable }
}

const writeItem = ({ target, at, value, mutable }: StoredItem): Encodable => ({
  target: fromHex(target),
  at: Math.trunc(at),
  value,
  ...(mutable && {
    key: fromHex(mutable.publicKey),
    salt: mutable.salt,
    seq: mutable.seq,
    sig: mutable.signature,
  }),
})

/** @param folder the room's own folder below the state */
export function createStateFile(folder: string) {
  const nodesPath = join(folder, 'nodes.benc')
  const itemsPath = join(folder, 'items.benc')
  let savedItems: Uint8Array = new Uint8Array(0)

  return {
    async load(): Promise<SavedState> {
      const dict: BDict = (await readDict(nodesPath)) ?? new Map()
      const items = (await readDict(itemsPath))?.get('items')
      const ids: SavedState['ids'] = {}
      for (const family of [4, 6] as const) {
        const id = bytesOf(dict, `id${family}`)
        if (id.length === ID_BYTES) ids[family] = id
      }
      return {
        ids,
        nodes: [...readNodes(dict, 4), ...readNodes(dict, 6)],
        readOnly: numberOf(dict, 'read_only') === 1,
        items: (Array.isArray(items) ? items : []).slice(0, MAX_ITEMS).flatMap((entry) => {
          const item = entry instanceof Map ? readItem(entry) : undefined
          return item ? [item] : []
        }),
      }
    },
    /** Items are only written when they changed: they are the larger part, and cards wear. */
    async save(state: SavedState): Promise<void> {
      await mkdir(folder, { recursive: true })
      const pack = (family: Family): Uint8Array =>
        Buffer.concat(
          state.nodes
            .filter((node) => (node.host.includes(':') ? 6 : 4) === family)
            .slice(0, MAX_NODES)
            .flatMap((node) => [node.id, packPeer(node)]),
        )
      const { ids } = state
      await writeDurably(
        nodesPath,
        encode({
          id4: ids[4],
          id6: ids[6],
          nodes4: pack(4),
          nodes6: pack(6),
          read_only: state.readOnly ? 1 : 0,
        }),
        { mode: FILE_MODE },
      )
      const items = encode({ items: state.items.map(writeItem) })
      if (Buffer.compare(items, savedItems) === 0) return
      await writeDurably(itemsPath, items, { mode: FILE_MODE })
      savedItems = items
    },
  }
}

export type StateFile = ReturnType<typeof createStateFile>
