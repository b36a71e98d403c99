/**
 * Sensors, cards and service managers: no board is here that could be heated or starved of power, and
 * no systemd, so files in the kernel's own format and programs that print what the real ones do stand in.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { start } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { createPatient, type PatientOptions } from './patient.ts'

const MEMORY = (free: number) =>
  `MemTotal:        1000000 kB\nMemFree:  1 kB\nMemAvailable:   ${free} kB\n`
const PSI = (some: string) =>
  `some avg10=0.00 avg60=0.00 avg300=${some} total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`
const IMAGE = { '/etc/os-release': 'ID=debian\nIMAGE_ID=btlinkd\nIMAGE_VERSION=0.1.0\n' }

const entries = (...versions: string[]) =>
  Object.fromEntries(versions.map((one) => [`/boot/EFI/Linux/btlinkd_${one}.efi`, '']))

/** What each check says of a system that is well, and of one that is not. */
const CASES: [id: string, state: string, options: PatientOptions][] = [
  ['temperature', 'ok', { system: { '/sys/class/thermal/thermal_zone0/temp': '52000\n' } }],
  [
    'temperature',
    'warning',
    {
      system: {
        '/sys/class/thermal/thermal_zone0/temp': '52000\n',
        '/sys/class/thermal/thermal_zone1/temp': '83120\n',
      },
    },
  ],
  ['temperature', 'failed', { system: { '/sys/class/thermal/thermal_zone0/temp': '95000\n' } }],
  [
    'power',
    'ok',
    {
      system: {
        '/sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
        '/sys/class/hwmon/hwmon1/in0_lcrit_alarm': '0\n',
      },
    },
  ],
  [
    'power',
    'failed',
    {
      system: {
        '/sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
        '/sys/class/hwmon/hwmon1/in0_lcrit_alarm': '1\n',
      },
    },
  ],
  ['power', 'warning', { system: {}, programs: { vcgencmd: 'echo throttled=0x50000' } }],
  ['power', 'failed', { system: {}, programs: { vcgencmd: 'echo throttled=0x50005' } }],
  [
    'memory',
    'ok',
    { system: { '/proc/meminfo': MEMORY(400_000), '/proc/pressure/memory': PSI('0.00') } },
  ],
  [
    'memory',
    'warning',
    { system: { '/proc/meminfo': MEMORY(400_000), '/proc/pressure/memory': PSI('31.20') } },
  ],
  ['memory', 'warning', { system: { '/proc/meminfo': MEMORY(60_000) } }],
  ['memory', 'failed', { system: { '/proc/meminfo': MEMORY(9_000) } }],
  [
    'disk-wear',
    'ok',
    {
      system: {
        '/proc/uptime': '86400.0 1.0\n',
        '/sys/block/mmcblk0/stat': '1 1 1 1 1 1 40960 1 0 1 1\n',
      },
    },
  ],
  [
    'disk-wear',
    'warning',
    {
      system: {
        '/proc/uptime': '86400.0 1.0\n',
        '/sys/block/mmcblk0/stat': '1 1 1 1 1 1 60000000 1 0 1 1\n',
      },
    },
  ],
  ['disk-wear', 'warning', { system: { '/sys/block/mmcblk0/device/life_time': '0x01 0x0a\n' } }],
  ['disk-wear', 'warning', { system: { '/sys/block/mmcblk0/device/pre_eol_info': '0x02\n' } }],
  ['disk-errors', 'ok', { system: { '/sys/fs/ext4/mmcblk0p3/errors_count': '0\n' } }],
  ['disk-errors', 'failed', { system: { '/sys/fs/ext4/mmcblk0p3/errors_count': '2\n' } }],
  ['watchdog', 'ok', { system: { ...IMAGE, '/sys/class/watchdog/watchdog0/state': 'active\n' } }],
  [
    'watchdog',
    'warning',
    { system: { ...IMAGE, '/sys/class/watchdog/watchdog0/state': 'inactive\n' } },
  ],
  [
    'update',
    'warning',
    {
      system: {
        ...IMAGE,
        '/efi/EFI/Linux/btlinkd_0.2.0+0-3.efi': '',
        '/efi/EFI/Linux/btlinkd_0.1.0.efi': '',
      },
    },
  ],
  ['update', 'ok', { system: { ...IMAGE, '/efi/EFI/Linux/btlinkd_0.1.0.efi': '' } }],
  // Left by hand: nothing was tried in vain.
  ['update', 'ok', { system: { ...IMAGE, ...entries('0.1.0', '0.2.0+0-0') } }],
  // The version that runs is in its last try, or was left by hand for the next start.
  ['update', 'ok', { system: { ...IMAGE, ...entries('0.1.0+0-2', '0.0.9') } }],
  ['update', 'ok', { system: { ...IMAGE, ...entries('0.1.0+0-0', '0.0.9') } }],
  ['update', 'warning', { system: { ...IMAGE, ...entries('0.1.0', '0.2.0+0-2') } }],
  ['time-zone', 'ok', { system: { '/etc/timezone': 'Europe/Berlin\n' } }],
  ['time-zone', 'warning', { system: { '/etc/timezone': 'Europe/Berln\n' } }],
  ['units', 'ok', { programs: { systemctl: 'true' } }],
  [
    'units',
    'warning',
    { programs: { systemctl: 'echo "unbound.service loaded failed failed Unbound DNS server"' } },
  ],
  [
    'restarts',
    'warning',
    {
      programs: {
        systemctl: String.raw`printf 'Id=btlinkd-web.service\nLoadState=loaded\nActiveState=active\nNRestarts=7\n'`,
      },
    },
  ],
  [
    'restarts',
    'unknown',
    {
      programs: {
        systemctl: String.raw`printf 'Id=btlinkd-web.service\nLoadState=not-found\nActiveState=inactive\nNRestarts=0\n'`,
      },
    },
  ],
  ['clock', 'ok', { programs: { timedatectl: 'echo NTPSynchronized=yes' } }],
  ['clock', 'warning', { programs: { timedatectl: 'echo NTPSynchronized=no' } }],
  ['clock', 'failed', { now: () => 86_400_000 }],
  [
    'rebinding',
    'warning',
    { facts: { dns: { enabled: true, wpad: false, blockPrivate: false, front: [], listen: [] } } },
  ],
  ['roles', 'failed', { box: { roles: async () => ({ dns: true, web: false }) } }],
  ['roles', 'ok', { box: { roles: async () => ({ dns: true, web: true }) } }],
  [
    'dht',
    'failed',
    {
      box: {
        ask: async () => ({ uptimeSeconds: 900, dht: { nodes4: 0, nodes6: 0, readOnly: true } }),
      },
    },
  ],
  [
    'dht',
    'warning',
    { box: { ask: async () => ({ uptimeSeconds: 900, dht: { nodes4: 2, nodes6: 0 } }) } },
  ],
  [
    'dht-reachable',
    'warning',
    { box: { ask: async () => ({ dht: { nodes4: 20, nodes6: 0, readOnly: true } }) } },
  ],
  [
    'peers',
    'warning',
    { box: { ask: async () => ({ torrents: [{ complete: false, peers: 0 }] }) } },
  ],
  [
    'health',
    'failed',
    {
      box: {
        ask: async () => ({
          health: { components: { store: { status: 'down', score: 0, detail: 'x' } } },
        }),
      },
    },
  ],
  ['health', 'unknown', { box: { ask: async () => 'no JSON of ours' } }],
  [
    'dns-clients',
    'warning',
    {
      box: {
        metrics: async () => new Map([['dns_queries', 0]]),
        ask: async () => ({ uptimeSeconds: 100_000 }),
      },
    },
  ],
]

