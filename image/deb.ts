/**
 * `npm run deb -- [--arch amd64|arm64] [--version X] [--out DIR] [--release-key FILE] [--release-site NAME]`:
 * the Debian package, which the images and the Ansible role install. For the machine's own architecture it
 * needs no network; for the other one npm fetches what the lock names.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { arch as machine, argv, env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Arch, CPUS } from './deb/modules.ts'
import { buildPackage } from './deb/package.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

const isArch = (text: string): text is Arch => Object.hasOwn(CPUS, text)

function lastCommit(): number {
  const stated = env['SOURCE_DATE_EPOCH']
  return Number(stated ?? execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root }))
}

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    arch: { type: 'string' },
    version: { type: 'string' },
    out: { type: 'string', default: join(root, 'image/out') },
    'release-key': { type: 'string' },
    'release-site': { type: 'string' },
  },
})

const own = machine === 'arm64' ? 'arm64' : 'amd64'
const arch = values.arch ?? own
if (!isArch(arch)) throw new Error(`--arch is amd64 or arm64, not ${arch}`)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
}

const file = await buildPackage({
  root,
  arch,
  version: values.version ?? version,
  out: values.out,
  epochSeconds: lastCommit(),
  releaseKey: values['release-key'],
  releaseSite: values['release-site'],
})
process.stdout.write(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB\n`)
