import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon } from '../support/daemon.ts'
import { run } from '../support/processes.ts'
import { read, ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

/** The commands of the README's tour, as one shell script against `state`. */
function tour(state: string, folder: string): string[] {
  const [, chapter = ''] = read('README.md').split('## A five-minute tour')
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(chapter) ?? []
  return block
    .replaceAll('--state data', `--state ${state}`)
    .replaceAll('/tmp/hello', folder)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('alias '))
}

describe('the README', () => {
  it('has a tour whose every command works as written', async (t) => {
    const box = await createTestDaemon(t)
    const folder = join(await tempFolder(t, 'tour'), 'hello')
    const commands = tour(box.state, folder)
    assert.ok(commands.length >= 5, commands.join('\n'))
    const node = `${process.execPath} ${join(ROOT, 'src/app/launch.mjs')}`
    for (const command of commands) {
      const script = `export BTL_RUN_SOURCES=1; btlinkd() { ${node} "$@"; }\n${command}`
      const { code, stdout, stderr } = await run('bash', ['-c', script])
      assert.equal(code, 0, `${command}\n${stdout}${stderr}`)
    }
    const sites = await box.cli('sites')
    assert.match(sites.stdout, /hello/)
  })
})
