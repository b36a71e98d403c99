import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig } from '../../../src/app/config/load.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

async function loaded(t: Cleanup, files: Record<string, string>, text = '') {
  const folder = await tempFolder(t)
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const file = join(await tempFolder(t), 'btlinkd.yaml')
  await writeFile(file, text)
  return loadConfig({ file, env: { CREDENTIALS_DIRECTORY: folder } })
}

describe('credentials of systemd', () => {
  it('are keys of the configuration, and win over the file', async (t) => {
    const { config, mistakes } = await loaded(
      t,
      {
        'btlinkd.acme.eab_hmac_key': 'c2VjcmV0\n',
        'btlinkd.webrtc.turn_servers': 'user:word@turn.example:3478',
        'btlinkd.dns.port': '5353',
      },
      'dns: { port: 53 }\n',
    )
    assert.deepEqual(mistakes, [])
    assert.equal(config?.acme.eab_hmac_key, 'c2VjcmV0')
    assert.equal(config?.dns.port, 5353)
  })

  it('are left aside where they are of other programs', async (t) => {
    const { config } = await loaded(t, { 'passwd.hashed-password.root': 'x', btlinkd: 'y' })
    assert.ok(config)
  })

  it('that name no key fail, with the name of the file and without what is in it', async (t) => {
    const { config, mistakes } = await loaded(t, {
      'btlinkd.acme.eab_hmac': 'c2VjcmV0',
      'btlinkd.dns.port': 'fifty',
    })
    assert.equal(config, undefined)
    assert.equal(mistakes.length, 2)
    assert.match(mistakes.join('\n'), /credential btlinkd\.dns\.port: \/dns\/port/)
    assert.match(mistakes.join('\n'), /did you mean "eab_hmac_key"/)
    assert.doesNotMatch(mistakes.join('\n'), /c2VjcmV0/)
  })

  it('are none where the folder is not there', async (t) => {
    const folder = join(await tempFolder(t), 'nothing')
    const file = join(await tempFolder(t), 'btlinkd.yaml')
    await writeFile(file, '')
    assert.ok((await loadConfig({ file, env: { CREDENTIALS_DIRECTORY: folder } })).config)
    await mkdir(folder)
    assert.ok((await loadConfig({ file, env: { CREDENTIALS_DIRECTORY: folder } })).config)
  })
})
