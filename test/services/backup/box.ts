/** Boxes at rest for tests: a state folder with keys, a root and a site, and the backup of it. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY } from '../../../src/base/bytes.ts'
import type { InfoHash, PublicKey } from '../../../src/base/hashes.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createPki } from '../../../src/engines/pki/index.ts'
import { createContent, createDatabaseFiles, storePaths } from '../../../src/engines/store/index.ts'
import { type Packed, packBox, restoreBox } from '../../../src/services/backup/index.ts'
import { makeStore, storageConfig } from '../../engines/store/open-store.ts'
import { chunksOf, torrentOf } from '../../compliance/blob-store.ts'
import { systemClock } from '../../../src/base/ports/clock.ts'

export const PASSPHRASE = 'correct horse battery staple'
const never = new AbortController().signal
/** Quick to open: it is the form that is tested. */
const QUICK = 4

export const CONTENT = Buffer.alloc(100_000, 'content of a site ')

export async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(Uint8Array.from(piece))
  return Buffer.concat(pieces)
}

export interface MadeBox {
  state: string
  key: PublicKey
  torrent: InfoHash
}

/** A box that was used: everything in it says `title`. */
export async function makeBox(state: string, title: string, tld = title): Promise<MadeBox> {
  const store = makeStore(state)
  await store.start(never)
  const key = await store.keys.create(title)
  const { infoHash, info } = torrentOf(CONTENT)
  const blob = await store.blobs.put(chunksOf(CONTENT))
  await store.torrents.link(infoHash, info, [blob.sha256])
  store.sites.saveSite({
    publicKey: key,
    salt: EMPTY,
    keyName: title,
    title,
    watched: false,
    pinned: false,
  })
  const seq = store.sites.reserveSeq(key, EMPTY, 6)
  const value = new Uint8Array(0)
  const signature = new Uint8Array(64)
  store.sites.remember({
    publicKey: key,
    salt: EMPTY,
    seq,
    infoHash,
    value,
    signature,
    firstSeenAt: 1,
    confirmedAt: 1,
  })
  await store.snapshot()
  await store.stop()
  const options = {
    box_names: [],
    link_domains: [],
    leaf_lifetime: 7_776_000_000,
    max_leaves: 10,
    leaves_per_second: 10,
    leaf_burst: 10,
    tld,
    reserved_hosts: [],
  }
  const pki = createPki({ log: silentLog, clock: systemClock, folder: join(state, 'pki') }, options)
  await pki.start(never)
  await pki.root('names')
  await pki.stop()
  return { state, key, torrent: infoHash }
}

export async function backupOf(
  { state, torrent }: MadeBox,
  options: { withSites?: boolean; config?: string } = {},
): Promise<Buffer> {
  const report: Packed = { files: 0, bytes: 0, strangers: [], partial: [] }
  const stream = packBox(
    {
      stateDir: state,
      database: join(state, 'state.db.snapshot'),
      layout: storePaths({ ...storageConfig, stateDir: state }),
      config: options.config,
      torrents: options.withSites === true ? [torrent] : [],
      head: { made: Date.now(), btlinkd: '0.1.0', host: 'test' },
      passphrase: PASSPHRASE,
      logN: QUICK,
    },
    report,
    never,
  )
  return gather(stream)
}

export async function* inPieces(bytes: Uint8Array, most = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += most) yield bytes.subarray(at, at + most)
}

export const restoreInto = (state: string, backup: Uint8Array, passphrase = PASSPHRASE) =>
  restoreBox(
    {
      databases: createDatabaseFiles(),
      content: createContent({ ...storageConfig, stateDir: state }),
    },
    {
      stateDir: state,
      database: join(state, 'state.db'),
      open: () => inPieces(backup),
      passphrase,
      approve: async () => {},
      stageConfig: async () => undefined,
      finish: (work) => work(),
    },
    never,
  )

/** What each part of a box says it is: one title where it is whole. */
export async function titlesOf(state: string): Promise<string[]> {
  const titles = new Set<string>()
  for (const entry of await readdir(join(state, 'keys')).catch(() => ['no keys'])) {
    titles.add(entry.replace(/\.key$/, ''))
  }
  const roots = await readdir(join(state, 'pki', 'names')).catch(() => ['no roots'])
  for (const tld of roots) {
    titles.add(tld)
    await readFile(join(state, 'pki', 'names', tld, '1', 'root.pem')).catch(() =>
      titles.add('no root'),
    )
  }
  const facts = await createDatabaseFiles().inspect(join(state, 'state.db'))
  for (const { title = 'no title' } of facts.own) titles.add(title)
  if (facts.own.length === 0) titles.add('no site')
  return [...titles].sort()
}
