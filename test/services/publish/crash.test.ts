import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { isSignedByOwner } from '../../../src/base/bep44.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import { start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type Box, openBox } from './box.ts'

const ROUNDS = 8
const NO_SALT = new Uint8Array(0)
const WRITER = join(import.meta.dirname, 'writer-child.ts')

/** Every byte of it is what its pieces say: another box can take it from this one. */
async function isWhole(t: Parameters<typeof openBox>[0], box: Box, hash: string): Promise<void> {
  const info = await box.store.torrents.info(infoHash(hash))
  assert.ok(info, `the info dict of ${hash} is lost`)
  await box.engine.add(info, { verified: true })
  const other = await openBox(t, { swarm: box.swarm })
  await other.engine.add(info)
  for (const { index, length } of decodeInfo(info).files) {
    const within = AbortSignal.timeout(5000)
    await other.engine.want(infoHash(hash), index, { start: 0, end: length }, 'now', within)
  }
  await other.stop()
}

describe('a publisher whose process is killed', () => {
  it(`at ${ROUNDS} random moments leaves only whole versions, each with its own seq`, async (t) => {
    const base = await tempFolder(t)
    await mkdir(join(base, 'site'))
    const published = new Map<number, string>()
    const uploaded: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const writer = start(t, process.execPath, [WRITER, base])
      await writer.line((line) => line === 'ready')
      await sleep(20 + Math.random() * 230)
      writer.kill('SIGKILL')
      await new Promise((resolve) => writer.child.once('close', resolve))
      // The last line may be cut short by the kill.
      for (const line of writer.output().split('\n').slice(0, -1)) {
        const [what, one = '', two = ''] = line.split(' ')
        if (what === 'uploaded') uploaded.push(one)
        if (what !== 'published') continue
        assert.ok(!published.has(Number(one)) || published.get(Number(one)) === two, line)
        published.set(Number(one), two)
      }
    }
    assert.ok(published.size > ROUNDS, `only ${published.size} versions published`)
    const box = await openBox(t, { state: join(base, 'state') })
    const key = await box.store.keys.ensure('main')
    const versions = box.store.sites.versions(key, NO_SALT)
    const bySeq = new Map(versions.map((version) => [version.seq, version.infoHash]))
    for (const [seq, hash] of published) assert.equal(bySeq.get(seq), hash)
    assert.ok(versions.every(isSignedByOwner))
    // Acknowledged or not: what has a record has its torrent, whole.
    for (const version of versions.slice(0, 5)) await isWhole(t, box, version.infoHash)
    const pinned = new Set(box.store.sites.pinnedTorrents().map((pin) => pin.infoHash))
    for (const hash of uploaded) assert.ok(pinned.has(infoHash(hash)))
    for (const hash of uploaded.slice(-3)) await isWhole(t, box, hash)
    for (const folder of [box.paths.blobs, box.paths.torrents]) {
      assert.ok((await readdir(folder)).every((name) => !name.startsWith('.')))
    }
    const latest = versions[0]?.infoHash
    await until('seeding again', async () => {
      return latest !== undefined && (await box.engine.status(latest))?.seeding
    })
    t.diagnostic(`${published.size} versions, ${uploaded.length} uploads acknowledged`)
  })
})
