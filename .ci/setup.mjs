/**
 * Everything `npm start` and `npm test` need on a machine that has Node 20 and npm, said in one line
 * each; does nothing where nothing changed. Plain JavaScript, since it runs before anything is installed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { arch, argv, env, exit, getuid, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { copyAssets, filesUnder } from './assets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (...parts) => join(root, ...parts)
const say = (text) => stdout.write(`setup: ${text}\n`)

/** Node of the project: the one every script and child process runs on. */
const pinnedNode = at('node_modules', `node-linux-${arch}`, 'bin', 'node')

/** Debian packages of the tests, with a file that is there once the package is. */
const testPackages = {
  age: '/usr/bin/age',
  ansible: '/usr/lib/python3/dist-packages/ansible_collections/community/general',
  'ansible-lint': '/usr/bin/ansible-lint',
  aria2: '/usr/bin/aria2c',
  'avahi-daemon': '/usr/sbin/avahi-daemon',
  busybox: '/usr/bin/busybox',
  chromium: '/usr/bin/chromium',
  curl: '/usr/bin/curl',
  'debian-archive-keyring': '/usr/share/keyrings/debian-archive-keyring.gpg',
  deluged: '/usr/bin/deluged',
  dmsetup: '/usr/sbin/dmsetup',
  'dnsmasq-base': '/usr/sbin/dnsmasq',
  dnsutils: '/usr/bin/dig',
  'erofs-utils': '/usr/bin/mkfs.erofs',
  dosfstools: '/usr/sbin/mkfs.vfat',
  faketime: '/usr/bin/faketime',
  fdisk: '/usr/sbin/sfdisk',
  'firefox-esr': '/usr/bin/firefox-esr',
  'fiu-utils': '/usr/bin/fiu-run',
  'g++': '/usr/bin/g++',
  git: '/usr/bin/git',
  'gnutls-bin': '/usr/bin/certtool',
  'groff-base': '/usr/bin/groff',
  iproute2: '/usr/sbin/ip',
  'knot-dnsutils': '/usr/bin/kdig',
  knot: '/usr/sbin/knotd',
  'libnss3-tools': '/usr/bin/certutil',
  'libtorrent-rasterbar-dev': '/usr/include/libtorrent/session.hpp',
  lintian: '/usr/bin/lintian',
  minisign: '/usr/bin/minisign',
  'miniupnpd-nftables': '/usr/sbin/miniupnpd',
  mktorrent: '/usr/bin/mktorrent',
  mmdebstrap: '/usr/bin/mmdebstrap',
  mtools: '/usr/bin/mcopy',
  nftables: '/usr/sbin/nft',
  'nginx-light': '/usr/sbin/nginx',
  nsd: '/usr/sbin/nsd',
  'openjdk-17-jdk-headless': '/usr/bin/javac',
  'openssh-client': '/usr/bin/ssh',
  openssl: '/usr/bin/openssl',
  ovmf: '/usr/share/OVMF/OVMF_CODE_4M.fd',
  pebble: '/usr/bin/pebble',
  'pkg-config': '/usr/bin/pkg-config',
  prometheus: '/usr/bin/promtool',
  'python3-dnspython': '/usr/lib/python3/dist-packages/dns',
  'python3-libtorrent': '/usr/share/doc/python3-libtorrent',
  'python3-pacparser': '/usr/lib/python3/dist-packages/pacparser',
  python3: '/usr/bin/python3',
  'qbittorrent-nox': '/usr/bin/qbittorrent-nox',
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  rtorrent: '/usr/bin/rtorrent',
  strace: '/usr/bin/strace',
  'systemd-container': '/usr/bin/systemd-nspawn',
  systemd: '/usr/bin/systemd-socket-activate',
  tcpdump: '/usr/bin/tcpdump',
  'transmission-cli': '/usr/bin/transmission-create',
  'transmission-daemon': '/usr/bin/transmission-daemon',
  unbound: '/usr/sbin/unbound',
  unzip: '/usr/bin/unzip',
  'user-mode-linux': '/usr/bin/linux.uml',
  wget: '/usr/bin/wget',
  wrk: '/usr/bin/wrk',
  'xz-utils': '/usr/bin/xz',
  yamllint: '/usr/bin/yamllint',
  zstd: '/usr/bin/zstd',
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) throw result.error
  return result.status === 0
}

function fail(text) {
  say(text)
  exit(1)
}

function installModules() {
  const stamp = at('node_modules', '.btlinkd-lock')
  const lock = createHash('sha256')
    .update(readFileSync(at('package-lock.json')))
    .digest('hex')
  const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === lock
  if (!done || !existsSync(pinnedNode)) {
    say(
      'installing the npm packages of package-lock.json, Node 24 among them (npm ci, about 400 MB)',
    )
    // The npm that started us, on the node that runs it: `npm ci` removes the one in node_modules.
    const npm =
      env.npm_execpath && env.npm_node_execpath
        ? [env.npm_node_execpath, env.npm_execpath]
        : ['npm']
    const args = [...npm.slice(1), 'ci', '--no-audit', '--no-fund', '--loglevel=error']
    if (!run(npm[0], args)) fail('npm ci failed: see its message above')
    try {
      const version = execFileSync(pinnedNode, ['--version'], { encoding: 'utf8' }).trim()
      say(`node ${version} for ${arch} runs`)
    } catch (error) {
      fail(`the Node of node_modules does not run on this machine (${arch}): ${error.message}`)
    }
    writeFileSync(stamp, lock)
  }
}

function build() {
  const stamp = at('dist', '.built')
  const files = filesUnder(at('src'))
  const inputs = [...files, at('src'), at('tsconfig.json'), at('tsconfig.build.json')]
  const newest = Math.max(...inputs.map((file) => statSync(file).mtimeMs))
  const list = files.sort().join('\n')
  const done =
    existsSync(stamp) && statSync(stamp).mtimeMs > newest && readFileSync(stamp, 'utf8') === list
  if (done) return
  say('compiling src/ into dist/ (tsc)')
  rmSync(at('dist'), { recursive: true, force: true })
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc')
  if (!run(pinnedNode, [tsc, '-p', 'tsconfig.build.json'])) fail('tsc found mistakes: see above')
  copyAssets(at('src'), at('dist'))
  writeFileSync(stamp, list)
}

/** Packages of servers would start them, on ports of this machine (invoke-rc.d asks this script first). */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return install()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(policy, { force: true })
  }
}

function installPackages() {
  const missing = Object.keys(testPackages).filter((name) => !existsSync(testPackages[name]))
  if (missing.length === 0) return
  if (getuid() === 0 && existsSync('/usr/bin/apt-get')) {
    say(`installing the Debian packages ${missing.join(' ')} (apt-get)`)
    const quiet = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } }
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing]
    run('apt-get', ['update', '-qq'], quiet)
    if (withoutServices(() => run('apt-get', install, quiet))) return
  }
  const still = Object.keys(testPackages).filter((name) => !existsSync(testPackages[name]))
  const command = `apt-get install ${still.join(' ')}`
  say(`MISSING: ${still.join(', ')}`)
  say(`MISSING: tests that need them are left out; as root: ${command}`)
  if (env.CI) exit(1)
}

const goal = argv[2]
if (goal !== 'start' && goal !== 'test') {
  say('usage: node .ci/setup.mjs start|test')
  exit(2)
}
installModules()
if (goal === 'start') build()
if (goal === 'test') installPackages()
