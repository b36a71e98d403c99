/** The household on a flashed box: built, started, lived with. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  BARS,
  DECLARED_SOCKETS,
  memoryKiB,
  orderingCycles,
  secrets,
  settled,
  sharedSecrets,
  sockets,
  startedAnew,
} from '../../image/checks.ts'
import { curl } from '../support/curl.ts'
import { createTestDaemon, type TestDaemon, writeSite } from '../support/daemon.ts'
import {
  createHouse,
  INTERNET,
  joinNetwork,
  startDhcp,
  WAN,
  withoutHouse,
} from '../support/house.ts'
import type { House, Lease } from '../support/house.ts'
import { untilTheEnd } from '../support/house-whole.ts'
import {
  builtImage,
  flash,
  isLongProof,
  putOnCard,
  tapInPlaceOf,
  withoutImage,
} from '../support/image.ts'
import { type Machine, machine } from '../support/machine.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing, output, run } from '../support/processes.ts'
import { until } from '../support/until.ts'

const DIG = '/usr/bin/dig'
const SSH = '/usr/bin/ssh'
const MAC = '52:54:00:0b:0b:01'
const skip = withoutHouse() || (await withoutImage()) || missing(DIG, SSH)
// A machine without KVM does in a minute what a board does in seconds.
const START_MS = 400_000
// Minutes more, for each start anew.
const long = { skip: !isLongProof && 'npm run proof:image does it' }

describe('a flashed box', { skip }, () => {
  const t = untilTheEnd()
  let house: House
  let box: Machine
  let away: TestDaemon
  let lease: Lease
  let netns: string
  let folder: string
  let disk: string
  let failed: string

  const dig = async (...question: string[]) => {
    const asked = ['+tries=1', '+time=5', '+short', `@${lease.dns}`, ...question]
    return (await run(DIG, asked, { netns })).stdout.trim()
  }

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), 'btl-image-'))
      const { image } = await builtImage(folder)
      disk = join(folder, 'card.img')
      await flash(image, disk)
      house = await createHouse(t)
      const { internet } = house
      away = await createTestDaemon(t, {
        netns: internet.netns,
        address: INTERNET.gateway,
        config: { dns: { enabled: false } },
      })
      await startDhcp(t, house, { boxMac: MAC })
      // What people put on the card: a key for ssh, names of the house, and here whom to ask in the DHT.
      const files = {
        'btlinkd.yaml': `dns:
  records: ['nas.lan=10.77.0.20']
dht:
  bootstrap_nodes: ['${INTERNET.gateway}:${away.port('dht')}']
`,
        authorized_keys: '',
      }
      await output('/usr/bin/ssh-keygen', [
        '-q',
        '-t',
        'ed25519',
        '-N',
        '',
        '-f',
        join(folder, 'me'),
      ])
      files.authorized_keys = await output('/usr/bin/cat', [join(folder, 'me.pub')])
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
      await putOnCard(
        disk,
        Object.keys(files).map((name) => join(folder, name)),
      )
      box = await machine(t, {
        kind: 'pc',
        disk,
        folder: join(folder, 'machine'),
        tap: await tapInPlaceOf(house.box),
        mac: MAC,
        probe: true,
      })
      await box.start()
      const [laptop] = house.laptops
      netns = laptop.netns
      lease = await joinNetwork(t, laptop)
      failed = await settled(box, START_MS)
    },
    { timeout: 1_150_000 },
  )
  after(() => rm(folder, { recursive: true, force: true }))

  it('R01 starts whole: no unit fails, no order of units is a ring', async () => {
    assert.equal(failed, '')
    assert.equal(await orderingCycles(box), '')
  })

  it('R03 fills the card: two slots, and the rest for what is kept', async () => {
    const { text } = await box.shell(
      'ls /dev/disk/by-partlabel; df --output=size -BM /var | tail -1',
    )
    for (const label of ['_empty', 'btlinkd-data', 'esp']) assert.ok(text.includes(label), text)
    assert.ok(Number(/(\d+)M/.exec(text)?.[1]) > 2000, text)
  })

  it('R05 runs from a root that is verified and cannot be written, without a password', async () => {
    const { text } = await box.shell(
      'findmnt -no SOURCE,FSTYPE,OPTIONS /; passwd -S root; touch /usr/x',
    )
    assert.match(text, /\/dev\/mapper\/root\s+erofs\s+ro/)
    assert.match(text, /^root L/m)
    assert.match(text, /touch: .*Read-only/)
    // It is checked as it is read, so not read whole at the start as well.
    assert.doesNotMatch(box.console(), /Finished systemd-fsck-root/)
    const { text: shadow } = await box.shell(
      'cut -d: -f2 /etc/shadow | grep -v "^[!*]" || echo none',
    )
    assert.equal(shadow.trim(), 'none')
  })

  it('R05 listens at the declared ports and no other, with ssh by key only', async () => {
    const expected = [...DECLARED_SOCKETS, 'tcp 22'].sort()
    assert.deepEqual((await sockets(box)).sort(), expected)
    const into = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null']
    const login = (...more: string[]) =>
      run(SSH, [...into, '-o', 'BatchMode=yes', ...more, `root@${house.box.address}`, 'id -u'], {
        netns,
        timeoutMs: 90_000,
      })
    const other = await login('-o', 'IdentityFile=/dev/null', '-o', 'IdentityAgent=none')
    assert.match(other.stderr, /Permission denied \(publickey\)/)
    assert.equal((await login('-i', join(folder, 'me'))).stdout.trim(), '0')
  })

  it('R02 is the DNS that the router hands out, and knows its own names', async () => {
    assert.equal(lease.dns, house.box.address)
    assert.equal(lease.pac, `http://${house.box.address}/wpad.dat`)
    assert.equal(await dig('btlink'), house.box.address)
    assert.equal(await dig('wpad'), house.box.address)
    assert.equal(await dig('nas.lan'), '10.77.0.20')
  })

  it('R25 shows its page over http, and over https with its own root', async () => {
    const page = await curl('http://btlink/', { netns })
    assert.equal(page.status, 200, page.text())
    const pac = await curl('http://wpad/wpad.dat', { netns })
    assert.match(pac.text(), /FindProxyForURL/)
    const root = await curl('http://btlink/.btlink/rootca.pem', { netns })
    await writeFile(join(folder, 'root.pem'), root.body)
    const secure = await curl('https://btlink/', {
      netns,
      more: ['--cacert', join(folder, 'root.pem')],
    })
    assert.equal(secure.status, 200, secure.text())
  })

  it('R15 a laptop browses the site of a box elsewhere', async () => {
    const site = join(folder, 'site')
    await writeSite(site, SITE)
    const { host } = await publish(away, site, 'home')
    const opened = await until(
      'the site in the house',
      async () => {
        const answer = await curl(`http://${host}/`, { netns })
        return answer.status === 200 && answer.text()
      },
      { timeoutMs: 90_000, everyMs: 2000 },
    )
    assert.match(opened, /First light/)
  })

  it('R27 shows the internet its peers’ ports and nothing else', async () => {
    const { netns: outside } = house.internet
    const opens = async (port: number) => {
      const connect = ['5', '/usr/bin/bash', '-c', `exec 3<>/dev/tcp/${WAN}/${port}`]
      return (await run('/usr/bin/timeout', connect, { netns: outside })).code === 0
    }
    assert.equal(await opens(6881), true)
    for (const port of [22, 53, 80, 443, 9877, 42080, 44369]) {
      assert.equal(await opens(port), false, `port ${port} is open to the internet`)
    }
  })

  it('R23 takes less memory than half of the smallest board', async () => {
    const used = await memoryKiB(box)
    assert.ok(used <= BARS.memoryKiB, `${used} KiB`)
  })

  it('R02 the house has its DNS while the daemon is dead', async () => {
    const roles = 'btlinkd-dns btlinkd-swarm btlinkd-web'
    await box.shell(`systemctl kill -s KILL ${roles}; systemctl stop btlinkd.target ${roles}`)
    assert.equal(await dig('nas.lan'), '10.77.0.20')
    assert.equal(await dig('wpad'), house.box.address)
    await box.shell('systemctl start btlinkd.target', START_MS)
  })

  const BACKUP = '/boot/home.btlinkd-backup'
  const phrase = `printf 'four words of mine' | `
  let first: Record<string, string>

  /** The page by https, for who trusts the root in `file`. */
  const opensFor = async (file: string): Promise<boolean> =>
    curl('https://btlink/', { netns, more: ['--cacert', join(folder, file)] }).then(
      ({ status }) => status === 200,
      () => false,
    )
  const image = async () => (await box.shell('. /etc/os-release; echo $IMAGE_VERSION')).text.trim()

  /** As a box that was flashed today: nothing of before but its version, and there for the house. */
  async function isAsNew(before: Record<string, string>, version: string): Promise<void> {
    assert.deepEqual(sharedSecrets(before, await secrets(box)), [])
    assert.equal(await image(), version)
    const { text } = await box.shell('ls /boot/btlinkd-factory-reset /var/lib/btlinkd/own-mark')
    assert.equal(text.match(/No such file/g)?.length, 2, text)
    assert.equal(await dig('btlink'), house.box.address)
    // What lies on the card counts as it did the first time.
    assert.equal(await dig('nas.lan'), '10.77.0.20')
    assert.equal((await curl('http://btlink/', { netns })).status, 200)
    assert.equal(await opensFor('root.pem'), false, 'the root of before is still used')
  }

  it('R20 puts all that it is into one file, on a FAT stick as well', long, async () => {
    first = await secrets(box)
    const enabled = await box.shell('systemctl is-enabled btlinkd-resume.service')
    assert.equal(enabled.text.trim(), 'enabled')
    await box.shell('touch /var/lib/btlinkd/own-mark')
    const made = await box.shell(`${phrase} btlinkd backup create ${BACKUP}`, 120_000)
    assert.equal(made.code, 0, made.text)
  })

  it('R20 is as new after a factory reset, at the same version', long, async () => {
    const version = await image()
    const reset = () => box.shell('btlinkd reset --factory --stop --yes').catch(() => undefined)
    assert.equal(await startedAnew(box, reset, START_MS), '')
    await isAsNew(first, version)
  })

  it('R20 is itself again by its backup', long, async () => {
    const done = await box.shell(`${phrase} btlinkd backup restore ${BACKUP} --stop --yes`, 240_000)
    assert.equal(done.code, 0, done.text)
    const now = await secrets(box)
    const ofTheSite = Object.entries(first).filter(([name]) => name.startsWith('/var/lib/btlinkd/'))
    assert.ok(ofTheSite.length > 2, JSON.stringify(first))
    for (const [name, value] of ofTheSite) assert.equal(now[name], value, name)
    await until('the page under the root of before', () => opensFor('root.pem'))
    assert.equal(await dig('nas.lan'), '10.77.0.20')
  })

  it('R20 is as new after a file was put on its card', long, async () => {
    const before = await secrets(box)
    const version = await image()
    const marker = join(folder, 'btlinkd-factory-reset')
    await writeFile(marker, '')
    const mark = async () => {
      await box.powerOff()
      await putOnCard(disk, [marker])
    }
    assert.equal(await startedAnew(box, mark, START_MS), '')
    await isAsNew(before, version)
  })
})
