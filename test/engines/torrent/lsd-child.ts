/** One box of the local discovery test: seeds or fetches with nothing but multicast to go by. */
import { join } from 'node:path'
import { leaveSleeping } from '../../support/sleeping-seeds.ts'
import { layDown, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { startEngine } from './support.ts'

const SEEDS = 400

const [role = '', state = ''] = process.argv.slice(2)
const made = makeTorrentOf(pattern(300_000), { name: 'local' })
const layout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
if (role === 'many') {
  await leaveSleeping(layout, made)
  for (let seed = 2; seed <= SEEDS; seed++)
    await leaveSleeping(layout, makeTorrentOf(pattern(200, seed)))
}
const { engine, port } = await startEngine(
  { after() {} },
  { lsd: true, allow_local: false },
  { state },
)
if (role === 'seed') {
  await layDown(join(state, 'torrents'), made)
  await engine.add(made.info, { verified: true })
  await engine.seed(made.infoHash)
  console.log(`seeding ${port}`)
} else if (role === 'many') {
  console.log(`seeding ${port}`)
} else {
  const info = await engine.metainfo(made.infoHash)
  await engine.add(info)
  await engine.want(made.infoHash, 0, { start: 0, end: 300_000 }, 'now')
  const [peer] = await engine.peers(made.infoHash)
  console.log(`got it from ${peer?.address} by ${peer?.source}`)
}
// Stays until the test ends it.
setInterval(() => {}, 60_000)
