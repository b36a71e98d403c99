import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLifecycle } from '../../src/app/lifecycle.ts'

describe('the lifecycle', () => {
  const never = new AbortController().signal

  function recorder(
    log: string[],
    name: string,
    faults: { start?: boolean; stop?: boolean; hang?: boolean } = {},
  ) {
    return {
      name,
      async start() {
        log.push(`+${name}`)
        if (faults.start) throw new Error(`${name} cannot start`)
      },
      async stop() {
        log.push(`-${name}`)
        if (faults.stop) throw new Error(`${name} cannot stop`)
        if (faults.hang) await new Promise(() => {})
      },
    }
  }

  it('starts in order and stops in reverse, once', async () => {
    const log: string[] = []
    const lifecycle = createLifecycle([recorder(log, 'a'), recorder(log, 'b')])
    await lifecycle.start(never)
    await lifecycle.stop()
    await lifecycle.stop()
    assert.deepEqual(log, ['+a', '+b', '-b', '-a'])
  })

  it('undoes a half-done start, the failing part included', async () => {
    const log: string[] = []
    const lifecycle = createLifecycle([
      recorder(log, 'a'),
      recorder(log, 'b', { start: true }),
      recorder(log, 'c'),
    ])
    await assert.rejects(lifecycle.start(never), /b cannot start/)
    assert.deepEqual(log, ['+a', '+b', '-b', '-a'])
  })

  it('stops the others when one cannot stop or hangs, and tells', async () => {
    const log: string[] = []
    const lifecycle = createLifecycle(
      [recorder(log, 'a'), recorder(log, 'b', { stop: true }), recorder(log, 'c', { hang: true })],
      20,
    )
    await lifecycle.start(never)
    await assert.rejects(lifecycle.stop(), (error) => {
      assert.ok(error instanceof AggregateError)
      assert.deepEqual(
        error.errors.map((one: Error) => one.message),
        ['c did not stop within 0.02 seconds', 'b cannot stop'],
      )
      assert.equal(error.message, 'c did not stop within 0.02 seconds; b cannot stop')
      return true
    })
    assert.deepEqual(log, ['+a', '+b', '+c', '-c', '-b', '-a'])
  })
})
