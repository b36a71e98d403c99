import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { infoHash } from '../../../src/base/hashes.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { TorrentEngine, TorrentStatus } from '../../../src/base/ports/torrent-engine.ts'
import { createHoldings } from '../../../src/services/swarm/index.ts'
import { until } from '../../support/until.ts'

const A = infoHash('aa'.repeat(20))
const B = infoHash('bb'.repeat(20))

function statusOf(hash: typeof A, complete: boolean): TorrentStatus {
  const verifiedBytes = complete ? 10 : 0
  return {
    infoHash: hash,
    verifiedBytes,
    totalBytes: 10,
    complete,
    seeding: complete,
    peers: 0,
    downloadedBytes: 0,
    uploadedBytes: 0,
  }
}

async function holdings(t: TestContext) {
  const there = new Map<string, TorrentStatus>()
  const looking = Promise.withResolvers<Uint8Array>()
  let tell: (hash: typeof A) => void = () => {}
  let break_: (error: Error) => void = () => {}
  const engine = {
    name: 'swarm',
    listening: async () => ({
      port: 6881,
      stats: {
        torrents: there.size,
        whole: [...there.values()].filter(({ complete }) => complete).length,
      },
    }),
    torrents: async () => [...there.values()],
    status: async (hash: string) => there.get(hash),
    metainfo: async () => looking.promise,
    seed: async (hash: typeof A) => void there.set(hash, statusOf(hash, true)),
    drop: async (hash: string) => void there.delete(hash),
    async *completed(signal: AbortSignal) {
      while (!signal.aborted) {
        const next = await new Promise<typeof A | undefined>((resolve, reject) => {
          tell = resolve
          break_ = reject
          signal.addEventListener('abort', () => resolve(undefined), { once: true })
        })
        if (next) yield next
      }
    },
  } as unknown as TorrentEngine
  const made = createHoldings({ engine, log: silentLog })
  t.after(() => made.stop())
  there.set(A, statusOf(A, false))
  await made.start(new AbortController().signal)
  await until('the port is known', () => made.peerPort() === 6881)
  return {
    made,
    there,
    looking,
    complete: (hash: typeof A) => tell(hash),
    fail: () => break_(new Error('the role ended')),
  }
}

describe('holdings', () => {
  it('know what the engine has, and what became whole', async (t) => {
    const { made, complete } = await holdings(t)
    await until('it is listed', () => made.holds(A) === 'part')
    assert.equal(made.holds(B), undefined)
    complete(A)
    await until('it became whole', () => made.holds(A) === 'whole')
  })

  it('hear that a torrent is whole no longer', async (t) => {
    const { made, there, complete } = await holdings(t)
    there.set(A, statusOf(A, true))
    complete(A)
    await until('it became whole', () => made.holds(A) === 'whole')
    // Its files were deleted, which the engine found when somebody asked for them.
    there.set(A, statusOf(A, false))
    await until('the next look', () => made.holds(A) === 'part')
  })

  it('know a torrent as soon as it is seeded, and forget it when it is dropped', async (t) => {
    const { made } = await holdings(t)
    await made.engine.seed(B)
    assert.equal(made.holds(B), 'whole')
    await made.engine.drop(B)
    assert.equal(made.holds(B), undefined)
  })

  it('follow the engine again after its role ended', async (t) => {
    const { made, complete, fail } = await holdings(t)
    await until('it is listed', () => made.holds(A) === 'part')
    fail()
    await until('it is followed again', () => {
      complete(A)
      return made.holds(A) === 'whole'
    })
  })

  it('holds what is looked for as a part, until nobody looks', async (t) => {
    const { made, looking } = await holdings(t)
    const [first, second] = [made.engine.metainfo(B), made.engine.metainfo(B)]
    assert.equal(made.holds(B), 'part')
    looking.reject(new Error('nobody has it'))
    await Promise.allSettled([first, second])
    assert.equal(made.holds(B), undefined)
  })
})
