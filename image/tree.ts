/** The folder mkosi works in: our configuration, the mirror, the packages and what is made for this build. */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { env, pid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FlavourFacts } from './flavours.ts'
import { CACHE, inTools, MIRROR } from './tools.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('..', import.meta.url))

// 2026-11-01, for sources that came without their history.
const WITHOUT_GIT = 1_793_491_200

export interface TreeOptions {
  facts: FlavourFacts
  version: string
  /** Our Debian package, of the image's architecture. */
  package: string
  /** minisign's public key that updates are checked against. */
  publicKey: string
  /** Files put over the image's own, by path: for tests that need a broken one. */
  overlay?: string | undefined
  /** Without mkosi's kept base tree. */
  fresh: boolean
  /** Seconds since 1970 that every file gets. */
  epoch: number
  /** Folder for what mkosi makes, emptied. */
  made: string
}

const suite = (path: string, suites: string) => `Types: deb
URIs: ${MIRROR}/${path}
Suites: ${suites}
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

`

/** package.json's. */
export async function readVersion(): Promise<string> {
  const text = await readFile(join(ROOT, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/**
 * The time of the sources: SOURCE_DATE_EPOCH, or the beginning of the month of the last commit. The kernel's
 * first file system is one compressed stream: with other times in it, all of it is new to an update.
 */
export async function sourceEpoch(): Promise<number> {
  const given = Number(env['SOURCE_DATE_EPOCH'])
  if (Number.isSafeInteger(given) && given > 0) return given
  const commit = await run('git', ['-C', ROOT, 'log', '-1', '--format=%ct']).catch(() => undefined)
  if (commit === undefined) return WITHOUT_GIT
  const time = new Date(Number(commit.stdout) * 1000)
  return Date.UTC(time.getUTCFullYear(), time.getUTCMonth()) / 1000
}

/** Runs mkosi; afterwards `made` holds its disk image, slots, kernel and manifest. */
export async function makeTree(tools: string, options: TreeOptions): Promise<void> {
  const build = join(CACHE, `build-${pid}`)
  try {
    await makeTreeIn(build, tools, options)
  } finally {
    await rm(build, { recursive: true, force: true })
  }
}

async function makeTreeIn(build: string, tools: string, options: TreeOptions): Promise<void> {
  const { facts, version, made, epoch } = options
  const work = join(build, facts.flavour)
  const space = join(build, 'space')
  await rm(made, { recursive: true, force: true })
  // Two images of one architecture would take each other's kept base away.
  const kept = join(CACHE, 'mkosi', ...facts.profiles)
  for (const folder of [work, space, made, kept, join(CACHE, 'packages')]) {
    await mkdir(folder, { recursive: true })
  }
  await cp(join(ROOT, 'image', 'mkosi'), work, { recursive: true, verbatimSymlinks: true })
  const sources = join(work, 'mkosi.sandbox/etc/apt/sources.list.d')
  await mkdir(sources, { recursive: true })
  // Exactly this name: mkosi writes a list of its own where there is none.
  const security = suite('debian-security', 'trixie-security')
  const main = suite('debian', 'trixie trixie-updates trixie-backports')
  await writeFile(join(sources, 'mkosi.sources'), main + security)
  await mkdir(join(work, 'mkosi.packages'))
  await cp(options.package, join(work, 'mkosi.packages', basename(options.package)))
  const ours = join(work, 'mkosi.extra/usr/lib/btlinkd')
  await mkdir(ours, { recursive: true })
  await cp(options.publicKey, join(ours, 'release.pub'))
  // `btlinkd update` takes no release of another image.
  await writeFile(join(ours, 'flavour'), `${facts.flavour}\n`)
  if (options.overlay !== undefined) {
    await cp(options.overlay, join(work, 'mkosi.extra'), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
  const flags = {
    directory: work,
    architecture: facts.architecture,
    'image-version': version,
    output: `btlinkd_${version}`,
    'output-directory': made,
    'cache-directory': kept,
    'package-cache-dir': join(CACHE, 'packages'),
    'workspace-directory': space,
    'package-directory': join(work, 'mkosi.packages'),
    'source-date-epoch': String(epoch),
    incremental: options.fresh ? 'no' : 'yes',
  }
  const command = [
    'mkosi',
    '--force',
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    ...facts.profiles.flatMap((name) => ['--profile', name]),
    'build',
  ]
  await inTools(tools, command, { binds: [CACHE, made], cwd: work })
}
