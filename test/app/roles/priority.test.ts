import assert from 'node:assert/strict'
import { getPriority } from 'node:os'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { createPriority } from '../../../src/app/roles/priority.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createTestDaemon } from '../../support/daemon.ts'

describe('the priority of a role', () => {
  it('stays as it is where the system does not allow another', async () => {
    const priority = createPriority(silentLog, () => {
      throw new Error('EACCES')
    })
    await priority.start(new AbortController().signal)
    await priority.stop()
  })

  it('is above that of the others for the resolver', { skip: getuid?.() !== 0 }, async (t) => {
    const daemon = await createTestDaemon(t)
    const of = async (role: string) => getPriority(await daemon.rolePid(role))
    assert.equal(await of('dns'), (await of('swarm')) - 10)
    assert.equal(await of('web'), await of('swarm'))
  })
})
