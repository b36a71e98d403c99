import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { type Answer, Client } from 'bittorrent-tracker'
import { infoHash } from '../../../src/base/hashes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { socketServer } from './socket-harness.ts'

function client(t: Cleanup, announce: string, hash: string, left: () => number): Client {
  const made = new Client({
    infoHash: hash,
    peerId: randomBytes(20),
    announce: [announce],
    port: 6881,
    getAnnounceOpts: () => ({ uploaded: 0, downloaded: 0, left: left(), numwant: 0 }),
  })
  made.on('error', (error) => assert.fail(error))
  finallyDo(t, () => made.destroy())
  return made
}

async function next(from: Client, event: 'update' | 'scrape'): Promise<Answer> {
  const [answer] = (await once(from, event)) as [Answer]
  return answer
}

test('the client of bittorrent-tracker starts, completes, scrapes and stops', async (t) => {
  const { url, tracker, completed } = await socketServer(t)
  const hash = infoHash(randomBytes(20).toString('hex'))
  // Clients of one process share a socket for each URL: two queries make two.
  const seed = client(t, `${url}?1`, hash, () => 0)
  seed.start()
  const first = await next(seed, 'update')
  assert.equal(first.infoHash, hash)
  assert.equal(first.interval, 360)
  assert.deepEqual([first.complete, first.incomplete], [1, 0])
  let left = 5
  const leecher = client(t, `${url}?2`, hash, () => left)
  leecher.start()
  const second = await next(leecher, 'update')
  assert.deepEqual([second.complete, second.incomplete], [1, 1])
  leecher.scrape()
  const scraped = await next(leecher, 'scrape')
  assert.deepEqual([scraped.infoHash, scraped.complete, scraped.incomplete], [hash, 1, 1])
  left = 0
  leecher.complete()
  const third = await next(leecher, 'update')
  assert.deepEqual([third.complete, third.incomplete], [2, 0])
  assert.deepEqual(completed, [hash])
  leecher.stop()
  const fourth = await next(leecher, 'update')
  assert.deepEqual([fourth.complete, fourth.incomplete], [1, 0])
  assert.equal(tracker.stats()['socket_faults'], 0)
})

test('the client of bittorrent-tracker hears why it is refused', async (t) => {
  const { url } = await socketServer(t, { allowed: () => false })
  const refused = client(t, `${url}?3`, randomBytes(20).toString('hex'), () => 0)
  refused.start()
  const [warning] = (await once(refused, 'warning')) as [Error]
  assert.match(warning.message, /does not know the torrent/)
})
