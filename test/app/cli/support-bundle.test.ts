import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { withoutNetns } from '../../support/household.ts'
import { output, run } from '../../support/processes.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { smallDisk, writeTree } from '../../services/doctor/patient.ts'
import { env, LAUNCH } from './state-at-rest.ts'

const UNSHARE = '/usr/bin/unshare'
const VISITED = 'secret-hobby.example'
const PAGE_KEY = 'yj8b38gj6jw2bmw9b6ru3xsfhtyc7bkh4fbnqyr8m5r3t1zjqe'

/** A network of its own: a look around must not ask the one of whoever runs the tests. */
const alone = (args: string[], more: NodeJS.ProcessEnv = {}, cwd?: string) =>
  run(
    UNSHARE,
    [
      '--net',
      'sh',
      '-c',
      '/usr/sbin/ip link set lo up; exec "$@"',
      'sh',
      process.execPath,
      LAUNCH,
      ...args,
    ],
    { env: { ...env, ...more }, timeoutMs: 90_000, ...(cwd !== undefined && { cwd }) },
  )

async function unpack(t: TestContext, file: string): Promise<{ text: string; names: string[] }> {
  const folder = await tempFolder(t, 'btl-bundle')
  await output('/usr/bin/tar', ['xzf', file, '-C', folder])
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.includes('.'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return { text: texts.join('\n'), names: names.map((name) => name.split('/').at(-1) ?? '') }
}

/** A secret in every place that can hold one. */
async function withCanaries(t: TestContext) {
  const folder = await tempFolder(t, 'btl-canaries')
  const state = join(folder, 'state')
  const system = join(folder, 'system')
  const programs = join(folder, 'programs')
  const seed = randomBytes(32)
  const word = (name: string) =>
    `canary-${name}-${createHash('sha256').update(seed).update(name).digest('hex').slice(0, 10)}`
  const words = {
    hmac: word('hmac'),
    nostr: createHash('sha256').update(seed).digest('hex'),
    environment: word('environment'),
    log: word('log'),
    cookie: word('cookie'),
    url: word('url'),
    resolv: word('resolv'),
    credential: word('credential'),
  }
  await writeTree(state, {
    'keys/diary.key': `${seed.toString('hex')}\n`,
    'pki/names/btlink/1/root.pem': 'x',
    'btlinkd.log': '',
  })
  await mkdir(join(state, 'acme', 'ca'), { recursive: true })
  for (const file of ['pki/names/btlink/1/intermediate-1.key', 'acme/ca/account.key']) {
    const args = ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(state, file)]
    await run('/usr/bin/openssl', args)
  }
  const ecKey = await readFile(join(state, 'acme', 'ca', 'account.key'), 'utf8')
  const lines = [
    `web: visited host=${VISITED} title="My Diary" from=45.83.12.9 mac dc:a6:32:01:02:03`,
    `web: fetch http://anna:${words.url}@${VISITED}/private.html`,
    `swarm: seed ${seed.toString('base64')} ${seed.toString('hex').toUpperCase()} ${BigInt(`0x${seed.toString('hex')}`).toString(36)}`,
    `web: Cookie: session=${words.cookie}`,
    `web: token=${words.log} ${encodeURIComponent(words.environment)} hmac ${Buffer.from(words.hmac).toString('base64url')}`,
    `web: read ${ecKey}`,
    'first-boot: taken: wireless network "Villa Kunterbunt 7", iwd: connected to Bächle',
    'kernel: wlan0: associated with Gartenlaube!, then with Taka-Tuka',
    `web: name ${PAGE_KEY}-pk.btlink from 2a01:4f8:1c1c:9::7 in /var/lib/btlinkd with ${words.credential}`,
  ]
  await writeTree(system, {
    '/etc/os-release': 'NAME="Debian GNU/Linux"\n',
    '/etc/resolv.conf': `nameserver 45.83.12.9\n# password=${words.resolv}\n`,
    '/var/log/btlinkd.log': lines.join('\n'),
    '/var/lib/iwd/Villa Kunterbunt 7.psk': '[Security]\n',
    '/var/lib/iwd/=42c3a463686c65.psk': '[Security]\n',
    '/etc/wpa_supplicant/wpa_supplicant-wlan0.conf': `network={\n  ssid=${Buffer.from('Gartenlaube!').toString('hex')}\n}\n`,
    '/etc/NetworkManager/system-connections/a.nmconnection': '[wifi]\nssid=Taka-Tuka\n',
  })
  await writeTree(programs, { journalctl: '#!/bin/sh\nexit 1\n' })
  await output('/usr/bin/chmod', ['+x', join(programs, 'journalctl')])
  await writeTree(folder, { 'credentials/pass': words.credential })
  const config = join(folder, 'btlinkd.yaml')
  await writeFile(
    config,
    JSON.stringify({
      state_dir: state,
      acme: {
        directory: 'https://acme.example/dir',
        eab_key_id: 'kid',
        eab_hmac_key: words.hmac,
        hosts: [`www.${VISITED}`],
      },
      nostr: { private_key: words.nostr },
      dns: { records: [`nas.${VISITED}=192.168.1.5`] },
    }),
  )
  const more = {
    BTL_DOCTOR_ROOT: system,
    BTL_DOCTOR_PATH: programs,
    CREDENTIALS_DIRECTORY: join(folder, 'credentials'),
    HOUSE_API_TOKEN: words.environment,
  }
  const secrets = [
    ...Object.values(words),
    seed.toString('hex'),
    seed.toString('base64'),
    seed.toString('base64url'),
    BigInt(`0x${seed.toString('hex')}`).toString(36),
    Buffer.from(words.hmac).toString('base64url').slice(0, 16),
    ...ecKey.split('\n').filter((line) => line.length > 20 && !line.includes('-----')),
  ]
  return { folder, state, config, more, secrets }
}