describe('the machine', () => {
  for (const [index, [id, state, options]] of CASES.entries()) {
    it(`makes the check ${id} say ${state} (${index})`, async (t) => {
      const { look } = await createPatient(t, options)
      const found = await look(id)
      assert.equal(found.state, state, found.line)
      assert.equal(found.remedy !== undefined, state === 'warning' || state === 'failed')
    })
  }

  it('has its files counted: of a part that may open few, and has opened most', async (t) => {
    const { look } = await createPatient(t)
    const folder = await tempFolder(t, 'btl-files')
    const code = `const {openSync}=require('fs');for(let i=0;i<45;i++)try{openSync('/dev/null')}catch{};console.log('open');setInterval(()=>{},1000)`
    const busy = start(
      t,
      '/usr/bin/bash',
      ['-c', `ulimit -n 64; exec ${process.execPath} -e "${code}" serve --role web`],
      { cwd: folder },
    )
    await busy.line((line) => line === 'open')
    const found = await until('the part to be seen', async () => {
      const one = await look('files-open')
      return one.state === 'ok' || one.state === 'unknown' ? undefined : one
    })
    assert.match(found.line, /^web: \d+ of 64$/)
  })

  it('restarts what failed, by systemd, and only what is ours or what we need', async (t) => {
    const folder = await tempFolder(t, 'btl-asked')
    const asked = join(folder, 'asked')
    const systemctl = String.raw`echo "$@" >> ${asked}
case "$1" in
  list-units) printf 'unbound.service x\nssh.service x\n';;
  show) printf 'Id=btlinkd-web.service\nLoadState=loaded\nActiveState=failed\nNRestarts=7\n';;
esac`
    const { mend } = await createPatient(t, { programs: { systemctl } })
    assert.equal(await mend('units'), 'restarted btlinkd-web.service, unbound.service')
    const said = await readFile(asked, 'utf8')
    assert.match(said, /^restart --no-block btlinkd-web\.service unbound\.service$/m)
    assert.ok(!said.includes('ssh'), said)
  })

  it('restarts nothing whose start resets the box, starts it anew, or counts as an attempt', async (t) => {
    const asked = join(await tempFolder(t, 'btl-asked'), 'asked')
    const systemctl = String.raw`echo "$@" >> ${asked}
case "$1" in
  list-units) for one in factory-reset healthy boot-count boot-good firewall; do echo "btlinkd-$one.service x"; done;;
esac`
    const { mend } = await createPatient(t, { programs: { systemctl } })
    assert.equal(await mend('units'), 'restarted btlinkd-firewall.service')
    assert.match(await readFile(asked, 'utf8'), /^restart --no-block btlinkd-firewall\.service$/m)
  })

  it('asks time servers again, and says where nobody keeps the clock', async (t) => {
    const { mend } = await createPatient(t, { programs: { systemctl: 'exit 0' } })
    assert.equal(await mend('clock'), 'restarted systemd-timesyncd.service, which asks at once')
    const none = await createPatient(t, { programs: { systemctl: 'exit 1' } })
    await assert.rejects(none.mend('clock'), { code: 'BTL_ERR_DOCTOR_CANNOT_FIX' })
  })

  it('does not hold up the others where a check hangs', async (t) => {
    const hung = new Promise<never>(() => {})
    const { look } = await createPatient(t, {
      box: { ask: () => hung },
      config: { check_timeout: 200 },
    })
    finallyDo(t, () => undefined)
    assert.deepEqual((await look('health')).line, 'no answer within 0.2 s')
  })
})
