/** What of a box only a booted system can show: a daemon that verbs stop, a restore that root finishes, the wish for a reset, the firewall that follows. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { builtPackage } from '../support/debian-package.ts'
import {
  type BootedRoot,
  bootRoot,
  cloneRoot,
  runIn,
  withoutDebianRoot,
} from '../support/debian-root.ts'
import { ROOT } from '../support/sources.ts'
import { until } from '../support/until.ts'

const EXTRA = join(ROOT, 'image/mkosi/mkosi.extra')
const UNITS = 'usr/lib/systemd/system'
const ROLES = ['dns', 'swarm', 'web'].map((role) => `btlinkd-${role}.service`)
const CONFIG = '/etc/btlinkd/btlinkd.yaml'
const RESTORE = 'btlinkd backup restore /root/backup --passphrase-file /root/secret --stop --yes'

/** Our package, and of the image what this is about, in its places. */
async function prepare(root: string): Promise<void> {
  await cp(await builtPackage(), join(root, 'root/btlinkd.deb'))
  const installed = await runIn(root, '/usr/bin/dpkg', ['-i', '/root/btlinkd.deb'])
  assert.equal(installed.code, 0, installed.stderr)
  await mkdir(join(root, 'var/etc'), { recursive: true })
  await rename(join(root, 'etc/btlinkd'), join(root, 'var/etc/btlinkd'))
  await symlink('../var/etc/btlinkd', join(root, 'etc/btlinkd'))
  const parts = ['firewall-ports.service', 'firewall-ports.path']
  const reset = ['factory-reset.service', 'factory-reset.path']
  const files = [
    ...[...parts, ...reset].map((name) => `${UNITS}/btlinkd-${name}`),
    'usr/libexec/btlinkd/firewall-ports',
    'usr/libexec/btlinkd/factory-reset',
    'etc/nftables.conf',
  ]
  for (const file of files) await cp(join(EXTRA, file), join(root, file))
  for (const folder of ['usr/share/btlinkd', 'var/lib/btlinkd-firewall', 'boot']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  await writeFile(join(root, 'root/secret'), 'correct horse battery staple\n', { mode: 0o600 })
  // A machine that starts again would be another one to this test.
  await rm(join(root, UNITS, 'reboot.target'))
  await symlink('poweroff.target', join(root, UNITS, 'reboot.target'))
}

const settled = (box: BootedRoot) =>
  until(
    'all roles',
    async () => {
      const { stdout } = await box.run('/usr/bin/systemctl', ['is-active', ...ROLES])
      return stdout === 'active\n'.repeat(ROLES.length)
    },
    { timeoutMs: 60_000, everyMs: 200 },
  )

/** What makes a box itself, by its hashes. */
const self = (box: BootedRoot) =>
  box.sh('cd /var/lib/btlinkd && sha256sum pki/names/*/*/root.pem keys/*')

describe('a box in a booted Debian', { skip: withoutDebianRoot() }, () => {
  it('is backed up, emptied, restored and reset while systemd runs it', async (t) => {
    const root = await cloneRoot(t, 'btl-box')
    await prepare(root)
    const box = await bootRoot(t, root)
    await settled(box)
    await box.sh('btlinkd key new home')
    const before = await self(box)

    await t.test(
      'is stopped for a reset by --stop, and is a new one afterwards (R20)',
      async () => {
        await box.sh('btlinkd backup create /root/backup --passphrase-file /root/secret')
        const refused = await box.run('/usr/bin/btlinkd', ['reset', '--factory', '--yes'])
        assert.match(refused.stderr, /say --stop where systemd runs it/)
        assert.equal(await self(box), before)
        await box.sh('btlinkd reset --factory --stop --yes')
        await settled(box)
        const now = await until('a new root', () => self(box).catch(() => undefined))
        assert.doesNotMatch(now, / keys\/home\.key/)
        for (const line of before.trim().split('\n')) assert.ok(!now.includes(line), line)
      },
    )

    await t.test('is what it was after a restore with --stop (R20)', async () => {
      const said = await box.sh(RESTORE)
      assert.match(said, /Restored/)
      await settled(box)
      assert.equal(await self(box), before)
    })

    await t.test('has a restore that was cut short finished by its unit', async () => {
      await box.sh('btlinkd reset --factory --stop --yes')
      await settled(box)
      // Nothing can take the place of what something is mounted on.
      await box.sh(`touch /root/in-the-way; mount --bind ${CONFIG} ${CONFIG}`)
      const cut = await box.run('/bin/sh', ['-c', RESTORE])
      assert.equal(cut.code, 1, cut.stdout)
      assert.match(cut.stderr, /backup resume/)
      assert.equal(
        await box.sh('ls -d /var/lib/btlinkd/swap.ready'),
        '/var/lib/btlinkd/swap.ready\n',
      )
      await box.sh(`umount ${CONFIG}; systemctl stop btlinkd.target; systemctl reset-failed`)
      await box.sh('systemctl start btlinkd.target')
      await settled(box)
      assert.match(
        await box.sh('journalctl -u btlinkd-resume -o cat'),
        /what was cut short is done/,
      )
      assert.equal(await self(box), before)
      const left = await box.sh('find /var/lib/btlinkd -name "swap.*" -o -name "*restoring*"')
      assert.equal(left, '')
    })

    await t.test('has its firewall follow the configuration', async () => {
      const ports = async () => {
        const text = await box.sh('nft list set inet btlinkd house_tcp')
        return text.match(/elements = \{ (.*?) \}/)?.[1]
      }
      await box.sh(`
        cp ${CONFIG} /usr/share/btlinkd/btlinkd.yaml
        btlinkd appliance firewall > /usr/share/btlinkd/ports.nft
        systemctl restart nftables.service
        systemctl start btlinkd-firewall-ports.service btlinkd-firewall-ports.path`)
      assert.match((await ports()) ?? '', /9877/)
      // In the moment in which it ends systemd takes no note of a change.
      const ended = () =>
        until('its end', async () => {
          const unit = 'btlinkd-firewall-ports.service'
          const { stdout } = await box.run('/usr/bin/systemctl', ['is-active', unit])
          return stdout === 'inactive\n'
        })
      await box.sh(`printf '\\ngateway: { port: 9900 }\\n' >> ${CONFIG}`)
      await until('the port', async () => (await ports())?.includes('9900'), { timeoutMs: 20_000 })
      assert.doesNotMatch((await ports()) ?? '', /9877/)
      await ended()
      await box.sh(`sed -i 's/port: 9900/port: many/' ${CONFIG}`)
      const told = () => box.sh('journalctl -u btlinkd-firewall-ports -o cat')
      await until('the refusal', async () => /stays as it was/.test(await told()))
      assert.match((await ports()) ?? '', /9900/)
      const failed = await box.sh('systemctl --failed --no-legend --plain')
      assert.equal(failed, '')
      await ended()
      await box.sh(`sed -i '/^gateway:/d' ${CONFIG}`)
      await until('the former ports', async () => (await ports())?.includes('9877'))
    })

    await t.test(
      'starts again with the wish for a factory reset on its FAT partition',
      async () => {
        await box.sh('systemctl start btlinkd-factory-reset.path')
        await appendFile(join(root, 'usr/lib/os-release'), 'IMAGE_ID=btlinkd\n')
        const { code, stdout, stderr } = await box.run('/usr/bin/btlinkd', [
          'reset',
          '--factory',
          '--stop',
          '--yes',
        ])
        await until('the machine to go', () => !existsSync(`/proc/${box.leader}`), {
          timeoutMs: 40_000,
        })
        // Its shell may be gone before it ends.
        if (code !== null) assert.match(stdout + stderr, /starts again now/)
        assert.ok(existsSync(join(root, 'boot/btlinkd-factory-reset')))
        assert.ok(
          existsSync(join(root, 'var/lib/btlinkd/keys/home.key')),
          'only the partition goes',
        )
      },
    )
  })
})
