import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHeartbeat } from '../../../src/app/roles/heartbeat.ts'
import { statusLine, takeNotify } from '../../../src/app/roles/notify.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const PID = 4711

function listener(watchdogMs: number | undefined) {
  const said: string[] = []
  return {
    said,
    fed: () => said.filter((line) => line === 'WATCHDOG=1').length,
    notify: {
      watchdogMs,
      send: async (...assignments: string[]) => void said.push(...assignments),
    },
  }
}

describe('what systemd hears of a role (R16)', () => {
  it('is that it is ready, well and how it is, and at the end that it stops', async (t) => {
    const { said, fed, notify } = listener(60)
    let asked = 0
    const heart = createHeartbeat({
      notify,
      ask: async () => void asked++,
      status: () => 'serves nobody yet',
      log: silentLog,
    })
    finallyDo(t, () => heart.stop())
    await heart.ready()
    assert.deepEqual(said, ['READY=1', 'STATUS=ready'])
    await until('three beats', () => fed() >= 3)
    assert.ok(asked >= fed())
    // The same line is said once.
    assert.equal(said.filter((line) => line === 'STATUS=serves nobody yet').length, 1)
    await heart.stop()
    assert.deepEqual(said.slice(-2), ['STOPPING=1', 'STATUS=stopping'])
    const after = said.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(said.length, after)
  })

  it('is no WATCHDOG while the role does not answer itself, and why', async (t) => {
    const { said, fed, notify } = listener(60)
    let isWell = false
    const heart = createHeartbeat({
      notify,
      ask: async () => {
        if (!isWell) throw new Error('no\nanswer')
      },
      status: () => 'well',
      log: silentLog,
    })
    finallyDo(t, () => heart.stop())
    await heart.ready()
    await until('a line about it', () => said.includes('STATUS=does not answer itself: no answer'))
    assert.equal(fed(), 0)
    isWell = true
    await until('a beat', () => fed() > 0)
    assert.ok(said.includes('STATUS=well'))
  })

  it('is no WATCHDOG while an answer does not come', async (t) => {
    const { said, fed, notify } = listener(90)
    const heart = createHeartbeat({
      notify,
      ask: (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
      status: () => 'well',
      log: silentLog,
    })
    finallyDo(t, () => heart.stop())
    await heart.ready()
    await until('a line', () => said.some((line) => line.includes('does not answer itself')))
    assert.equal(fed(), 0)
  })

  it('is only how it is where nobody watches', async (t) => {
    const { said, notify } = listener(undefined)
    const heart = createHeartbeat({
      notify,
      ask: async () => {},
      status: () => 'well',
      log: silentLog,
    })
    finallyDo(t, () => heart.stop())
    await heart.ready()
    await until('a line', () => said.includes('STATUS=well'))
    assert.equal(said.includes('WATCHDOG=1'), false)
  })

  it('goes on where systemd cannot be told', async () => {
    const heart = createHeartbeat({
      notify: { watchdogMs: undefined, send: () => Promise.reject(new Error('ECONNREFUSED')) },
      ask: async () => {},
      status: () => 'well',
      log: silentLog,
    })
    await heart.ready()
    await heart.stop()
  })
})

describe('the variables about systemd', () => {
  it('are read once and told to no child', () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '20000000', WATCHDOG_PID: String(PID) }
    assert.equal(takeNotify(env, undefined, PID)?.watchdogMs, 20_000)
    assert.deepEqual(env, {})
    assert.equal(takeNotify(env, undefined, PID), undefined)
  })

  it('say whether somebody watches this process', () => {
    const watchdogOf = (usec: string | undefined, pid?: string) =>
      takeNotify(
        { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: usec, WATCHDOG_PID: pid },
        undefined,
        PID,
      )?.watchdogMs
    assert.equal(watchdogOf('3000000'), 3000)
    for (const usec of [undefined, '', '0', '-1', 'x', '1e6', ' 5', '99999999999999999']) {
      assert.equal(watchdogOf(usec), undefined, usec)
    }
    assert.equal(watchdogOf('3000000', '1'), undefined)
  })

  it('take a status of any text as one line', () => {
    assert.equal(statusLine('a\nREADY=1\r\u0000b'), 'STATUS=a READY=1 b')
    assert.ok(statusLine('x'.repeat(5000)).length < 400)
  })
})
