import assert from 'node:assert/strict'
import { cp, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { arch as machine } from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createHash } from 'node:crypto'
import { checkNode } from '../../image/deb/node-binary.ts'
import { isNeeded } from '../../image/deb/modules.ts'
import { bootRoot, cloneRoot, runIn, withoutDebianRoot } from '../support/debian-root.ts'
import { builtPackage, NATIVE_PROBE } from '../support/debian-package.ts'
import { missing, output, run } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ARCH = machine === 'arm64' ? 'arm64' : 'amd64'
const LINTIAN = '/usr/bin/lintian'

const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  version: string
}
const sha256 = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

/** The same package with a version of its own: repacked, since only its upgrade is of interest. */
async function asVersion(file: string, folder: string, next: string): Promise<string> {
  const tree = join(folder, 'tree')
  await output('/usr/bin/dpkg-deb', ['-R', file, tree])
  for (const path of ['DEBIAN/control', 'usr/lib/btlinkd/package.json']) {
    const text = await readFile(join(tree, path), 'utf8')
    await writeFile(join(tree, path), text.replace(version, next))
  }
  const target = join(folder, 'next.deb')
  await output('/usr/bin/dpkg-deb', ['--root-owner-group', '-Zzstd', '-z1', '-b', tree, target])
  return target
}

