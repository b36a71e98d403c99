import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRunFolder } from '../../src/app/run-folder.ts'
import { finallyDo, tempFolder } from '../support/temp.ts'

const never = new AbortController().signal

describe('the run folder', () => {
  it('is held by one process a role, until that one stops', async (t) => {
    const state = join(await tempFolder(t), 'deep', 'state')
    const first = createRunFolder(state, 'swarm')
    finallyDo(t, () => first.stop())
    await first.start(never)
    assert.equal((await stat(join(state, 'run'))).mode & 0o777, 0o750)
    const second = createRunFolder(state, 'swarm', 150)
    await assert.rejects(second.start(never), { code: 'BTL_ERR_APP_STATE_IN_USE' })
    await second.stop()
    assert.deepEqual(await readdir(join(state, 'run', 'swarm')), ['lock'])
    const other = createRunFolder(state, 'web', 150)
    await other.start(never)
    await other.stop()
    await first.stop()
    await second.start(never)
    await second.stop()
    assert.deepEqual(await readdir(join(state, 'run', 'swarm')), [])
  })

  it('is taken over from a process that was killed', async (t) => {
    const state = await tempFolder(t)
    await mkdir(join(state, 'run', 'web'), { recursive: true })
    const path = join(state, 'run', 'web', 'lock')
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('held'))`
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    finallyDo(t, () => void holder.kill('SIGKILL'))
    await once(holder.stdout, 'data')
    const folder = createRunFolder(state, 'web')
    const started = folder.start(never)
    holder.kill('SIGKILL')
    await started
    await folder.stop()
  })

  it('gives up its wait when it is asked to stop', async (t) => {
    const state = await tempFolder(t)
    const first = createRunFolder(state, 'web')
    await first.start(never)
    finallyDo(t, () => first.stop())
    const stopping = new AbortController()
    const waiting = createRunFolder(state, 'web').start(stopping.signal)
    stopping.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
  })

  it('says in one line why a folder is of no use', async (t) => {
    const file = join(await tempFolder(t), 'file')
    await writeFile(file, '')
    // Below /proc a recursive mkdir never returns.
    for (const state of [file, join(file, 'below'), '/proc/btlinkd', `/tmp/${'a'.repeat(100)}`]) {
      await assert.rejects(
        createRunFolder(state, 'web').start(never),
        (error: Error) =>
          'code' in error &&
          error.code === 'BTL_ERR_APP_STATE_UNUSABLE' &&
          !error.message.includes('\n'),
        state,
      )
    }
  })
})
