/** Debian's packages of an extension: fetched and unpacked, none of their scripts run. */
import { execFile } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { FlavourFacts } from '../flavours.ts'
import type { DebianPackage } from '../sbom.ts'
import { MIRROR, must } from '../tools.ts'

const run = promisify(execFile)
const SUITES = ['debian trixie', 'debian trixie-updates', 'debian-security trixie-security']

/** Unpacks packages and all they depend on into `tree`, with the files they came in below /var/cache. */
export async function unpack(
  tree: string,
  names: readonly string[],
  { debian }: FlavourFacts,
): Promise<void> {
  await mkdir(dirname(tree), { recursive: true })
  const sources = SUITES.map((suite) => {
    const [path = '', name = ''] = suite.split(' ')
    return `deb ${MIRROR}/${path} ${name} main`
  })
  // A program of the other architecture is only unpacked, so nothing has to run it.
  const how = [
    '--quiet',
    '--mode=root',
    '--variant=extract',
    '--format=directory',
    '--skip=cleanup',
  ]
  const what = [`--architectures=${debian}`, `--include=${names.join(',')}`, 'trixie', tree]
  await must('mmdebstrap', [...how, ...what, ...sources])
}

/** What lies below /var/cache after {@link unpack}, with the paths each package has below usr. */
export async function unpacked(
  tree: string,
): Promise<{ package: DebianPackage; paths: string[] }[]> {
  const folder = join(tree, 'var/cache/apt/archives')
  const files = (await readdir(folder)).filter((name) => name.endsWith('.deb')).sort()
  const found = []
  for (const file of files) {
    const deb = join(folder, file)
    const form = '${Package}\\n${Version}\\n${Architecture}\\n'
    const head = await run('dpkg-deb', ['--show', `--showformat=${form}`, deb])
    const [name = '', version = '', architecture = ''] = head.stdout.split('\n')
    const list = await run('dpkg-deb', ['--contents', deb], { maxBuffer: 64e6 })
    const paths = [...list.stdout.matchAll(/ \.\/(usr\/\S+[^\s/])(?: (?:->|link to) .*)?$/gm)]
    found.push({
      package: { name, version, architecture },
      paths: paths.map(([, path = '']) => path),
    })
  }
  return found
}
