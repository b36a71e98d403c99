import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createSupervisor, type Supervisor } from '../../../src/app/roles/supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'btl-supervisor-'))
const script = (name: string, source: string): string => {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, source)
  return path
}

const good = script(
  'good',
  `process.send({ ready: true, banner: 'hello' }); setInterval(() => {}, 1000)`,
)
const stubborn = script(
  'stubborn',
  `process.on('SIGTERM', () => {}); process.send({ ready: true }); setInterval(() => {}, 1000)`,
)
const broken = script('broken', `process.exit(3)`)

const limits = { steadyMs: 10_000, firstDelayMs: 10, maxDelayMs: 100, stopMs: 300 }

describe('the supervisor', () => {
  const children = new Map<string, ChildProcess[]>()
  let supervisor: Supervisor
  let running: Promise<number> | undefined

  function supervise(roles: Record<string, string>): Promise<readonly string[]> {
    children.clear()
    return new Promise((resolve) => {
      supervisor = createSupervisor(
        Object.keys(roles),
        {
          spawn(role) {
            const child = fork(roles[role] ?? '', { stdio: 'ignore' })
            children.set(role, [...(children.get(role) ?? []), child])
            return child
          },
          log: silentLog,
          onReady: resolve,
        },
        limits,
      )
      running = supervisor.run()
    })
  }

  const last = (role: string): ChildProcess => {
    const child = children.get(role)?.at(-1)
    assert.ok(child)
    return child
  }

  afterEach(async () => {
    supervisor.stop()
    await running
  })
  after(() => rmSync(folder, { recursive: true }))

  it('tells when every role is ready, with what they have to say', async () => {
    assert.deepEqual(await supervise({ a: good, b: good }), ['hello', 'hello'])
  })

  it('restarts a role that was killed, and only that one', async () => {
    await supervise({ a: good, b: good })
    const first = last('a')
    first.kill('SIGKILL')
    await new Promise((resolve) => first.once('exit', resolve))
    while (last('a') === first) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(children.get('b')?.length, 1)
  })

  it('stops everything and ends with the exit code of a role that cannot start', async () => {
    void supervise({ a: good, b: broken })
    assert.equal(await running, 3)
    assert.notEqual(last('a').signalCode ?? last('a').exitCode, null)
  })

  it('kills a role that does not stop, and ends with 0', async () => {
    await supervise({ a: stubborn })
    supervisor.stop()
    assert.equal(await running, 0)
    assert.equal(last('a').signalCode, 'SIGKILL')
  })
})
