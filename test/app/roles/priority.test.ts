import assert from 'node:assert/strict'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { createPriority } from '../../../src/app/roles/priority.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createTestDaemon } from '../../support/daemon.ts'
import { missing, output } from '../../support/processes.ts'

const CHRT = '/usr/bin/chrt'
const { signal } = new AbortController()

describe('the priority of a role', () => {
  it('is a better nice value where there is no real-time one', async () => {
    const asked: number[] = []
    const priority = createPriority(silentLog, '/nowhere/chrt', (value: number) => {
      asked.push(value)
    })
    await priority.start(signal)
    await priority.stop()
    assert.deepEqual(asked, [-10])
  })

  it('stays as it is where the system allows no other', async () => {
    const priority = createPriority(silentLog, '/nowhere/chrt', () => {
      throw new Error('EACCES')
    })
    await priority.start(signal)
  })

  it('is real-time for the resolver and not for the others', {
    skip: getuid?.() !== 0 || missing(CHRT),
  }, async (t) => {
    const daemon = await createTestDaemon(t)
    const of = async (role: string) => output(CHRT, ['-p', String(await daemon.rolePid(role))])
    assert.match(await of('dns'), /SCHED_RR/)
    assert.match(await of('web'), /SCHED_OTHER/)
    assert.match(await of('swarm'), /SCHED_OTHER/)
  })
})
