/**
 * Writes into the store of the folder in argv until it is killed, and prints a line for everything
 * that was acknowledged: `blob SHA256`, `seq N`, `torrent INFOHASH SHA256`, `key NAME PUBLICKEY`.
 */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { chunksOf, torrentOf } from '../../compliance/blob-store.ts'
import { someKey, someVersion } from '../../compliance/site-store.ts'
import { makeStore } from './open-store.ts'

const NO_SALT = new Uint8Array(0)
const store = makeStore(process.argv[2] ?? '')
// Synchronous: what was printed before a kill has reached the test.
const tell = (...words: (string | number)[]) => writeSync(1, `${words.join(' ')}\n`)

await store.start(new AbortController().signal)
tell('ready')
const start = Number(process.hrtime.bigint() % 1_000_000_000n)
for (let i = start; ; i++) {
  const bytes = randomBytes(1 + (i % 50_000))
  const blob = await store.blobs.put(chunksOf(bytes, 4096))
  tell('blob', blob.sha256)
  const { info, infoHash } = torrentOf(bytes)
  await store.torrents.link(infoHash, info, [blob.sha256])
  tell('torrent', infoHash, blob.sha256)
  const seq = store.sites.reserveSeq(someKey(1), NO_SALT, 0)
  tell('seq', seq)
  store.sites.remember(someVersion(seq, { infoHash }))
  tell('version', seq, infoHash)
  if (i % 10 === 0) tell('key', `k${i}`, await store.keys.create(`k${i}`))
}
