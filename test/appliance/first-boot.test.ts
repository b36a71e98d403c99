/** From a card to a box: the verbs and the scripts of the image, with FAT, faketime and a whole daemon. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { missing, run, type RunResult } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'
import { boot, withoutUml } from '../support/uml.ts'
import { until } from '../support/until.ts'
import { createWrongClock, withoutWrongClocks } from '../support/wrong-clock.ts'
import { DEFAULTS, ED25519 } from '../services/first-boot/box.ts'

const LIBEXEC = join(ROOT, 'image/mkosi/mkosi.extra/usr/libexec/btlinkd')
const MKFS = '/usr/sbin/mkfs.vfat'
const MCOPY = '/usr/bin/mcopy'
const MOUNT = '/usr/bin/mount'

const btlinkd = (args: string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> =>
  run(process.execPath, [join(ROOT, 'src/app/launch.mjs'), ...args], {
    env: { ...process.env, BTL_RUN_SOURCES: '1', ...env },
  })

async function script(path: string, text: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

const sh = async (name: string, ...args: string[]): Promise<RunResult> =>
  run('/bin/sh', [join(LIBEXEC, name), ...args])

/** A FAT partition in a file; a folder stands for it while it is "mounted". */
async function fatCard(t: Cleanup) {
  const root = await tempFolder(t, 'card')
  const image = join(root, 'esp.img')
  const folder = join(root, 'boot')
  await writeFile(image, '')
  await truncate(image, 8 * 1024 * 1024)
  const must = async (command: string, ...args: string[]) => {
    const { code, stderr } = await run(command, args)
    assert.equal(code, 0, stderr)
  }
  await must(MKFS, '-F', '12', image)
  return {
    root,
    folder,
    image,
    put: async (name: string, bytes: string | Uint8Array) => {
      const file = join(root, 'file')
      await writeFile(file, bytes)
      await must(MCOPY, '-o', '-i', image, file, `::/${name}`)
    },
    mount: async () => {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder)
      await must(MCOPY, '-s', '-i', image, '::/*', folder)
    },
  }
}

