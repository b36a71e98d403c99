/** What of a box the internet reaches, or should: broken for real, and what the doctor says of it. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { DoctorReport, Result } from '../../src/services/doctor/index.ts'
import { createPatient, smallDisk } from '../services/doctor/patient.ts'
import { createTestDaemon } from '../support/daemon.ts'
import { type Box, household, withoutNetns } from '../support/household.ts'
import { missing, output, run, start } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { finallyDo, tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const IP = '/usr/sbin/ip'
const NFT = '/usr/sbin/nft'
const ROUTER = '/usr/sbin/miniupnpd'
const MKFS = '/usr/sbin/mkfs.ext4'
const LAUNCH = join(ROOT, 'src/app/launch.mjs')
const FIREWALL = join(ROOT, 'image/mkosi/mkosi.extra/etc/nftables.conf')
const IMAGE = { '/etc/os-release': 'ID=debian\nIMAGE_ID=btlinkd\nIMAGE_VERSION=0.1.0\n' }

/** What the doctor says in a box where no daemon runs. */
async function ask(t: TestContext, box: Box, id: string, config: object = {}): Promise<Result> {
  const folder = await tempFolder(t, 'btl-doctor-out')
  const file = join(folder, 'btlinkd.yaml')
  await writeFile(file, JSON.stringify(config))
  const args = [LAUNCH, 'doctor', '--json', '--only', id, '--config', file, '--state', folder]
  const env = { ...process.env, BTL_RUN_SOURCES: '1' }
  const { stdout, stderr } = await run(process.execPath, args, { netns: box.netns, env })
  const [found] = (JSON.parse(stdout || '{"results":[]}') as DoctorReport).results
  if (!found) throw new Error(`no ${id}: ${stderr}`)
  return found
}

