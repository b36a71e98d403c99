/** Where the time zone is said: a Debian and the image have it in different places. */
import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createPatient, writeTree } from './patient.ts'

const DEBIAN = { '/etc/os-release': 'ID=debian\n' }
const IMAGE = { '/etc/os-release': 'ID=debian\nIMAGE_ID=btlinkd\nIMAGE_VERSION=0.1.0\n' }
/** As image/mkosi/mkosi.postinst.chroot makes it; where it leads is made by the first start. */
const OF_IMAGE = { '/etc/localtime': '../var/etc/localtime' }
const zone = (name: string) => `/usr/share/zoneinfo/${name}`

/** What is found where `links` lead from place to place. */
async function look(t: TestContext, system: Record<string, string>, links: Record<string, string>) {
  // As timedatectl says it of a link to a link (systemd 257).
  const programs = { timedatectl: 'echo Timezone=' }
  const patient = await createPatient(t, { system, programs })
  for (const [path, target] of Object.entries(links)) {
    const place = patient.ports.machine.path(path)
    await writeTree(dirname(place), { '.made': '' })
    await symlink(target, place)
  }
  return patient.look('time-zone')
}

describe('the time zone', () => {
  it('is where /etc/localtime leads, whatever an old /etc/timezone says', async (t) => {
    const links = { '/etc/localtime': zone('Europe/Berlin') }
    const found = await look(t, { ...DEBIAN, '/etc/timezone': 'Etc/UTC\n' }, links)
    assert.deepEqual([found.state, found.line], ['ok', 'Europe/Berlin'])
    const copied = await look(
      t,
      { ...DEBIAN, '/etc/localtime': 'TZif', '/etc/timezone': 'Asia/Tokyo\n' },
      {},
    )
    assert.equal(copied.line, 'Asia/Tokyo')
  })

  it('is found on the image, which has it on the data partition', async (t) => {
    const links = { ...OF_IMAGE, '/var/etc/localtime': zone('America/Argentina/Ushuaia') }
    const found = await look(t, IMAGE, links)
    assert.deepEqual([found.state, found.line], ['ok', 'America/Argentina/Ushuaia'])
  })

  it('is that of Greenwich on an image that was told none, which says where it is set', async (t) => {
    const found = await look(t, IMAGE, OF_IMAGE)
    assert.equal(found.state, 'ok')
    assert.match(found.line, /^UTC: .*rpi-preseed\.toml/)
  })

  it('has a remedy that this machine can take', async (t) => {
    const image = await look(t, IMAGE, { ...OF_IMAGE, '/var/etc/localtime': zone('Europe/Berln') })
    assert.equal(image.line, 'there is no time zone "Europe/Berln"')
    assert.match(image.remedy ?? '', /locale\.timezone in rpi-preseed\.toml on the card/)
    assert.doesNotMatch(image.remedy ?? '', /timedatectl/)
    const debian = await look(t, DEBIAN, { '/etc/localtime': zone('Europe/Berln') })
    assert.match(debian.remedy ?? '', /timedatectl set-timezone/)
  })

  it('is unknown where nothing says so', async (t) => {
    assert.equal((await look(t, DEBIAN, {})).state, 'unknown')
  })
})
