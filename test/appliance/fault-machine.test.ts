/** Faults of disk, clock and memory inside a machine of the test's own. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { untilTheEnd } from '../support/house-whole.ts'
import { boot, diskFolder, makeDisk, withoutUml } from '../support/uml.ts'
import { APP, GUEST_NODE, makeAppDisk, mountApp } from '../support/uml-app.ts'

const OVER_MS = 240_000
/** For both roles: a Zero 2 W has 512 MB for all of the machine. */
const MEMORY_MAX = '300M'

describe('a machine in trouble', { skip: withoutUml() }, () => {
  const all = untilTheEnd()
  let said: readonly string[] = []

  before(async () => {
    const app = await makeAppDisk(all)
    const disk = await makeDisk(join(await diskFolder(all), 'data.img'), 128)
    const machine = await boot(all, {
      disks: [disk],
      readOnlyDisks: [app],
      script: `
${mountApp('/dev/ubdb')}
for one in dm-mod dm-flakey dm-delay dm-dust; do module $one; done
mount -t cgroup2 none /sys/fs/cgroup
mkdir /sys/fs/cgroup/btlinkd
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
echo ${MEMORY_MAX} > /sys/fs/cgroup/btlinkd/memory.max
size=$(blockdev --getsz /dev/ubda)
dmsetup create data --table "0 $size linear /dev/ubda 0"
mount -o noatime /dev/dm-0 /mnt
cd /run
sh -c 'echo $$ > /sys/fs/cgroup/btlinkd/cgroup.procs; exec ${GUEST_NODE} ${APP}/guest/faults.js /dev/ubda '$size
umount /mnt
dmsetup remove data
mount -o noatime /dev/ubda /mnt
${GUEST_NODE} ${APP}/guest/publisher.js /run/promises.json 1 2
`,
    })
    said = await machine.over(OVER_MS)
  })

  const passed = (part: string): void => {
    const failed = said.filter((line) => line.startsWith('FAILED'))
    assert.ok(said.includes(`passed ${part}`), [...failed, ...said.slice(-40)].join('\n'))
  }

  it('without IPv6 in the kernel, and without any network but itself, starts and serves', () => {
    assert.ok(said.includes('faults-over'), said.slice(-40).join('\n'))
  })
  it('R22 E08 keeps what it has through jumps of its clock to 1970, 2031 and five years to each side', () => {
    passed('clock')
  })
  it('waits for a disk that takes a tenth of a second for everything', () => {
    passed('slow-disk')
  })
  it('fails the page whose block cannot be read, and no other', () => {
    passed('bad-block')
  })
  it('acknowledges nothing while every write to its disk fails', () => {
    passed('failing-disk')
  })
  it('has all it had acknowledged, and goes on, when the disk is well again', () => {
    assert.ok(said.includes('checked 0'), said.slice(-40).join('\n'))
    assert.ok(said.includes('published'), said.slice(-40).join('\n'))
  })
  it(`R23 lives with ${MEMORY_MAX} of memory under its ordinary load`, (t) => {
    passed('memory')
    t.diagnostic(said.find((line) => line.startsWith('memory ')) ?? '')
  })
})
