import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { it } from 'node:test'
import { stageConfig } from '../../../src/app/cli/backup-config.ts'
import { requireConfig } from '../../../src/app/config/load.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'

it('the settings that a restore puts aside are on the disk before the others take their place (R21)', async (t) => {
  const folder = await tempFolder(t, 'etc')
  const former = await tempFolder(t, 'former')
  const file = join(folder, 'btlinkd.yaml')
  const text = `state_dir: ${folder}/state\nlog: { level: debug }\n`
  await fs.writeFile(file, text)
  const config = await requireConfig({ file })

  const synced: string[] = []
  const { open } = fs
  fs.open = async (path, ...rest) => {
    const handle = await open(path, ...rest)
    const sync = handle.sync.bind(handle)
    handle.sync = async () => {
      synced.push(String(path))
      await sync()
    }
    return handle
  }
  syncBuiltinESMExports()
  finallyDo(t, () => {
    fs.open = open
    syncBuiltinESMExports()
  })
  const staged = await stageConfig(`state_dir: ${folder}/state\n`, { config, file, text }, former)
  assert.deepEqual(staged, { from: `${file}.restoring`, to: file })
  assert.deepEqual(
    synced.toSorted(),
    [`${file}.restoring`, join(former, 'btlinkd.yaml')].toSorted(),
  )
  assert.equal(await fs.readFile(join(former, 'btlinkd.yaml'), 'utf8'), text)
})
