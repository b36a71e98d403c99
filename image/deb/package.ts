/** Puts the tree of the package together and has dpkg-deb pack it, the same bytes every time. */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { arch as machine } from 'node:process'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { copyAssets } from '../../.ci/assets.mjs'
import { configFile } from './config-file.ts'
import { changelog, controlFile, copyright, maintainerScript, md5sums } from './control.ts'
import { bashCompletion, manPage } from './man.ts'
import { type Arch, CPUS, moduleFiles, productionModules, type TreeFile } from './modules.ts'
import { checkNode, nodePlace } from './node-binary.ts'
import { unitFiles, unitPlan } from './units.ts'

const run = promisify(execFile)

export interface PackageOptions {
  /** The checkout. */
  root: string
  arch: Arch
  version: string
  /** Folder that gets the .deb. */
  out: string
  /** Time of every file, seconds since 1970. */
  epochSeconds: number
  /** Folder of the units, for tests; without it the checkout's. */
  units?: string | undefined
  /** minisign's public key of the vendor, for `btlinkd update`. */
  releaseKey?: string | undefined
  /** Name of the site of the releases. */
  releaseSite?: string | undefined
}

/** `node_modules` for the architecture: the checkout's own, or fetched into `folder` by npm. */
async function installed({ root, arch }: PackageOptions, folder: string): Promise<string> {
  if (CPUS[arch] === machine) return root
  for (const file of ['package.json', 'package-lock.json']) {
    copyFileSync(join(root, file), join(folder, file))
  }
  // Each archive is checked against package-lock.json by npm, and no script of a package runs.
  const platform = ['--os=linux', `--cpu=${CPUS[arch]}`, '--libc=glibc', '--ignore-scripts']
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  await run('npm', ['ci', '--omit=dev', ...platform, ...quiet], { cwd: folder })
  return folder
}

