/** A box for the publisher's tests: a real store and library, a fake swarm and DHT shared by boxes. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { Store } from '../../../src/base/ports/store.ts'
import type { UploadedFile } from '../../../src/base/ports/content.ts'
import { type StorePaths, storePaths } from '../../../src/engines/store/index.ts'
import { createLibrary } from '../../../src/services/library/index.ts'
import {
  createPublisher,
  type PublisherConfig,
  type PublisherService,
} from '../../../src/services/publish/index.ts'
import { createFakeDht, type FakeDht } from '../../fakes/dht-node.ts'
import {
  createFakeSwarm,
  type FakeSwarm,
  type FakeTorrentEngine,
} from '../../fakes/torrent-engine.ts'
import { makeStore, storageConfig } from '../../engines/store/open-store.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export const publisherConfig: PublisherConfig = {
  publish: {
    republish_interval: 14_400_000,
    min_acks: 10,
    lookup_timeout: 500,
    put_timeout: 500,
    put_gap: 0,
    watch_debounce: 60,
    watch_max_wait: 1000,
    rescan_interval: 60_000,
    max_files: 1000,
  },
  uploads: { max_size: 1_000_000, max_files: 50 },
  storage: { blob_threshold: 104_857_600, chunk_size: 2_097_152 },
}

export interface Box {
  state: string
  paths: StorePaths
  store: Store
  engine: FakeTorrentEngine
  publisher: PublisherService
  dht: FakeDht
  swarm: FakeSwarm
  /** Ends the box; its state folder stays, for another one to take over. */
  stop(): Promise<void>
}

export interface BoxOptions {
  state?: string
  dht?: FakeDht
  swarm?: FakeSwarm
  config?: Partial<{ [Section in keyof PublisherConfig]: Partial<PublisherConfig[Section]> }>
}

export async function openBox(t: Cleanup, options: BoxOptions = {}): Promise<Box> {
  const state = options.state ?? (await tempFolder(t))
  const dht = options.dht ?? createFakeDht()
  const swarm = options.swarm ?? createFakeSwarm()
  const paths = storePaths({ ...storageConfig, stateDir: state })
  const store = makeStore(state)
  const engine = swarm.engine(paths)
  const library = createLibrary(
    { engine, torrents: store.torrents, sites: store.sites, layout: paths, log: silentLog },
    {
      metainfo_timeout: 2000,
      stall_timeout: 2000,
      keep_whole_below: 0,
      read_ahead: 65_536,
      max_open_torrents: 100,
    },
  )
  const config = {
    publish: { ...publisherConfig.publish, ...options.config?.publish },
    uploads: { ...publisherConfig.uploads, ...options.config?.uploads },
    storage: { ...publisherConfig.storage, ...options.config?.storage },
  }
  const clock = { now: () => Date.now() }
  const deps = {
    store,
    engine,
    dht: dht.node(),
    library,
    clock,
    log: silentLog,
    ownFolders: [state],
  }
  const publisher = createPublisher(deps, config)
  const parts = [store, engine, library, publisher]
  for (const part of parts) await part.start(new AbortController().signal)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= (async () => {
      for (const part of parts.toReversed()) await part.stop()
    })()
    return stopped
  }
  finallyDo(t, stop)
  return { state, paths, store, engine, publisher, dht, swarm, stop }
}

/** Writes files, given as path and content, into a new folder. */
export async function siteFolder(
  t: Cleanup,
  files: Record<string, string | Uint8Array>,
): Promise<string> {
  const folder = join(await tempFolder(t), 'site')
  await mkdir(folder)
  await writeFiles(folder, files)
  return folder
}

export async function writeFiles(
  folder: string,
  files: Record<string, string | Uint8Array>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

export async function* uploads(
  ...files: [path: string, content: string | Uint8Array][]
): AsyncGenerator<UploadedFile> {
  for (const [path, content] of files) {
    yield { path: path.split('/'), content: chunks(Buffer.from(content)) }
  }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000)
}
