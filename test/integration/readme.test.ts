import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon } from '../support/daemon.ts'
import { run } from '../support/processes.ts'
import { read, ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

/** The commands of the first shell script in a chapter. */
function commandsOf(title: string): string[] {
  const [, chapter = ''] = read('README.md').split(`## ${title}`)
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(chapter) ?? []
  return block
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('alias '))
}

describe('the README', () => {
  it('has a tour whose every command works as written', async (t) => {
    const box = await createTestDaemon(t)
    const folder = join(await tempFolder(t, 'tour'), 'hello')
    const commands = commandsOf('A five-minute tour').map((line) =>
      line.replaceAll('--state data', `--state ${box.state}`).replaceAll('/tmp/hello', folder),
    )
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

  it('has ways into the house that work as written', async (t) => {
    const box = await createTestDaemon(t)
    const folder = await tempFolder(t, 'house')
    const key = String((await box.json('key', 'show', 'box'))['host']).replace('-pk.btlink', '')
    const commands = commandsOf('The whole house')
    assert.equal(commands.length, 4)
    const ports: Record<string, string> = { 5300: 'dns', 42080: 'http' }
    const answers: string[] = []
    for (const command of commands) {
      const here = command
        .replaceAll('<key>', key)
        .replaceAll(/5300|42080/g, (port) => String(box.port(ports[port] ?? '')))
      const { code, stdout, stderr } = await run('bash', ['-c', here], { cwd: folder })
      assert.equal(code, 0, `${here}\n${stdout}${stderr}`)
      answers.push(stdout)
    }
    assert.match(answers[0] ?? '', /\sA\s+127\.0\.0\.1\n/)
    assert.match(answers[1] ?? '', /<h1>/)
    assert.equal(answers[3], answers[1])
  })
})