describe('the Debian package', { skip: missing('/usr/bin/dpkg-deb') }, () => {
  it('is the same bytes when it is built again', async (t) => {
    const file = await builtPackage()
    const folder = await tempFolder(t, 'btl-deb-again')
    // Another time zone, umask and locale must not be seen in it.
    const shell = 'umask 077; exec "$0" "$@"'
    const args = [join(ROOT, 'image/deb.ts'), '--out', folder]
    const env = { ...process.env, TZ: 'Pacific/Auckland', LC_ALL: 'C' }
    const again = await run('/bin/sh', ['-c', shell, process.execPath, ...args], {
      env,
      timeoutMs: 200_000,
    })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(await sha256(join(folder, `btlinkd_${version}_${ARCH}.deb`)), await sha256(file))
    t.diagnostic(again.stdout.replace(/^.*\//, '').trim())
  })

  it('has what runs, and nothing of what only builds or tests it', async () => {
    const list = (await output('/usr/bin/dpkg-deb', ['-c', await builtPackage()])).split('\n')
    const paths = list.filter((line) => line !== '').map((line) => line.slice(line.indexOf('./')))
    for (const wanted of [
      './usr/bin/btlinkd',
      './usr/lib/btlinkd/dist/app/main.js',
      './usr/lib/btlinkd/node_modules/better-sqlite3/package.json',
      './usr/lib/systemd/system/btlinkd.target',
      './usr/lib/systemd/system/btlinkd-dns.socket',
      './usr/lib/sysusers.d/btlinkd.conf',
      './usr/lib/tmpfiles.d/btlinkd.conf',
      './etc/btlinkd/btlinkd.yaml',
      './usr/share/man/man1/btlinkd.1.gz',
      './usr/share/doc/btlinkd/copyright',
    ]) {
      assert.ok(paths.includes(wanted), wanted)
    }
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>
    }
    const dev = Object.keys(lock.packages).filter((name) => lock.packages[name]?.dev === true)
    assert.ok(dev.length > 50)
    const folders = new Set(paths)
    assert.deepEqual(
      dev.filter((name) => folders.has(`./usr/lib/btlinkd/${name}/`)),
      [],
    )
    const left = /\.(ts|map|cc|h)$|\/(win32|darwin|android|ios)-[^/.]*\/|\/(npm|corepack)\//
    assert.deepEqual(
      paths.filter((path) => left.test(path)),
      [],
    )
    assert.deepEqual(
      list.filter((line) => line !== '' && !line.includes(' root/root ')),
      [],
    )
  })

  it('keeps licences and code of packages, whatever their folders are called', () => {
    assert.equal(isNeeded('yaml', 'dist/doc/Document.js', 'amd64'), true)
    assert.equal(isNeeded('ws', 'LICENSE', 'amd64'), true)
    assert.equal(isNeeded('any', 'license.md', 'amd64'), true)
    assert.equal(isNeeded('any', 'docs/guide.js', 'amd64'), false)
    assert.equal(isNeeded('any', 'test/a.js', 'amd64'), false)
    assert.equal(isNeeded('any', 'prebuilds/linux-arm64/a.node', 'amd64'), false)
    assert.equal(isNeeded('any', 'prebuilds/linux-arm64/a.node', 'arm64'), true)
    assert.equal(isNeeded('better-sqlite3', 'prebuilds/linux-x64.node', 'amd64'), true)
    assert.equal(isNeeded('better-sqlite3', 'prebuilds/linuxmusl-x64.node', 'amd64'), false)
  })

  it('takes no other Node than the one of the lock', async (t) => {
    const node = join(ROOT, `node_modules/node-linux-${machine}/bin/node`)
    await checkNode(ROOT, ARCH, node)
    const other = join(await tempFolder(t), 'node')
    await writeFile(other, 'not it')
    await assert.rejects(checkNode(ROOT, ARCH, other), /is not the Node of package-lock\.json/)
  })

  it('pleases lintian, and its manual page groff', { skip: missing(LINTIAN) }, async (t) => {
    const file = await builtPackage()
    const found = await run(
      LINTIAN,
      ['--fail-on', 'error,warning', '--tag-display-limit', '0', file],
      {
        timeoutMs: 200_000,
      },
    )
    assert.equal(`${found.stdout}${found.stderr.replace(/^running with root.*\n/m, '')}`, '')
    assert.equal(found.code, 0)
    const folder = await tempFolder(t)
    await output('/usr/bin/dpkg-deb', ['-x', file, folder])
    const page = join(folder, 'usr/share/man/man1/btlinkd.1.gz')
    const shown = await run('/bin/sh', ['-c', `zcat ${page} | groff -man -ww -Tutf8 -P -bcu`])
    assert.equal(shown.stderr, '')
    assert.match(shown.stdout, /btlinkd publish/)
  })
})

describe('a Debian with the package', { skip: withoutDebianRoot() }, () => {
  it('has the user, folders, units and a command that works, before it was ever booted', async (t) => {
    const root = await cloneRoot(t)
    await cp(await builtPackage(), join(root, 'root/btlinkd.deb'))
    const installed = await runIn(root, '/usr/bin/dpkg', ['-i', '/root/btlinkd.deb'])
    assert.equal(installed.code, 0, installed.stderr)
    await writeFile(join(root, 'usr/lib/btlinkd/native.mjs'), NATIVE_PROBE)
    const { code, stdout, stderr } = await runIn(root, '/bin/sh', [
      '-ec',
      `stat -c '%U:%G %a' /etc/btlinkd/btlinkd.yaml /var/lib/btlinkd
       btlinkd config check
       btlinkd convert --help | head -n 1
       /usr/lib/btlinkd/node_modules/node-linux-*/bin/node /usr/lib/btlinkd/native.mjs
       systemctl is-enabled btlinkd.target btlinkd-dns.socket btlinkd-http.socket`,
    ])
    assert.equal(code, 0, stderr)
    const lines = stdout.trim().split('\n')
    assert.deepEqual(lines.slice(0, 3), [
      'root:btlinkd 640',
      'btlinkd:btlinkd 750',
      '/etc/btlinkd/btlinkd.yaml: ok',
    ])
    assert.match(lines[4] ?? '', new RegExp(`^${machine} 3\\.`))
    assert.deepEqual(lines.slice(5), ['enabled', 'enabled', 'enabled'])
  })

  it('serves at once, is upgraded with its state, and gives everything back', async (t) => {
    const folder = await tempFolder(t, 'btl-deb')
    const root = await cloneRoot(t)
    const next = await asVersion(await builtPackage(), folder, '99.1.0')
    await cp(await builtPackage(), join(root, 'root/one.deb'))
    await rename(next, join(folder, 'two.deb'))
    await cp(join(folder, 'two.deb'), join(root, 'root/two.deb'))
    const box = await bootRoot(t, root)

    await box.sh('dpkg -i /root/one.deb')
    const page = 'curl -sf --max-time 5 http://127.0.0.1/ -H "Host: btlink" -o /dev/null'
    const up = () =>
      until('the page', async () => (await box.run('/bin/sh', ['-c', page])).code === 0, {
        timeoutMs: 90_000,
        everyMs: 500,
      })
    await up()
    assert.match(await box.sh('dig +short +tries=1 btlink @127.0.0.1'), /^[0-9.]+/)
    const authority = 'sha256sum < /var/lib/btlinkd/pki/*/root.pem || find /var/lib/btlinkd/pki'
    const before = await box.sh(authority)
    await box.sh('echo "# mine" >> /etc/btlinkd/btlinkd.yaml')

    await box.sh('dpkg -i --force-confold /root/two.deb')
    await up()
    assert.match(await box.sh('btlinkd status'), /99\.1\.0/)
    assert.equal(await box.sh(authority), before)
    assert.match(await box.sh('cat /etc/btlinkd/btlinkd.yaml'), /# mine/)
    assert.equal(await box.sh('systemctl --failed --no-legend'), '')

    await box.sh('dpkg -r btlinkd')
    assert.equal((await box.run('/bin/sh', ['-c', page])).code, 7)
    assert.equal(await box.sh('test -d /var/lib/btlinkd/pki && echo kept'), 'kept\n')
    const purged = await box.sh('dpkg --purge btlinkd 2>&1')
    assert.match(purged, /btlinkd: removing \/var\/lib\/btlinkd .*keys, certificates, sites/)
    const left = await box.sh(
      'ls -d /var/lib/btlinkd* /etc/btlinkd /usr/lib/btlinkd /etc/systemd/system/*/btlinkd* 2>/dev/null || true',
    )
    assert.equal(left, '')
  })
})
