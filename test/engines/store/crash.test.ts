import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { infoHash, type InfoHash, sha256 } from '../../../src/base/hashes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import type { Store } from '../../../src/base/ports/store.ts'
import { storePaths } from '../../../src/engines/store/index.ts'
import { someKey } from '../../compliance/site-store.ts'
import { start } from '../../support/processes.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { makeStore, storageConfig } from './open-store.ts'

const ROUNDS = 12
const NO_SALT = new Uint8Array(0)
const WRITER = join(import.meta.dirname, 'writer-child.ts')

interface Acknowledged {
  blobs: string[]
  torrents: [hash: string, blob: string][]
  versions: [seq: number, hash: string][]
  keys: [name: string, publicKey: string][]
  seqs: number[]
}

function read(lines: string[], all: Acknowledged): void {
  for (const line of lines) {
    const [what, one = '', two = ''] = line.split(' ')
    if (what === 'blob') all.blobs.push(one)
    if (what === 'torrent') all.torrents.push([one, two])
    if (what === 'version') all.versions.push([Number(one), two])
    if (what === 'key') all.keys.push([one, two])
    if (what === 'seq') all.seqs.push(Number(one))
  }
}

async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

async function checkStore(store: Store, state: string, all: Acknowledged): Promise<void> {
  const paths = storePaths({ ...storageConfig, stateDir: state })
  for (const hash of all.blobs) {
    const blob = await store.blobs.get(sha256(hash))
    assert.ok(blob, `blob ${hash} is lost`)
    assert.equal(await hashOf(blob.path), hash)
  }
  for (const [hash, blob] of all.torrents) {
    const file = torrentFilePath(paths, infoHash(hash), 0)
    assert.equal(await hashOf(file), blob)
    assert.ok((await stat(file)).nlink >= 2)
    assert.ok(await store.torrents.info(infoHash(hash)), `info of ${hash} is lost`)
  }
  const known = new Map(store.sites.versions(someKey(1), NO_SALT).map((v) => [v.seq, v.infoHash]))
  for (const [seq, hash] of all.versions) assert.equal(known.get(seq), hash as InfoHash)
  for (const [name, key] of all.keys) assert.equal(await store.keys.publicKey(name), key)
  for (const folder of [paths.blobs, paths.torrents, paths.keys]) {
    const hidden = (await readdir(folder)).filter((name) => name.startsWith('.'))
    assert.deepEqual(hidden, [], `left in ${folder}`)
  }
  // Every blob on the shelf is whole, acknowledged or not.
  for (const name of await readdir(paths.blobs, { recursive: true })) {
    const [, hash] = name.split('/')
    if (hash !== undefined) assert.equal(await hashOf(join(paths.blobs, name)), hash)
  }
}

describe('a store whose process is killed', () => {
  it(`at ${ROUNDS} random moments keeps all it acknowledged and gives no seq twice`, async (t) => {
    const state = await tempFolder(t)
    const all: Acknowledged = { blobs: [], torrents: [], versions: [], keys: [], seqs: [] }
    for (let round = 0; round < ROUNDS; round++) {
      const writer = start(t, process.execPath, [WRITER, state])
      await writer.line((line) => line === 'ready')
      await sleep(20 + Math.random() * 180)
      writer.kill('SIGKILL')
      await new Promise((resolve) => writer.child.once('close', resolve))
      read(
        writer
          .output()
          .split('\n')
          // The last line may be cut short by the kill.
          .slice(0, -1),
        all,
      )
    }
    assert.ok(all.versions.length > ROUNDS, `only ${all.versions.length} versions written`)
    assert.deepEqual(
      all.seqs,
      all.seqs.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(all.seqs).size, all.seqs.length)
    const store = makeStore(state, { history_limit: 1_000_000 })
    await store.start(new AbortController().signal)
    finallyDo(t, () => store.stop())
    await checkStore(store, state, all)
    assert.ok(store.sites.reserveSeq(someKey(1), NO_SALT, 0) > (all.seqs.at(-1) ?? Infinity))
    t.diagnostic(`${all.blobs.length} blobs, ${all.seqs.length} seqs, ${all.keys.length} keys`)
  })
})
