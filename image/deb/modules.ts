/** The production packages of package-lock.json, and which of their files are ever read when btlinkd runs. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, extname, join, relative } from 'node:path'

/** Debian's names of architectures, and what Node and npm call them. */
export const CPUS = { amd64: 'x64', arm64: 'arm64' } as const
export type Arch = keyof typeof CPUS

export interface LockedPackage {
  version: string
  integrity?: string
  license?: string
  dev?: boolean
  optional?: boolean
  hasInstallScript?: boolean
  os?: string | string[]
  cpu?: string | string[]
  libc?: string | string[]
}

/** A package of the lock: its place, such as `node_modules/ws`, and what the lock says of it. */
export interface Module {
  place: string
  locked: LockedPackage
}

/** A file of the package: where it lies on the machine, and whether it can be run. */
export interface TreeFile {
  from: string
  /** Relative to the root of the tree. */
  to: string
  executable: boolean
}

const fits = (allowed: string | string[] | undefined, value: string): boolean =>
  allowed === undefined || [allowed].flat().includes(value)

/** What `npm ci --omit=dev --os=linux --cpu=… --libc=glibc` installs, less what npm may leave out. */
export function productionModules(root: string, arch: Arch): Module[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  return (
    Object.entries(lock.packages)
      .filter(([place, { dev }]) => place !== '' && dev !== true)
      .filter(
        ([, { os, cpu, libc }]) =>
          fits(os, 'linux') && fits(cpu, CPUS[arch]) && fits(libc, 'glibc'),
      )
      // Faster twins of code that ws and webtorrent have themselves. Where there is no prebuilt one, npm
      // compiles them or leaves them out, by machine: without them every build is the same.
      .filter(
        ([, { optional, hasInstallScript }]) => !(optional === true && hasInstallScript === true),
      )
      .map(([place, locked]) => ({ place, locked }))
  )
}

const NOT_AT_RUN_TIME = new Set(
  [
    '.map .md .markdown .ts .mts .cts .flow .tsbuildinfo .lock .txt .tgz .bare',
    '.c .cc .cpp .h .hpp .gyp .gypi .cmake .patch .sh .bat',
    '.yml .yaml .toml .html .css .png .svg .gif',
  ].flatMap((line) => line.split(' ')),
)
const LEGAL = /^(licen[cs]e|copying|notice|authors|copyright)/i
/** Only at the top of a package: deeper down they are code, such as `yaml/dist/doc`. */
const FOLDERS =
  /^(tests?|__tests__|docs?|examples?|bench(marks?)?|coverage|fixtures|include|share|man)$/
/** Bundles for browsers beside the modules that Node loads, and sources of what is prebuilt. */
const FOLDERS_OF: Record<string, readonly string[]> = {
  'better-sqlite3': ['deps', 'src', 'build'],
  'node-datachannel': ['src', 'dist/types'],
  webtorrent: ['dist'],
}

function prebuiltForOthers(path: string, arch: Arch): boolean {
  const [top, name] = path.split('/')
  if (top !== 'prebuilds' || name === undefined) return false
  const wanted = `linux-${CPUS[arch]}`
  return (name !== wanted && name !== `${wanted}.node`) || path.endsWith('.musl.node')
}

/** Whether a file of a package belongs into ours. @param path relative to the package's folder. */
export function isNeeded(name: string, path: string, arch: Arch): boolean {
  const file = basename(path)
  if (prebuiltForOthers(path, arch)) return false
  if (FOLDERS_OF[name]?.some((folder) => path.startsWith(`${folder}/`))) return false
  if (path.includes('/') && FOLDERS.test(path.slice(0, path.indexOf('/')))) return false
  if (LEGAL.test(file)) return true
  return !NOT_AT_RUN_TIME.has(extname(file)) && !file.startsWith('.')
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOf(path)
    return entry.isFile() ? [path] : []
  })
}

/** The package's own name: the end of its place. */
export const nameOf = (place: string): string =>
  place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)

/**
 * Every file of `modules` that is needed, below `node_modules/`.
 * @param from the folder in which npm installed them.
 */
export function moduleFiles(from: string, modules: readonly Module[], arch: Arch): TreeFile[] {
  return modules.flatMap(({ place }) => {
    const folder = join(from, place)
    if (!existsSync(folder)) {
      throw new Error(`${place} is not installed in ${from}: npm ci`)
    }
    return filesOf(folder)
      .filter((file) => isNeeded(nameOf(place), relative(folder, file), arch))
      .map((file) => ({
        from: file,
        to: relative(from, file),
        executable: place.includes('node-linux-') && (statSync(file).mode & 0o100) !== 0,
      }))
  })
}
