import { join } from 'node:path'
import { complyAsTorrentEngine } from '../compliance/torrent-engine.ts'
import { finallyDo, tempFolder } from '../support/temp.ts'
import { createFakeSwarm, type FakeSwarm } from './torrent-engine.ts'

const swarms = new WeakMap<object, FakeSwarm>()

complyAsTorrentEngine('the fake', async (t) => {
  const swarm = swarms.get(t) ?? createFakeSwarm()
  swarms.set(t, swarm)
  const state = await tempFolder(t)
  const layout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
  const engine = swarm.engine(layout)
  await engine.start(new AbortController().signal)
  finallyDo(t, () => engine.stop())
  return { engine, layout, hints: {} }
})
