import { complyAsTorrentEngine } from '../../compliance/torrent-engine.ts'
import { loopback, startEngine } from './support.ts'

complyAsTorrentEngine('webtorrent with our picker', async (t) => {
  const { engine, layout, port } = await startEngine(t)
  return { engine, layout, hints: loopback(port) }
})
