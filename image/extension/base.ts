/** What the image has that an extension of it builds on: read from its root slot and its list of packages. */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FlavourFacts } from '../flavours.ts'
import type { DebianPackage } from '../sbom.ts'
import { inTools } from '../tools.ts'

export interface Base {
  /** Fields of os-release. */
  release: ReadonlyMap<string, string>
  /** Names in the folder of libraries. */
  libraries: ReadonlySet<string>
  /** Packages of Debian by name. */
  packages: ReadonlyMap<string, DebianPackage>
}

/** As Debian names the folder of libraries (multiarch). */
export const librariesOf = ({ debian }: FlavourFacts): string =>
  `usr/lib/${debian === 'amd64' ? 'x86_64' : 'aarch64'}-linux-gnu`

/** os-release(5): assignments as a shell reads them; values here have no escapes. */
export function parseRelease(text: string): Map<string, string> {
  const fields = text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm)
  return new Map([...fields].map(([, name = '', , value = '']) => [name, value]))
}

/** Names in what `dump.erofs --ls` prints: number, type, name. */
export function parseListing(text: string): Set<string> {
  const names = [...text.matchAll(/^ *\d+ +\d+ {2}(.+)$/gm)].map(([, name = '']) => name)
  return new Set(names.filter((name) => name !== '.' && name !== '..'))
}

/**
 * systemd-sysext(8): the level where base and extension both have one, else the release of the distribution.
 * Both are of the base, so that the extension fits it and every later base that keeps the level.
 */
export function extensionRelease(base: Base, { architecture }: FlavourFacts): string {
  const fields = ['ID', 'VERSION_ID', 'SYSEXT_LEVEL'].flatMap((name) => {
    const value = base.release.get(name)
    return value === undefined ? [] : [`${name}=${value}`]
  })
  return `${[...fields, `ARCHITECTURE=${architecture}`].join('\n')}\n`
}

/** @param folder of a built image; @param work an empty folder below the cache */
export async function readBase(
  tools: string,
  facts: FlavourFacts,
  { folder, work }: { folder: string; work: string },
): Promise<Base> {
  const names = await readdir(folder).catch(() => [])
  const manifest = names.find((name) => /^btlinkd_.*\.manifest$/.test(name))
  const slot = names.find((name) => /^btlinkd_.*\.root\.[0-9a-f]+\.raw$/.test(name))
  if (manifest === undefined || slot === undefined) {
    throw new Error(`${folder} has no image to extend: npm run image -- ${facts.flavour}`)
  }
  await mkdir(work, { recursive: true })
  const dump = `dump.erofs --cat --path=/usr/lib/os-release "$1" > release
dump.erofs --ls --path="/$2" "$1" > listing`
  const command = ['sh', '-euc', dump, 'dump', join(folder, slot), librariesOf(facts)]
  await inTools(tools, command, { binds: [folder, work], cwd: work, beside: true })
  const { packages } = JSON.parse(await readFile(join(folder, manifest), 'utf8')) as {
    packages: DebianPackage[]
  }
  return {
    release: parseRelease(await readFile(join(work, 'release'), 'utf8')),
    libraries: parseListing(await readFile(join(work, 'listing'), 'utf8')),
    packages: new Map(packages.map((one) => [one.name, one])),
  }
}
