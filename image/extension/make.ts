/** One extension for systemd-sysext from Debian's packages, made to fit an image that was built. */
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pid } from 'node:process'
import type { FlavourFacts } from '../flavours.ts'
import { type SigningKeys, sign } from '../keys.ts'
import { sha256 } from '../publish.ts'
import type { DebianPackage } from '../sbom.ts'
import { CACHE, inTools, must, toolsTree } from '../tools.ts'
import { type Base, extensionRelease, librariesOf, readBase } from './base.ts'
import { contentsOf } from './contents.ts'
import { unpack, unpacked } from './packages.ts'

export interface ExtensionFacts {
  name: string
  packages: readonly string[]
  /** Paths of programs. */
  programs: readonly string[]
  /** Folders that these programs read. */
  data: readonly string[]
}

export interface ExtensionOptions {
  facts: FlavourFacts
  extension: ExtensionFacts
  version: string
  /** Of the built image; the extension goes there. */
  folder: string
  epoch: number
  keys: SigningKeys
  say: (line: string) => void
}

/** Gives the file of the extension. */
export async function makeExtension(options: ExtensionOptions): Promise<string> {
  const build = join(CACHE, `extension-${pid}`)
  try {
    return await makeIn(build, options)
  } finally {
    await rm(build, { recursive: true, force: true })
  }
}

async function makeIn(build: string, options: ExtensionOptions): Promise<string> {
  const { facts, extension, version, folder, epoch, keys, say } = options
  const tools = await toolsTree({ say })
  const base = await readBase(tools, facts, { folder, work: join(build, 'base') })
  const tree = join(build, 'tree')
  say(`unpacking ${extension.packages.join(', ')} and what they depend on`)
  await unpack(tree, extension.packages, facts)
  const root = join(build, 'root')
  const files = await fill(root, tree, { ...options, base })
  const packages = packagesOf(files, await unpacked(tree), { base, say })
  const name = `${extension.name}-${facts.flavour}_${version}`
  const half = join(build, `${name}.raw`)
  await makeErofs(tools, { root, half, epoch, build, release: releaseFile(extension) })
  const raw = join(folder, `${name}.raw`)
  const list = join(folder, `${name}.packages.json`)
  await writeFile(list, `${JSON.stringify(packages, null, 2)}\n`)
  await must('cp', [half, `${raw}.half`])
  await rename(`${raw}.half`, raw)
  await addSums([raw, list], keys, `btlinkd ${facts.flavour} ${version}`)
  const megabytes = ((await stat(raw)).size / 1e6).toFixed(1)
  say(`${basename(raw)}: ${megabytes} MB, ${files.length} files of ${packages.length} packages`)
  return raw
}

const releaseFile = ({ name }: ExtensionFacts) =>
  `usr/lib/extension-release.d/extension-release.${name}`

/** Copies what the extension has into `root`; gives the paths of what came from packages. */
async function fill(
  root: string,
  tree: string,
  { facts, extension, base }: ExtensionOptions & { base: Base },
): Promise<string[]> {
  const libraries = librariesOf(facts)
  const { programs, data } = extension
  const contents = await contentsOf({ tree, programs, libraries, base: base.libraries })
  if (contents.missing.size > 0) {
    const lines = [...contents.missing].map(([name, by]) => `${name} (${by})`)
    throw new Error(`neither the image nor Debian's packages have ${lines.join(', ')}`)
  }
  const files = [...contents.files, ...data]
  for (const path of files) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await cp(join(tree, path), join(root, path), { recursive: true, verbatimSymlinks: true })
  }
  for (const [path, target] of contents.links) await symlink(target, join(root, path))
  const release = join(root, releaseFile(extension))
  await mkdir(dirname(release), { recursive: true })
  await writeFile(release, extensionRelease(base, facts))
  return files
}

/** Packages whose files were taken. Says where Debian has moved on since the image was built. */
function packagesOf(
  files: readonly string[],
  all: readonly { package: DebianPackage; paths: string[] }[],
  { base, say }: { base: Base; say: (line: string) => void },
): DebianPackage[] {
  const taken = new Set(files)
  const moved = all.flatMap(({ package: { name, version } }) => {
    const has = base.packages.get(name)?.version
    return has === undefined || has === version ? [] : [`${name} ${has} -> ${version}`]
  })
  if (moved.length > 0) say(`Debian is newer than the image: ${moved.join(', ')}`)
  return all.filter(({ paths }) => paths.some((path) => taken.has(path))).map((one) => one.package)
}

// Any name of the file will do (os-release(5), extension-release): people keep the one they downloaded.
const MAKE = `import os, subprocess, sys
root, release, *command = sys.argv[1:]
os.setxattr(os.path.join(root, release), 'user.extension-release.strict', b'0')
subprocess.run(command, check=True)`

async function makeErofs(
  tools: string,
  made: { root: string; half: string; epoch: number; build: string; release: string },
): Promise<void> {
  const { root, half, epoch, build, release } = made
  // The same inputs give the same bytes.
  const hex = createHash('sha256').update(basename(half)).digest('hex')
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
  const how = ['--quiet', '--all-root', '-zzstd,level=12', '-C65536', `-T${epoch}`, `-U${uuid}`]
  const command = ['mkfs.erofs', ...how, half, root]
  const whole = ['python3', '-c', MAKE, root, release, ...command]
  await inTools(tools, whole, { binds: [build], cwd: build, beside: true })
}

/** Puts files beside SHA256SUMS into it, in place of former ones of their names, and signs it anew. */
export async function addSums(
  files: readonly string[],
  keys: SigningKeys,
  comment: string,
): Promise<void> {
  const sums = join(dirname(files[0] ?? ''), 'SHA256SUMS')
  const names = new Set(files.map((file) => basename(file)))
  const before = await readFile(sums, 'utf8').catch(() => '')
  const kept = before.split('\n').filter((line) => line !== '' && !names.has(line.slice(66)))
  for (const file of files) kept.push(`${await sha256(file)}  ${basename(file)}`)
  kept.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1))
  await writeFile(sums, `${kept.join('\n')}\n`)
  await sign(sums, keys.secretKey, comment)
}
