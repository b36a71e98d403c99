import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { requireConfig } from '../../../src/app/config/load.ts'
import { unboundTextLike } from '../../../src/app/dns-front.ts'
import { missing } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'
import { createPatient } from './patient.ts'

const FILE = '/etc/unbound/unbound.conf.d/btlinkd.conf'
const SEEN = '/var/lib/btlinkd-front/seen'
const LIBEXEC = join(ROOT, 'image/mkosi/mkosi.extra/usr/libexec/btlinkd')
const BEFORE = (folder: string) => `server:
  interface: 127.0.0.1
rpz:
  name: "x."
  zonefile: "${folder}/our.rpz"
`

async function withFront(t: TestContext, text: (written: string) => string) {
  const folder = await tempFolder(t, 'btl-unbound')
  const before = BEFORE(folder)
  const patient = await createPatient(t, {
    system: { [FILE]: before },
    programs: { systemctl: '[ "$1" = is-enabled ] && exit 1; exit 0' },
    facts: { front: async (written = '') => text(written) },
  })
  return { ...patient, before, file: patient.ports.machine.path(FILE) }
}

describe('the resolver in front', { skip: missing('/usr/sbin/unbound-checkconf') }, () => {
  it('gets the configuration that ours asks for, where it had answered before', async (t) => {
    const config = await requireConfig({
      env: { BTLINKD_DNS__FRONT: '127.0.0.1@53', BTLINKD_DNS__RECORDS: 'nas.lan=192.168.1.5' },
    })
    const { look, mend, file } = await withFront(t, (written) => unboundTextLike(config, written))
    assert.equal((await look('dns-front')).state, 'warning')
    assert.match(await mend('front'), /^wrote .* and reloaded unbound$/)
    assert.equal((await look('dns-front')).state, 'ok')
    const text = await readFile(file, 'utf8')
    assert.match(text, /interface: 127\.0\.0\.1\n/)
    assert.match(text, /zonefile: ".*\/our\.rpz"/)
    assert.match(await mend('front'), /is as it should be$/)
  })

  it('is made anew by the image, which made it before from the very same configuration', async (t) => {
    const folder = await tempFolder(t, 'btl-asked')
    const asked = join(folder, 'asked')
    const made = 'server:\n  interface: 127.0.0.1\n'
    const { mend, ports } = await createPatient(t, {
      system: { [FILE]: 'server:\n', [SEEN]: 'the sum of configuration and image' },
      programs: { systemctl: `echo "$@" >> ${asked}; [ "$1" != restart ] || . ${folder}/unit` },
      facts: { front: async () => made },
    })
    // It ends well also where the configuration is not understood, and says so in the journal.
    await writeFile(join(folder, 'unit'), 'true')
    await assert.rejects(mend('front'), {
      code: 'BTL_ERR_DOCTOR_CANNOT_FIX',
      message: /journalctl -u btlinkd-dns-front-changed/,
    })
    await writeFile(join(folder, 'unit'), `printf '${made}' > ${ports.machine.path(FILE)}`)
    assert.match(await mend('front'), /^made /)
    assert.match(await readFile(asked, 'utf8'), /^restart btlinkd-dns-front-changed\.service$/m)
    // Else the unit takes what is there for what it made.
    assert.equal(existsSync(ports.machine.path(SEEN)), false)
    const script = await readFile(join(LIBEXEC, 'dns-front'), 'utf8')
    assert.ok(script.includes(`:-${dirname(SEEN)}}\n`) && script.includes('"$here/seen"'), script)
  })

  it('is what it should be although the provider gave the house another network since', async (t) => {
    const config = await requireConfig({ env: { BTLINKD_DNS__FRONT: '127.0.0.1@53' } })
    const own = ['2a01:4f8:1:2::3/64', '2a01:4f8:1:2::77/128']
    const now = (written: string) =>
      unboundTextLike(config, written).replace(
        / *access-control: ::1?\/.*\n/,
        (line) => own.map((one) => `  access-control: ${one} allow\n`).join('') + line,
      )
    const { look, file, before } = await withFront(t, now)
    const shipped = unboundTextLike(config, before)
    assert.notEqual(shipped, now(before))
    await writeFile(file, shipped)
    const found = await look('dns-front')
    assert.equal(found.state, 'ok', found.line)
    assert.match(found.line, /who asks from 2a01:4f8:1:2::3\/64, .* is not answered$/)
    await writeFile(file, now(before))
    assert.match((await look('dns-front')).line, /is as it should be$/)
    own.pop()
    assert.match((await look('dns-front')).line, /is as it should be$/)
    await writeFile(file, shipped.replace(/access-control: 10\..*\n/, ''))
    assert.equal((await look('dns-front')).state, 'warning', 'another network than those')
  })

  it('keeps the one it had where unbound would not take the new one', async (t) => {
    const { mend, before, file } = await withFront(t, () => 'server:\n  interfaces: nonsense\n')
    await assert.rejects(mend('front'), /unbound does not take it: .*/)
    assert.equal(await readFile(file, 'utf8'), before)
  })
})