describe('a card with FAT on it (R02)', { skip: missing(MKFS, MCOPY) }, () => {
  it('is taken by the verb, from Windows Notepad, and cleaned', async (t) => {
    const card = await fatCard(t)
    await card.put('BTLINKD.YAM', 'dns: { port: 1 }')
    await card.put(
      'btlinkd.yaml.txt',
      Buffer.from('\ufeffdns:\r\n  port: 5301\r\nlog: { level: warn }\r\n', 'utf16le'),
    )
    await card.put('authorized_keys', `${ED25519}\r\n`)
    await card.put(
      'rpi-preseed.toml',
      '[system]\nhostname = "attic"\n[wlan]\nssid = "home"\npassword = "correct horse"\n[user]\nname = "pi"\n',
    )
    await card.mount()
    const at = (path: string) => join(card.root, path)
    await mkdir(at('usr/share/btlinkd'), { recursive: true })
    await writeFile(at('usr/share/btlinkd/btlinkd.yaml'), DEFAULTS)
    const args = ['appliance', 'first-boot', '--boot', card.folder, '--root', card.root]
    const { code, stdout, stderr } = await btlinkd([...args, '--json'])
    assert.equal(code, 0, stderr)
    const told = JSON.parse(stdout) as { taken: string[]; faults: string[] }
    assert.deepEqual(told.taken, [
      'btlinkd.yaml: dns.port, log.level',
      'name attic',
      'ssh is on for 1 keys',
    ])
    assert.equal(told.faults.length, 2, stdout)
    assert.match(await readFile(at('var/etc/btlinkd/btlinkd.yaml'), 'utf8'), /port: 5301/)
    assert.equal(await readFile(at('var/lib/ssh/authorized_keys'), 'utf8'), `${ED25519}\n`)
    assert.doesNotMatch(await readFile(join(card.folder, 'rpi-preseed.toml'), 'utf8'), /horse/)
    assert.match(
      await readFile(join(card.folder, 'btlinkd.errors.txt'), 'utf8'),
      /connect a cable\r\n/,
    )

    const screen = await btlinkd([
      'appliance',
      'console',
      '--root',
      card.root,
      '--state',
      at('state'),
      '--rows',
      '50',
    ])
    assert.match(screen.stdout, /Not taken from the card:\n- rpi-preseed\.toml: user was not taken/)
    assert.match(screen.stdout, /health {4}not running/)
  })

  it('is cleaned as a real file system: no sector of it holds the password', {
    skip: withoutUml(),
  }, async (t) => {
    const card = await fatCard(t)
    const password = 'correct horse battery'
    await card.put('rpi-preseed.toml', `[wlan]\nssid = "home"\npassword = "${password}"\n`)
    await card.put('btlinkd.yaml', 'dns: { port: 5301 }\nnonsense: 1\n')
    assert.ok((await readFile(card.image)).includes(password))
    const machine = await boot(t, {
      disks: [card.image],
      script: `
for one in nls_cp437 nls_iso8859-1 nls_ascii vfat; do module $one; done
mkdir -p /run/boot /run/box/usr/share/btlinkd
echo 'state_dir: /var/lib/btlinkd' > /run/box/usr/share/btlinkd/btlinkd.yaml
mount -t vfat /dev/ubda /run/boot && echo mounted
cd /run
BTL_RUN_SOURCES=1 ${process.execPath} ${join(ROOT, 'src/app/launch.mjs')} appliance first-boot --boot /run/boot --root /run/box
echo "exit $?"
ls -1 /run/boot
umount /run/boot
`,
    })
    const text = (await machine.over(120_000)).join('\n')
    assert.match(text, /^mounted$/m)
    assert.match(text, /^exit 0$/m, text)
    assert.match(text, /^not taken: btlinkd\.yaml:2: \/nonsense is not a known key/m)
    assert.match(text, /^btlinkd\.errors\.txt$/m)
    const raw = await readFile(card.image)
    assert.ok(!raw.includes(password))
    assert.ok(raw.includes('# password: taken out'))
    await card.mount()
    assert.match(await readFile(join(card.folder, 'btlinkd.errors.txt'), 'utf8'), /nonsense/)
  })
})

describe('the scripts of the image', () => {
  it('ask time servers of the house before those of the internet (R22)', async (t) => {
    const root = await tempFolder(t, 'ntp')
    const links = join(root, 'links')
    const file = join(root, 'timesyncd.conf.d/20-house.conf')
    const base = join(
      ROOT,
      'image/mkosi/mkosi.extra/usr/lib/systemd/timesyncd.conf.d/10-btlinkd.conf',
    )
    await mkdir(links)
    await writeFile(
      join(links, '2'),
      'ADMIN_STATE=configured\nNTP=192.168.7.9 ntp.house $(reboot) 192.168.7.9\nDNS=1.1.1.1\n',
    )
    assert.equal((await sh('ntp-sources', links, file, base)).code, 0)
    const [head, reset, list = ''] = (await readFile(file, 'utf8')).split('\n')
    assert.deepEqual([head, reset], ['[Time]', 'NTP='])
    assert.match(list, /^NTP=192\.168\.7\.9 ntp\.house .*162\.159\.200\.1 .*pool\.ntp\.org$/)
    assert.doesNotMatch(list, /reboot|192\.168\.7\.9.*192\.168\.7\.9/)
    const { mtimeMs } = await stat(file)
    await sh('ntp-sources', links, file, base)
    assert.equal((await stat(file)).mtimeMs, mtimeMs, 'the same list is not written again')
  })

  it('leave a version only where another one is there, also if it cannot be judged (R19)', async (t) => {
    const root = await tempFolder(t, 'gate')
    const entries = join(root, 'entries')
    const release = join(root, 'os-release')
    await mkdir(entries)
    await writeFile(release, 'IMAGE_ID=btlinkd\nIMAGE_VERSION=0.2.0\n')
    const gate = async (code: number) =>
      (await sh('healthy', await script(join(root, 'judge'), `exit ${code}`), entries, release))
        .code
    const put = (name: string) => writeFile(join(entries, name), '')
    assert.deepEqual([await gate(0), await gate(1), await gate(127)], [0, 1, 0])
    await put('btlinkd_0.2.0+2-1.efi')
    assert.equal(await gate(134), 0, 'nothing to go back to')
    await put('btlinkd_0.3.0+0-3.efi')
    assert.equal(await gate(134), 0, 'the other is known to be bad')
    await put('btlinkd_0.1.0.efi')
    assert.equal(await gate(134), 1)
    await rm(join(entries, 'btlinkd_0.2.0+2-1.efi'))
    await put('btlinkd_0.2.0.efi')
    assert.equal(await gate(134), 0, 'it was found well before')
  })

  it('draw the screen when something changed, and not for nothing (R25)', async (t) => {
    const root = await tempFolder(t, 'draw')
    const drawn = join(root, 'drawn')
    const draw = await script(join(root, 'draw'), `echo drawn >> ${drawn}`)
    assert.equal((await sh('console', draw, '0', '20')).code, 0)
    const count = (await readFile(drawn, 'utf8')).trim().split('\n').length
    assert.ok(count < 5, `${count} of 20 looks drew`)
  })
})

