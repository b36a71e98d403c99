/** The key of the image's ssh server, made as the drop-in of its unit does it. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { missing, run } from '../support/processes.ts'
import { read } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const UNIT = 'image/mkosi/mkosi.extra/usr/lib/systemd/system/ssh.service.d/btlinkd.conf'
const PLACE = '/var/lib/ssh'

async function box(t: Cleanup) {
  const folder = await tempFolder(t)
  const [, command = ''] = /^ExecStartPre=\/bin\/sh -c '(.+)'$/m.exec(read(UNIT)) ?? []
  assert.ok(command.includes(PLACE))
  // systemd.service(5), "COMMAND LINES": it would put in what it knows by that name.
  assert.doesNotMatch(command, /[$%]/)
  const key = join(folder, 'ssh_host_ed25519_key')
  return {
    key,
    start: async (): Promise<string> => {
      const { code, stderr } = await run('/bin/sh', ['-c', command.replaceAll(PLACE, folder)])
      assert.equal(code, 0, stderr)
      return readFile(key, 'utf8')
    },
  }
}

describe('the key of ssh', { skip: missing('/usr/bin/ssh-keygen') }, () => {
  it('is made once, for root alone', async (t) => {
    const { start, key } = await box(t)
    const made = await start()
    assert.match(made, /^-----BEGIN OPENSSH PRIVATE KEY-----/)
    assert.equal((await stat(key)).mode & 0o777, 0o600)
    assert.equal(await start(), made)
  })

  it('is made again where a power cut left it empty', async (t) => {
    const { start, key } = await box(t)
    await writeFile(key, '')
    await writeFile(`${key}.pub`, '')
    assert.match(await start(), /^-----BEGIN OPENSSH PRIVATE KEY-----/)
    assert.match(await readFile(`${key}.pub`, 'utf8'), /^ssh-ed25519 /)
  })
})
