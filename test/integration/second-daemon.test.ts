import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'

describe('a second daemon on the same state folder', () => {
  it('ends with one line and leaves the first as it was', async (t) => {
    const daemon = await createTestDaemon(t)
    const listenersFile = join(daemon.state, 'run', 'listeners.json')
    const before = await readFile(listenersFile, 'utf8')
    const launch = join(ROOT, 'src/app/launch.mjs')
    const config = join(dirname(daemon.state), 'btlinkd.yaml')
    const args = [launch, 'serve', '--config', config, '--state', daemon.state]
    const env = { ...process.env, BTL_RUN_SOURCES: '1' }
    const second = await run(process.execPath, args, { env, timeoutMs: 25_000 })
    assert.equal(second.code, 1)
    const errors = second.stderr.split('\n').filter((line) => / error /.test(line))
    assert.equal(errors.length, 1, second.stderr)
    assert.match(errors[0] ?? '', /another btlinkd runs on/)
    assert.equal(await readFile(listenersFile, 'utf8'), before)

    // The roles of the first find each other again after one of them died.
    const web = await daemon.rolePid('web')
    assert.ok(web)
    process.kill(web, 'SIGKILL')
    const folder = join(dirname(daemon.state), 'site')
    await writeSite(folder, { 'index.html': 'still here' })
    let published = await daemon.cli('publish', folder, '--key', 'a', '--json')
    for (let left = 20; published.code !== 0 && left > 0; left--) {
      published = await daemon.cli('publish', folder, '--key', 'a', '--json')
    }
    assert.equal(published.code, 0, published.stderr)
    assert.equal((await daemon.json('status'))['status'] === 'down', false)
  })
})
