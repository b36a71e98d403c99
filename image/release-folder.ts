/** The folder of a release: what boxes fetch, with packs from earlier releases, and signed. */
import { constants } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { compareVersions, parseRelease, type Role } from '../src/services/update/index.ts'
import { sign } from './keys.ts'
import { makePack } from './pack.ts'
import { sha256 } from './publish.ts'

const PATTERNS: Record<Role, RegExp> = {
  root: /^btlinkd_(.+)\.root\.[0-9a-f-]+\.raw$/,
  verity: /^btlinkd_(.+)\.verity\.[0-9a-f-]+\.raw$/,
  kernel: /^btlinkd_(.+)\.efi$/,
}
const ROLES = ['root', 'verity', 'kernel'] as const
/** Sections of a UKI begin at multiples of 512 bytes (PE FileAlignment); file systems use 4 KiB. */
const BLOCK_BYTES: Record<Role, number> = { root: 4096, verity: 4096, kernel: 512 }

interface SlotFiles {
  version: string
  files: Record<Role, string>
}

export interface ReleaseOptions {
  /** Folder with the three files of the new version. */
  from: string
  /** Where the release goes; emptied first. */
  to: string
  /** Folders with the files of versions that boxes may run. */
  earlier: string[]
  secretKey: string
  architecture: string
  flavour: string
  minimum?: string | undefined
  notes?: string
  /** Leaves the files themselves out: packs from nothing take their place. */
  packsOnly?: boolean
  /** Packs at once instead of well, for tests. */
  isFast?: boolean
  say: (line: string) => void
}

async function slotFiles(folder: string): Promise<SlotFiles> {
  const names = await readdir(folder)
  const found = ROLES.map((role) => {
    const fits = names.filter((name) => PATTERNS[role].test(name))
    const [name] = fits
    if (name === undefined || fits.length > 1)
      throw new Error(`${folder} has ${fits.length} files of the role ${role}, and one is needed`)
    return { role, name, version: PATTERNS[role].exec(name)?.[1] ?? '' }
  })
  const versions = new Set(found.map((one) => one.version))
  const [version] = versions
  if (version === undefined || versions.size > 1)
    throw new Error(`${folder} has files of several versions: ${[...versions].join(', ')}`)
  const paths = found.map(({ role, name }) => [role, join(folder, name)])
  return { version, files: Object.fromEntries(paths) as Record<Role, string> }
}

const describe = async (path: string) => ({
  name: basename(path),
  size: (await stat(path)).size,
  sha256: await sha256(path),
})

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`

interface PackView {
  name: string
  size: number
  sha256: string
  from: string | null
}

type PackOptions = Pick<ReleaseOptions, 'to' | 'say'> & { earlier: SlotFiles[]; isFast: boolean }

async function packsOf(
  role: Role,
  path: string,
  now: string,
  { to, say, earlier, isFast }: PackOptions,
): Promise<PackView[]> {
  const packs: PackView[] = []
  for (const before of [undefined, ...earlier]) {
    const from = before?.version ?? null
    const suffix = from === null ? 'pack' : `from_${from}.delta`
    const pack = join(to, `btlinkd_${now}.${role}.${suffix}`)
    const old = before?.files[role]
    const blockBytes = BLOCK_BYTES[role]
    const done = await makePack({
      path,
      to: pack,
      blockBytes,
      isFast,
      ...(old !== undefined && { old }),
    })
    const which = from === null ? 'are not zero' : `${from} does not have`
    packs.push({ ...(await describe(pack)), from })
    say(
      `${basename(pack)}: ${megabytes(done.bytes)} for ${megabytes(done.changedBytes)} in blocks that ${which}`,
    )
  }
  return packs
}

async function writeSums(to: string, files: readonly { name: string; sha256: string }[]) {
  const lines = files.map(({ name, sha256: sum }) => `${sum}  ${name}\n`)
  const path = join(to, 'SHA256SUMS')
  await writeFile(path, lines.sort().join(''))
  return path
}

/** Makes and signs the folder; `btlinkd publish` of it is the release site. */
export async function makeReleaseFolder(options: ReleaseOptions): Promise<string> {
  const { to, say } = options
  const { version, files } = await slotFiles(options.from)
  const earlier: SlotFiles[] = []
  for (const folder of options.earlier) earlier.push(await slotFiles(folder))
  for (const one of earlier)
    if (compareVersions(one.version, version) >= 0)
      throw new Error(`${one.version} is not earlier than ${version}`)
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  const made = []
  for (const role of ROLES) {
    const path = files[role]
    const packs = await packsOf(role, path, version, {
      to,
      say,
      earlier,
      isFast: options.isFast ?? false,
    })
    made.push({ role, ...(await describe(path)), packs })
    if (options.packsOnly !== true)
      await copyFile(path, join(to, basename(path)), constants.COPYFILE_FICLONE)
  }
  const manifest = {
    format: 1,
    product: 'btlinkd',
    version,
    architecture: options.architecture,
    flavour: options.flavour,
    ...(options.minimum !== undefined && { minimum: options.minimum }),
    notes: options.notes ?? '',
    files: made,
  }
  const json = join(to, 'release.json')
  await writeFile(json, `${JSON.stringify(manifest, undefined, 2)}\n`)
  // What no box would take is not published.
  parseRelease(await readFile(json))
  const whole = options.packsOnly === true ? [] : made
  const all = [...whole, ...made.flatMap(({ packs }) => packs), await describe(json)]
  const sums = await writeSums(to, all)
  await sign(sums, options.secretKey, `btlinkd ${options.flavour} ${version}`)
  return version
}
