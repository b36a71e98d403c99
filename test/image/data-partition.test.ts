/** What happens to a data partition that is damaged more than a journal mends, with nobody there to be asked. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { missing, output, run } from '../support/processes.ts'
import { read } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

const [MKFS, FSCK, DEBUGFS] = [
  '/usr/sbin/mkfs.ext4',
  '/usr/sbin/e2fsck',
  '/usr/sbin/debugfs',
] as const
// systemd-fsck@.service(8), "fsck.repair=".
const FLAGS: Record<string, string> = { preen: '-p', yes: '-y', no: '-n' }

it('a damaged data partition is mended at the start, and what lost its name is kept (R21)', {
  skip: missing(MKFS, FSCK, DEBUGFS),
}, async (t) => {
  const conf = read('image/mkosi/mkosi.conf')
  const [, how = 'preen'] = /^ {4}fsck\.repair=(\w+)$/m.exec(conf) ?? []
  const disk = join(await tempFolder(t), 'disk')
  const word = join(await tempFolder(t), 'word')
  await writeFile(word, 'what the house has')
  await output(MKFS, ['-q', disk, '8M'])
  const debugfs = (request: string) => output(DEBUGFS, ['-w', '-R', request, disk])
  await debugfs('mkdir btlinkd')
  await debugfs(`write ${word} btlinkd/state`)
  await debugfs('clri btlinkd')
  // As the kernel notes it when it comes upon that: EXT2_ERROR_FS.
  await debugfs('set_super_value state 2')
  // Where this is 4 or more the partition is not mounted, and the box starts anew: fsck(8).
  const { code, stdout } = await run(FSCK, [FLAGS[how] ?? '', disk])
  assert.ok(code !== null && code < 4, `${code}: ${stdout}`)
  assert.equal((await run(FSCK, ['-fn', disk])).code, 0)
  const found = await output(DEBUGFS, ['-R', 'ls -p lost+found', disk])
  const [, name = ''] = /\/(#\d+)\//.exec(found) ?? []
  assert.equal(await output(DEBUGFS, ['-R', `cat lost+found/${name}`, disk]), 'what the house has')
})