async function asDevice(box: TestDaemon): Promise<void> {
  const dns = await box.json('dns', 'query', 'check.btlink', 'A')
  assert.equal(dns['rcode'], 'NOERROR')
  assert.equal((await box.get('check.btlink')).status, 200)
  assert.equal((await box.get('btlink')).status, 200)
}

describe('a box whose clock is years off (R22)', { skip: withoutWrongClocks() }, () => {
  it('works as any other, says so, and is well once the clock is set', async (t) => {
    const { env, set } = await createWrongClock(t, '@1970-01-01 00:00:20')
    const year = new Date().getUTCFullYear()
    const box = await createTestDaemon(t, { env })
    const status = async () => (await box.json('status'))['clock'] as { state: string }
    for (const [to, state] of [
      ['@1970-01-01 00:00:20', 'unset'],
      [`@${year - 5}-06-01 00:00:00`, 'unset'],
      [`@${year + 5}-06-01 00:00:00`, 'floor'],
      ['@2070-06-01 00:00:00', 'unset'],
      ['+0', 'floor'],
    ] as const) {
      await set(to)
      await until(`the clock to be ${state} at ${to}`, async () => (await status()).state === state)
      await asDevice(box)
      const metrics = await box.api('/metrics')
      assert.match(metrics.text(), new RegExp(`^clock_state_${state} 1$`, 'm'), to)
    }
    assert.match((await box.cli('status')).stdout, /^clock {6}floor, \d{4}-/m)
  })
})

/** A systemctl that says of each unit what a folder says: none is active. */
const SYSTEMCTL = `shift 2
for unit; do
  echo "Id=$unit"; echo LoadState=loaded; cat "$UNITS/$unit" 2>/dev/null || printf 'ActiveState=active\\nSubState=running\\nNRestarts=0\\n'; echo
done`

