import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createSingleFlight } from '../../src/base/single-flight.ts'

interface Job {
  signal: AbortSignal
  resolve: (value: string) => void
  reject: (error: Error) => void
}

/** Work that ends when the test says so. */
function createJobs() {
  const jobs: Job[] = []
  const work = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => jobs.push({ signal, resolve, reject }))
  const job = (index: number): Job => {
    const found = jobs[index]
    assert.ok(found, `job ${index} has begun`)
    return found
  }
  return { work, job, count: () => jobs.length }
}

describe('single flight', () => {
  it('works once for all who wait', async () => {
    const { work, job, count } = createJobs()
    const flights = createSingleFlight<string>()
    const waiting = [flights.run('k', work), flights.run('k', work), flights.run('k', work)]
    await turn()
    job(0).resolve('done')
    assert.deepEqual(await Promise.all(waiting), ['done', 'done', 'done'])
    assert.equal(count(), 1)
  })

  it('keeps keys apart', async () => {
    const { work, job, count } = createJobs()
    const flights = createSingleFlight<string>()
    const waiting = [flights.run('a', work), flights.run('b', work)]
    await turn()
    job(0).resolve('A')
    job(1).resolve('B')
    assert.deepEqual(await Promise.all(waiting), ['A', 'B'])
    assert.equal(count(), 2)
  })

  it('begins anew after success and after failure', async () => {
    const { work, job, count } = createJobs()
    const flights = createSingleFlight<string>()
    const first = flights.run('k', work)
    await turn()
    job(0).reject(new Error('no'))
    await assert.rejects(first, /no/)
    const second = flights.run('k', work)
    await turn()
    job(1).resolve('yes')
    assert.equal(await second, 'yes')
    assert.equal(count(), 2)
  })

  it('goes on while one of them waits', async () => {
    const { work, job } = createJobs()
    const flights = createSingleFlight<string>()
    const leaving = new AbortController()
    const left = flights.run('k', work, leaving.signal)
    const stays = flights.run('k', work)
    await turn()
    leaving.abort(new Error('gone'))
    await assert.rejects(left, /gone/)
    assert.equal(job(0).signal.aborted, false)
    job(0).resolve('done')
    assert.equal(await stays, 'done')
  })

  it('is given up when the last one leaves, and the next begins anew', async () => {
    const { work, job, count } = createJobs()
    const flights = createSingleFlight<string>()
    const leaving = new AbortController()
    const left = flights.run('k', work, leaving.signal)
    await turn()
    leaving.abort(new Error('gone'))
    await assert.rejects(left, /gone/)
    assert.equal(job(0).signal.aborted, true)
    const next = flights.run('k', work)
    await turn()
    job(0).reject(new Error('late failure of the first'))
    job(1).resolve('second')
    assert.equal(await next, 'second')
    assert.equal(count(), 2)
  })

  it('does not begin for one who has left already', async () => {
    const { work, count } = createJobs()
    const flights = createSingleFlight<string>()
    const signal = AbortSignal.abort(new Error('gone'))
    await assert.rejects(flights.run('k', work, signal), /gone/)
    assert.equal(count(), 0)
  })

  it('gives up everything on stop', async () => {
    const { work, job } = createJobs()
    const flights = createSingleFlight<string>()
    const waiting = flights.run('k', work)
    await turn()
    flights.stop()
    assert.equal(job(0).signal.aborted, true)
    job(0).reject(new Error('stopped'))
    await assert.rejects(waiting, /stopped/)
  })
})