/** A folder in which files get the modes of a package, whatever umask and checkout have. */
function createTree(base: string) {
  const at = (path: string): string => {
    const target = join(base, path)
    mkdirSync(dirname(target), { recursive: true })
    return target
  }
  return {
    base,
    write(path: string, content: string | Uint8Array, mode = 0o644): void {
      const target = at(path)
      writeFileSync(target, content)
      chmodSync(target, mode)
    },
    copy({ from, to, executable }: TreeFile): void {
      const target = at(to)
      copyFileSync(from, target)
      chmodSync(target, executable ? 0o755 : 0o644)
    },
    /** Every file, sorted, relative to the tree. */
    files(): string[] {
      return readdirSync(base, { withFileTypes: true, recursive: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => relative(base, join(entry.parentPath, entry.name)))
        .sort()
    },
  }
}

type Tree = ReturnType<typeof createTree>

async function addProgram(tree: Tree, options: PackageOptions, scratch: string): Promise<void> {
  const { root, arch, version } = options
  const modulesFolder = join(scratch, 'npm')
  mkdirSync(modulesFolder)
  const from = await installed(options, modulesFolder)
  await checkNode(root, arch, join(from, nodePlace(arch), 'bin/node'))
  for (const file of moduleFiles(from, productionModules(root, arch), arch)) {
    tree.copy({ ...file, to: join('usr/lib/btlinkd', file.to) })
  }
  const dist = join(scratch, 'dist')
  const tsc = [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(root, 'tsconfig.build.json'),
  ]
  // Types are the business of `npm run types`.
  await run(process.execPath, [...tsc, '--outDir', dist, '--sourceMap', 'false', '--noCheck'], {
    cwd: root,
  })
  copyAssets(join(root, 'src'), dist)
  cpSync(dist, join(tree.base, 'usr/lib/btlinkd/dist'), { recursive: true })
  const { name, description, license, type } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<string, unknown>
  const about = { name, version, description, license, private: true, type }
  tree.write('usr/lib/btlinkd/package.json', `${JSON.stringify(about, null, 2)}\n`)
  const wrapper = readFileSync(new URL('./files/btlinkd.sh', import.meta.url), 'utf8')
  tree.write('usr/bin/btlinkd', wrapper.replace('@CPU@', CPUS[arch]), 0o755)
}

/** What is for who runs it; the others are for who changes it. */
const DOCUMENTS = [
  'ansible',
  'backup',
  'configuration',
  'debian',
  'devices',
  'dns',
  'doctor',
  'errors',
  'first-boot',
  'image',
  'public-gateway',
  'systemd',
  'trust',
  'update',
]

async function addDocuments(tree: Tree, options: PackageOptions): Promise<void> {
  const { root, arch, version, epochSeconds } = options
  const doc = (name: string) => join('usr/share/doc/btlinkd', name)
  const packed = (text: string | Uint8Array) => gzipSync(text, { level: 9 })
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  for (const name of DOCUMENTS) {
    tree.write(doc(`${name}.md`), read(`docs/${name}.md`))
  }
  tree.write(doc('btlinkd.sample.yaml'), read('docs/btlinkd.sample.yaml'))
  tree.write(doc('NEWS.md'), read('CHANGELOG.md'))
  tree.write(doc('changelog.gz'), packed(changelog(version, epochSeconds)))
  tree.write(doc('copyright'), copyright(read('LICENSE'), productionModules(root, arch)))
  const date = new Date(epochSeconds * 1000).toISOString().slice(0, 10)
  tree.write('usr/share/man/man1/btlinkd.1.gz', packed(await manPage(version, date)))
  tree.write('usr/share/bash-completion/completions/btlinkd', bashCompletion())
}

/** Folders made on the way have the umask's modes. */
function settleModes(base: string): void {
  chmodSync(base, 0o755)
  for (const entry of readdirSync(base, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) chmodSync(path, 0o755)
    else if ((lstatSync(path).mode & 0o111) === 0) chmodSync(path, 0o644)
  }
}

/** Builds the package. @returns the path of the .deb. */
export async function buildPackage(options: PackageOptions): Promise<string> {
  const { root, arch, version, out, epochSeconds, releaseKey, releaseSite } = options
  const scratch = mkdtempSync(join(tmpdir(), 'btl-deb-'))
  try {
    const tree = createTree(join(scratch, 'tree'))
    await addProgram(tree, options, scratch)
    await addDocuments(tree, options)
    const units = unitFiles(options.units ?? join(root, 'systemd'))
    for (const unit of units) tree.copy(unit)
    tree.write('etc/btlinkd/btlinkd.yaml', configFile())
    const overrides = readFileSync(new URL('./files/lintian-overrides', import.meta.url))
    tree.write('usr/share/lintian/overrides/btlinkd', overrides)
    if (releaseKey !== undefined) {
      tree.write('usr/lib/btlinkd/release.pub', readFileSync(releaseKey))
    }
    if (releaseSite !== undefined) tree.write('usr/lib/btlinkd/release.site', `${releaseSite}\n`)

    const files = tree.files()
    const bytes = files.reduce((sum, path) => sum + lstatSync(join(tree.base, path)).size, 0)
    const plan = unitPlan(units)
    tree.write('DEBIAN/control', controlFile(version, arch, bytes))
    tree.write('DEBIAN/conffiles', '/etc/btlinkd/btlinkd.yaml\n')
    tree.write('DEBIAN/md5sums', md5sums(tree.base, files))
    for (const script of ['postinst', 'prerm', 'postrm']) {
      tree.write(`DEBIAN/${script}`, maintainerScript(script, plan), 0o755)
    }
    settleModes(tree.base)

    mkdirSync(out, { recursive: true })
    const target = join(out, `btlinkd_${version}_${arch}.deb`)
    const half = `${target}.new`
    // One thread: with more the bytes would depend on their number. xz would take a minute.
    const packing = ['--root-owner-group', '-Zzstd', '-z9', '--threads-max=1']
    packing.push('--no-uniform-compression')
    await run('dpkg-deb', [...packing, '--build', tree.base, half], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epochSeconds), LC_ALL: 'C.UTF-8' },
    })
    renameSync(half, target)
    return target
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
