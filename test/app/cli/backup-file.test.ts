import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { it } from 'node:test'
import { createBackupFile } from '../../../src/app/cli/backup-file.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'

it('a backup on a share is made: fs/smb/client of Linux has no fsync for folders, and answers EINVAL', async (t) => {
  const { open } = fs
  fs.open = async (...args) => {
    const handle = await open(...args)
    if ((await handle.stat()).isDirectory()) {
      handle.sync = () =>
        Promise.reject(
          Object.assign(new Error('EINVAL: invalid argument, fsync'), { code: 'EINVAL' }),
        )
    }
    return handle
  }
  syncBuiltinESMExports()
  finallyDo(t, () => {
    fs.open = open
    syncBuiltinESMExports()
  })
  const file = join(await tempFolder(t, 'share'), 'home.btlinkd-backup')
  const out = await createBackupFile(file)
  await out.write(Buffer.from('whole'))
  await out.commit()
  assert.equal(await fs.readFile(file, 'utf8'), 'whole')
})
