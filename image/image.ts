/** One image from sources to signed files: package, tree, boot code, contents, sums. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { hybridMbr } from './hybrid-mbr.ts'
import type { FlavourFacts } from './flavours.ts'
import { developmentKeys, type SigningKeys } from './keys.ts'
import { packagesOfImage, publish } from './publish.ts'
import { toolsTree } from './tools.ts'
import { makeTree, sourceEpoch } from './tree.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface ImageOptions {
  facts: FlavourFacts
  version: string
  out: string
  package?: string | undefined
  /** Name of the site whose releases it takes, for the package that is made here. */
  releaseSite?: string | undefined
  /** Address of the folder that the files will be published in. */
  publishedAt?: string | undefined
  key?: string | undefined
  overlay?: string | undefined
  fresh: boolean
  raw: boolean
  /** Writes image/lock anew. */
  lock: boolean
  say: (line: string) => void
}

/** Builds one image into `options.out`; gives the file of the disk image. */
export async function buildImage(options: ImageOptions): Promise<string> {
  const { facts, version, out, say } = options
  const since = Date.now()
  const took = () => `${((Date.now() - since) / 1000).toFixed(0)} s`
  // Before the keys, whose folder is nobody else's.
  await mkdir(dirname(out), { recursive: true })
  const keys = await signingKeys(options.key)
  const tools = await toolsTree({ say })
  const deb = options.package ?? (await ourPackage(options))
  say(`building ${facts.flavour} ${version} with ${basename(deb)} (${took()})`)
  const made = join(dirname(out), `.${basename(out)}.half`)
  const epoch = await sourceEpoch()
  const { publicKey } = keys
  const { overlay, fresh, lock, publishedAt } = options
  await makeTree(tools, { facts, version, package: deb, publicKey, overlay, fresh, epoch, made })
  const disk = join(made, `btlinkd-${facts.flavour}_${version}.img`)
  await rename(join(made, `btlinkd_${version}.raw`), disk)
  if (facts.hybridMbr) await hybridMbr(disk)
  say(`the image is made (${took()})`)
  await tidy(made)
  const whole = { facts, version, folder: made, disk, epoch, keys, lock, publishedAt, say }
  if (options.raw) await packagesOfImage(whole)
  else await publish(whole)
  await rm(out, { recursive: true, force: true })
  await rename(made, out)
  say(`done: ${out} (${took()})`)
  return join(out, basename(disk))
}

/** The pair of this release, or a development one that is made here. */
export async function signingKeys(given: string | undefined): Promise<SigningKeys> {
  if (given === undefined) return developmentKeys(join(ROOT, 'image/out/keys'))
  return { secretKey: given, publicKey: given.replace(/\.key$/, '.pub') }
}

/** `npm run deb`, for the image's architecture. */
export async function ourPackage({
  facts,
  releaseSite,
  say,
}: Pick<ImageOptions, 'facts' | 'releaseSite' | 'say'>): Promise<string> {
  say(`making btlinkd's package for ${facts.debian} (npm run deb)`)
  const script = join(ROOT, 'image/deb.ts')
  const args = [script, '--arch', facts.debian]
  if (releaseSite !== undefined) args.push('--release-site', releaseSite)
  const { stdout } = await run(execPath, args, { cwd: ROOT, maxBuffer: 64e6 })
  const file = stdout.match(/\S+\.deb/g)?.at(-1)
  if (file === undefined) throw new Error(`npm run deb named no package: ${stdout}`)
  return file.startsWith('/') ? file : join(ROOT, file)
}

/** What mkosi leaves beside what was asked for. */
async function tidy(made: string): Promise<void> {
  for (const name of await readdir(made)) {
    const file = join(made, name)
    if (!/\.(raw|img|efi|manifest)$/.test(name)) await rm(file, { recursive: true, force: true })
    else await chmod(file, 0o644)
  }
}