describe('btlinkd appliance healthy (R19)', () => {
  it('finds a box well that has no internet, and blames the version only for what is its own', async (t) => {
    const root = await tempFolder(t, 'healthy')
    await script(join(root, 'systemctl'), SYSTEMCTL)
    const units = join(root, 'units')
    await mkdir(units)
    const box = await createTestDaemon(t, {
      config: { dht: { min_interval: '1s' } },
      env: { PATH: `${root}:${process.env['PATH'] ?? ''}`, UNITS: units },
    })
    const config = join(dirname(box.state), 'btlinkd.yaml')
    const entries = join(root, 'boot/EFI/Linux')
    await mkdir(entries, { recursive: true })
    await mkdir(join(root, 'etc'))
    await writeFile(join(root, 'etc/os-release'), 'IMAGE_ID=btlinkd\nIMAGE_VERSION=0.2.0\n')
    const look = async (...flags: string[]) => {
      const { code, stdout, stderr } = await box.cli(
        'appliance',
        'healthy',
        '--json',
        '--timeout',
        '1s',
        '--root',
        root,
        '--config',
        config,
        ...flags,
      )
      assert.notEqual(stdout, '', stderr)
      return {
        code,
        ...(JSON.parse(stdout) as { verdict: string; reasons: string[]; isLeft: boolean }),
      }
    }
    assert.deepEqual(
      await look('--gate').then(({ code, verdict, reasons }) => ({ code, verdict, reasons })),
      {
        code: 0,
        verdict: 'healthy',
        reasons: [],
      },
    )

    // A role that fell: this version's fault, but left only where there is another.
    await writeFile(
      join(units, 'btlinkd-dns.service'),
      'ActiveState=failed\nSubState=failed\nNRestarts=9\n',
    )
    const fell = await look()
    assert.deepEqual(
      [fell.code, fell.verdict, fell.reasons],
      [1, 'slot', ['btlinkd-dns.service: is failed (failed)']],
    )
    await writeFile(join(entries, 'btlinkd_0.2.0+2-1.efi'), '')
    assert.equal((await look('--gate')).code, 0, 'no other')
    await writeFile(join(entries, 'btlinkd_0.1.0.efi'), '')
    const gate = await look('--gate')
    assert.deepEqual([gate.code, gate.isLeft], [1, true])

    // Settings that people broke excuse it, unless the version before ran on them.
    await writeFile(config, 'dns: { port: 70000 }\n')
    const broken = await look('--gate')
    assert.deepEqual([broken.code, broken.verdict], [0, 'surroundings'])
    assert.match(
      broken.reasons[0] ?? '',
      /^settings: .*btlinkd\.yaml:1: \/dns\/port must be at most 65535/,
    )
    const digest = createHash('sha256').update('dns: { port: 70000 }\n').digest('hex')
    await writeFile(
      join(root, 'var/lib/btlinkd-healthy/good.json'),
      JSON.stringify({ version: '0.1.0', config: digest }),
    )
    const refused = await look('--gate')
    assert.deepEqual([refused.code, refused.verdict], [1, 'slot'])
    assert.match(refused.reasons[0] ?? '', /version 0\.1\.0 ran on these settings/)
  })

  it('does not blame the version for a disk that is full or read-only', {
    skip: process.getuid?.() === 0 ? missing(MOUNT) : 'mounting needs root',
  }, async (t) => {
    const root = await tempFolder(t, 'full')
    const state = join(root, 'state')
    await mkdir(state)
    const mount = async (...args: string[]) => assert.equal((await run(MOUNT, args)).code, 0)
    await mount('-t', 'tmpfs', '-o', 'size=64k', 'btl-full', state)
    finallyDo(t, async () => void (await run('/usr/bin/umount', [state])))
    const config = join(root, 'btlinkd.yaml')
    await writeFile(config, `state_dir: ${state}\n`)
    const look = async () => {
      const args = [
        '--config',
        config,
        '--root',
        root,
        '--timeout',
        '200ms',
        '--units',
        '',
        '--gate',
      ]
      const { code, stdout } = await btlinkd(['appliance', 'healthy', ...args])
      return `${code} ${stdout}`
    }
    assert.match(await look(), /this version is not well\n(?!state)/)
    await writeFile(join(state, 'fill'), Buffer.alloc(65_536, 1)).catch(() => undefined)
    assert.match(
      await look(),
      /^0 .*what is around it is not well\nstate: cannot write to .*: ENOSPC\n/,
    )
    await rm(join(state, 'fill'))
    await mount('-o', 'remount,ro', state)
    assert.match(
      await look(),
      /^0 .*what is around it is not well\nstate: cannot write to .*: EROFS\n/,
    )
  })
})