/** A router that leads ports when it is asked to (NAT-PMP, PCP), with an address of the world. */
async function router(t: TestContext, { netns }: Box) {
  const ip = (...args: string[]) => output(IP, ['-n', netns, ...args])
  await ip('link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'far')
  await ip('addr', 'add', '203.0.114.5/24', 'dev', 'wan')
  for (const link of ['wan', 'far']) await ip('link', 'set', link, 'up')
  const folder = await tempFolder(t, 'btl-router')
  const [tables, settings] = [join(folder, 'tables'), join(folder, 'settings')]
  const hooks = ['forward filter 0', 'prerouting nat -100', 'postrouting nat 100'].map((text) => {
    const [hook = '', type = '', priority = ''] = text.split(' ')
    const own = hook === 'forward' ? 'miniupnpd' : `${hook}_miniupnpd`
    return `chain ${own} { }
chain ${hook} { type ${type} hook ${hook} priority ${priority}; policy accept; jump ${own}; }`
  })
  await writeFile(tables, `table inet filter {\n${hooks.join('\n')}\n}\n`)
  const rules = 'allow 1024-65535 0.0.0.0/0 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n'
  const ways = 'enable_natpmp=yes\nenable_upnp=no\nsecure_mode=yes\n'
  await writeFile(settings, `ext_ifname=wan\nlistening_ip=eth0\n${ways}${rules}`)
  await output(NFT, ['-f', tables], { netns })
  const daemon = start(t, ROUTER, ['-d', '-f', settings, '-P', join(folder, 'pid')], { netns })
  await until('the router', () => daemon.output().includes('Listening for NAT-PMP/PCP'))
  return daemon
}

describe('the doctor', { skip: withoutNetns() || missing(IP, NFT, ROUTER, MKFS) }, () => {
  it('finds a box with an address of the world open, closed by the image’s firewall, and open again', async (t) => {
    const [box] = (await household(t, 'box', 'other')) as [Box, Box]
    const within = { netns: box.netns }
    assert.equal((await ask(t, box, 'firewall')).state, 'ok', 'an address of the house alone')
    await output(IP, ['-n', box.netns, 'addr', 'add', '2a01:4f8:1:2::3/64', 'dev', 'eth0', 'nodad'])
    const open = await ask(t, box, 'firewall')
    assert.equal(open.state, 'warning')
    assert.match(open.line, /2a01:4f8:1:2::3 can be reached from the internet/)
    await output(NFT, ['-f', FIREWALL], within)
    assert.equal((await ask(t, box, 'firewall')).state, 'ok')
    await output(NFT, ['add', 'chain', 'inet', 'btlinkd', 'input', '{ policy accept; }'], within)
    assert.equal((await ask(t, box, 'firewall')).state, 'warning', 'a policy that accepts')
  })

  it('finds a resolver that listens to the world', async (t) => {
    const [box] = (await household(t, 'box', 'other')) as [Box, Box]
    const wide = { dns: { listen: ['0.0.0.0', '::'] } }
    assert.equal((await ask(t, box, 'dns-closed', wide)).state, 'ok', 'nobody outside reaches it')
    await output(IP, ['-n', box.netns, 'addr', 'add', '45.83.12.9/24', 'dev', 'eth0'])
    const open = await ask(t, box, 'dns-closed', wide)
    assert.equal(open.state, 'warning')
    assert.match(open.line, /listens at 45\.83\.12\.9/)
    const near = { dns: { listen: [box.address] } }
    assert.equal((await ask(t, box, 'dns-closed', near)).state, 'ok')
  })

  it('finds a router that leads the peer port no longer', async (t) => {
    const [gateway, box] = (await household(t, 'router', 'box')) as [Box, Box]
    await output(IP, ['-n', box.netns, 'route', 'add', 'default', 'via', gateway.address])
    const leading = await router(t, gateway)
    const daemon = await createTestDaemon(t, {
      netns: box.netns,
      config: { swarm: { map_port: true, port: 6881 }, dns: { enabled: false } },
    })
    const config = join(daemon.state, '..', 'btlinkd.yaml')
    const look = async () => {
      const told = await daemon.json('doctor', '--only', 'peer-port', '--config', config)
      const [found] = (told as unknown as DoctorReport).results
      return found
    }
    const led = await until('the port to be led', async () => {
      const found = await look()
      return found?.state === 'ok' ? found : undefined
    })
    assert.equal(led.line, 'the router leads port 6881 here')
    await leading.stop()
    await daemon.restart()
    const lost = await until(
      'the router to be asked in vain',
      async () => {
        const found = await look()
        return found?.state === 'warning' ? found : undefined
      },
      { timeoutMs: 40_000 },
    )
    assert.match(lost.line, /was asked to lead the peer port here, and does not/)
    assert.match(lost.remedy ?? '', /NAT-PMP/)
  })

  it('finds state that lies in memory or on the system’s disk, where it is the image', async (t) => {
    const folder = await tempFolder(t, 'btl-data')
    const disk = join(folder, 'disk')
    const data = await tempFolder(t, 'btl-data')
    await writeFile(disk, '')
    await output('/usr/bin/truncate', ['-s', '16M', disk])
    await output(MKFS, ['-q', '-F', disk])
    await output('/usr/bin/mount', ['-o', 'loop', disk, data])
    finallyDo(t, () => output('/usr/bin/umount', [data]).then(() => undefined))
    const look = async (state: string, system = IMAGE) =>
      (await createPatient(t, { state, system })).look('state-place')
    assert.equal((await look(data)).state, 'ok')
    const memory = await look(await smallDisk(t, 'size=1m'))
    assert.equal(memory.state, 'failed')
    assert.match(memory.line, /is in memory$/)
    const system = await look('/usr')
    assert.equal(system.state, 'failed')
    assert.match(system.line, /^\/usr is on the system's own disk image$/)
    const elsewhere = { '/etc/os-release': 'ID=debian\n' }
    assert.equal((await look('/usr', elsewhere)).state, 'ok')
  })

  it('finds an extension that lies there and is not in force', async (t) => {
    const system = { '/var/lib/extensions/btlinkd-ffmpeg.raw': '', '/var/lib/extensions/new': '' }
    // As systemd 257 prints it.
    const told = (usr: string) =>
      `echo '[{"hierarchy":"/opt","extensions":"none","since":null},{"hierarchy":"/usr","extensions":${usr},"since":null}]'`
    const look = async (usr: string) =>
      (await createPatient(t, { system, programs: { 'systemd-sysext': told(usr) } })).look(
        'extensions',
      )
    const idle = await look('"none"')
    assert.equal(idle.state, 'warning')
    assert.match(idle.line, /^btlinkd-ffmpeg is not in force/)
    assert.equal((await look('["btlinkd-ffmpeg"]')).state, 'ok')
    assert.equal((await (await createPatient(t, { system: {} })).look('extensions')).state, 'ok')
  })
})
