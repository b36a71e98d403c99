/** What FAT has after a power cut: a boot partition's kernels, a card's configuration. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { missing, output } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { boot, diskFolder, withoutUml } from '../support/uml.ts'

const [MKFS, MTYPE, MDIR] = ['/usr/sbin/mkfs.vfat', '/usr/bin/mtype', '/usr/bin/mdir']
const KERNEL = 'a kernel\n'
const TIMES = 20_000

const program = `
import { open, writeFile } from 'node:fs/promises'
import { renameDurably, writeDurably } from ${JSON.stringify(join(ROOT, 'src/base/durable-file.ts'))}
const text = ${JSON.stringify(KERNEL)}.repeat(${TIMES})
await writeFile('/mnt/trying.efi', text)
const file = await open('/mnt/trying.efi')
await file.sync()
await file.close()
await renameDurably('/mnt/trying.efi', '/mnt/good.efi')
for (const part of ['one', text]) await writeDurably('/mnt/card.yml', part, { mode: 0o600 })
console.log('all is durable')
`

// Linux writes a renamed file of FAT as an empty one until that file is synced again.
describe('FAT after a power cut (R21)', {
  skip: withoutUml() || missing(MKFS, MTYPE, MDIR),
}, () => {
  it('has whole files behind their new names', async (t) => {
    const disk = join(await diskFolder(t), 'fat.img')
    await output(MKFS, ['-C', disk, '8192'])
    const script = join(await tempFolder(t), 'program.mjs')
    await writeFile(script, program)
    const machine = await boot(t, {
      disks: [disk],
      script: `
for one in vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8; do module $one; done
mount -t vfat /dev/ubda /mnt
${process.execPath} ${script}
sleep 60
`,
    })
    await machine.line((line) => line === 'all is durable', 60_000)
    await machine.cut()
    for (const name of ['good.efi', 'card.yml'])
      assert.equal(await output(MTYPE, ['-i', disk, `::/${name}`]), KERNEL.repeat(TIMES), name)
  })
})
