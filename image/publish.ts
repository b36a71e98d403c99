/** What goes to people beside the disk image: compressed forms, contents, sums, signature. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FlavourFacts } from './flavours.ts'
import { imagerManifest } from './imager.ts'
import { type SigningKeys, sign } from './keys.ts'
import { type DebianPackage, makeSbom } from './sbom.ts'
import { must } from './tools.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface PublishOptions {
  facts: FlavourFacts
  version: string
  /** Where everything lies, and goes. */
  folder: string
  disk: string
  epoch: number
  keys: SigningKeys
  /** Writes the committed list of packages anew. */
  lock: boolean
  /** Address of the folder that the files will be in. */
  publishedAt?: string | undefined
  say: (line: string) => void
}

export async function publish(options: PublishOptions): Promise<void> {
  const { facts, version, folder, disk, epoch, keys, say } = options
  const packages = await packagesOfImage(options)
  const name = `btlinkd-${facts.flavour}_${version}`
  const sbom = makeSbom({
    root: ROOT,
    flavour: facts.flavour,
    version,
    arch: facts.debian,
    packages,
    epoch,
  })
  await writeFile(join(folder, `${name}.cdx.json`), `${JSON.stringify(sbom, null, 2)}\n`)
  // Its contents are compressed already: more than the fastest level would only take longer.
  await must('xz', ['--keep', '--force', '--threads=2', '-1', disk])
  await must('zstd', ['--quiet', '--force', '--threads=2', '-3', disk, '-o', `${disk}.zst`])
  await writeImagerManifest(options)
  const files = (await readdir(folder)).filter((file) => !file.endsWith('.esp.raw')).sort()
  const lines: string[] = []
  for (const file of files) lines.push(`${await sha256(join(folder, file))}  ${file}\n`)
  const sums = join(folder, 'SHA256SUMS')
  await writeFile(sums, lines.join(''))
  await sign(sums, keys.secretKey, `btlinkd ${facts.flavour} ${version}`)
  for (const file of [`${disk}.xz`, `${disk}.zst`]) {
    say(`${basename(file)}: ${((await stat(file)).size / 1e6).toFixed(1)} MB`)
  }
}

/** The packages of Debian in it, compared with the committed list, or written there. */
export async function packagesOfImage(options: PublishOptions): Promise<DebianPackage[]> {
  const packages = await packagesOf(join(options.folder, `btlinkd_${options.version}.manifest`))
  await compareWithLock(packages, options)
  return packages
}

async function packagesOf(manifest: string): Promise<DebianPackage[]> {
  const { packages } = JSON.parse(await readFile(manifest, 'utf8')) as { packages: DebianPackage[] }
  return packages
    .map(({ name, version, architecture }) => ({ name, version, architecture }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Says how the packages differ from the committed list: Debian's mirrors keep only the newest. */
async function compareWithLock(now: DebianPackage[], options: PublishOptions): Promise<void> {
  const { facts, lock, say } = options
  const file = join(ROOT, 'image/lock', `${facts.flavour}.json`)
  const debian = now.filter(({ name }) => name !== 'btlinkd')
  if (lock) {
    await mkdir(join(ROOT, 'image/lock'), { recursive: true })
    const lines = debian.map((one) => `  ${JSON.stringify(one)}`)
    await writeFile(file, `[\n${lines.join(',\n')}\n]\n`)
    say(`wrote ${file}: ${debian.length} packages`)
    return
  }
  const before = new Map(
    (JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as DebianPackage[]).map((one) => [
      one.name,
      one.version,
    ]),
  )
  const changes = debian
    .filter(({ name, version }) => before.get(name) !== version)
    .map(({ name, version }) => `${name} ${before.get(name) ?? 'new'} -> ${version}`)
  const names = new Set(debian.map(({ name }) => name))
  for (const name of before.keys()) if (!names.has(name)) changes.push(`${name} is gone`)
  say(
    changes.length === 0
      ? `${debian.length} packages of Debian, as in image/lock/${facts.flavour}.json`
      : `not the packages of image/lock/${facts.flavour}.json: ${changes.join(', ')}`,
  )
}

async function writeImagerManifest(options: PublishOptions) {
  const { facts, version, folder, disk, epoch, publishedAt, say } = options
  if (facts.flavour !== 'rpi') return
  if (publishedAt === undefined) {
    say('no manifest of Imager, which has to say where the image is: --url ADDRESS')
    return
  }
  const compressed = `${disk}.xz`
  const manifest = imagerManifest({
    version,
    url: new URL(basename(compressed), publishedAt.replace(/\/*$/, '/')).href,
    extractSize: (await stat(disk)).size,
    extractSha256: await sha256(disk),
    downloadSize: (await stat(compressed)).size,
    downloadSha256: await sha256(compressed),
    epoch,
  })
  const file = join(folder, 'btlinkd.rpi-imager-manifest')
  await rm(file, { force: true })
  await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Hex. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