describe('btlinkd support-bundle', { skip: withoutNetns() }, () => {
  it('holds what helps, and no secret of any place that can hold one (P07)', async (t) => {
    const { folder, config, more, secrets } = await withCanaries(t)
    const file = join(folder, 'out.tar.gz')
    const { code, stderr } = await alone(['support-bundle', '-o', file, '--config', config], more)
    assert.equal(code, 0, stderr)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const { text, names } = await unpack(t, file)
    for (const name of [
      'doctor.json',
      'config.txt',
      'log.txt',
      'versions.txt',
      'addresses.txt',
      'os-release.txt',
      'unit-states.txt',
      'metrics.txt',
      'listeners.json',
    ]) {
      assert.ok(names.includes(name), `${name} is missing`)
    }
    assert.ok(names.length >= 20)
    for (const secret of secrets) {
      const at = text.toLowerCase().indexOf(secret.toLowerCase())
      assert.equal(at, -1, `${secret}: ${text.slice(Math.max(0, at - 80), at + 80)}`)
    }
    for (const personal of [
      'secret-hobby',
      'Diary',
      PAGE_KEY,
      '45.83.12.9',
      '1c1c',
      'dc:a6:32:01',
      // Maps of wireless networks tell where a house of that name is.
      'Kunterbunt',
      'Bächle',
      'Gartenlaube',
      'Taka-Tuka',
    ]) {
      assert.ok(!text.includes(personal), personal)
    }
    assert.match(text, /"id": "roles"/)
    assert.match(text, /disk_low: 512MB/)
    assert.match(text, /45\.83\.x\.x/)
    assert.match(text, /\/var\/lib\/btlinkd/)
  })

  it('holds names where that is asked for, and still no secret', async (t) => {
    const { folder, config, more, secrets } = await withCanaries(t)
    const file = join(folder, 'named.tar.gz')
    const { code, stderr } = await alone(
      ['support-bundle', '--with-names', '-o', file, '--config', config],
      more,
    )
    assert.equal(code, 0, stderr)
    const { text } = await unpack(t, file)
    assert.ok(text.includes(VISITED) && text.includes(`${PAGE_KEY}-pk.btlink`))
    for (const secret of secrets)
      assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), secret)
  })

  it('is made on a full disk with a broken configuration and no daemon, to stdout', async (t) => {
    const disk = await smallDisk(t, 'size=1m')
    const config = join(disk, 'btlinkd.yaml')
    await writeFile(config, `state_dir: ${disk}\nacme: { eab_hmac_key: hidden-in-broken\ndns: [`)
    await writeFile(join(disk, 'full'), Buffer.alloc(1024 * 1024)).catch(() => undefined)
    const out = await tempFolder(t, 'btl-out')
    const shell = `cd ${disk}; ${process.execPath} ${LAUNCH} support-bundle -o - --config ${config} > ${out}/b.tar.gz`
    const { code, stderr } = await run(
      UNSHARE,
      ['--net', 'sh', '-c', `/usr/sbin/ip link set lo up; ${shell}`],
      { env: { ...env, TMPDIR: disk }, timeoutMs: 60_000 },
    )
    assert.equal(code, 0, stderr)
    const { text } = await unpack(t, join(out, 'b.tar.gz'))
    assert.match(text, /# mistake: .*btlinkd\.yaml:/)
    assert.ok(!text.includes('hidden-in-broken'), text.slice(0, 400))
    assert.match(text, /the disk is full/)
  })

  it('leaves no half of one on a disk that becomes full', async (t) => {
    const disk = await smallDisk(t, 'size=64k')
    const file = join(disk, 'b.tar.gz')
    await writeFile(join(disk, 'full'), Buffer.alloc(60 * 1024))
    const { code, stderr } = await alone(['support-bundle', '-o', file, '--state', disk], {}, disk)
    assert.equal(code, 1)
    assert.match(stderr, /cannot write .*b\.tar\.gz: ENOSPC/)
    assert.deepEqual(await readdir(disk), ['full'])
  })

  it('takes the place of no file that is there, and says so', async (t) => {
    const folder = await tempFolder(t, 'btl-there')
    const file = join(folder, 'b.tar.gz')
    await writeFile(file, 'mine')
    finallyDo(t, () => undefined)
    const { code, stderr } = await alone(
      ['support-bundle', '-o', file, '--state', join(folder, 'state')],
      {},
      folder,
    )
    assert.equal(code, 1)
    assert.match(stderr, /cannot write .*b\.tar\.gz: EEXIST/)
    assert.equal(await readFile(file, 'utf8'), 'mine')
  })
})
