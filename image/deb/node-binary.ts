/**
 * The bundled Node is the file of the registry and no other: package-lock.json has the SHA-512 of the
 * archive it came in, which is gone after `npm ci`, so `node-binaries.json` has the SHA-256 of the binary
 * in that very archive. `node image/deb/node-binary.ts` writes it anew, for a new Node.
 */
import { execFileSync } from 'node:child_process'
import { createHash, hash } from 'node:crypto'
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { type Arch, CPUS, type LockedPackage, productionModules } from './modules.ts'

interface Binary {
  /** As package-lock.json has it. */
  integrity: string
  /** Of `bin/node`, in hex. */
  sha256: string
}

const FILE = new URL('./node-binaries.json', import.meta.url)

const read = (): Partial<Record<Arch, Binary>> =>
  JSON.parse(readFileSync(FILE, 'utf8')) as Partial<Record<Arch, Binary>>

export const nodePlace = (arch: Arch): string => `node_modules/node-linux-${CPUS[arch]}`

async function sha256(file: string): Promise<string> {
  const sum = createHash('sha256')
  await pipeline(createReadStream(file), sum)
  return sum.digest('hex')
}

function lockedNode(root: string, arch: Arch): LockedPackage {
  const found = productionModules(root, arch).find(({ place }) => place === nodePlace(arch))
  if (!found) throw new Error(`package-lock.json has no ${nodePlace(arch)}`)
  return found.locked
}

/** Throws unless `file` is the Node that package-lock.json means. */
export async function checkNode(root: string, arch: Arch, file: string): Promise<void> {
  const { integrity } = lockedNode(root, arch)
  const known = read()[arch]
  if (known === undefined || known.integrity !== integrity) {
    throw new Error(
      `node-binaries.json is not of the Node in package-lock.json: node image/deb/node-binary.ts`,
    )
  }
  const found = await sha256(file)
  if (found !== known.sha256) {
    throw new Error(`${file} is not the Node of package-lock.json: SHA-256 ${found}`)
  }
}

/** From the registry: the archive, checked against the lock, and the binary in it. */
async function record(root: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'btl-node-'))
  try {
    const binaries: Partial<Record<Arch, Binary>> = {}
    for (const arch of ['amd64', 'arm64'] as const) {
      const { version, integrity = '' } = lockedNode(root, arch)
      const name = `node-linux-${CPUS[arch]}`
      execFileSync('npm', ['pack', '--silent', `${name}@${version}`], { cwd: folder })
      const archive = readFileSync(join(folder, `${name}-${version}.tgz`))
      const found = `sha512-${hash('sha512', archive, 'base64')}`
      if (found !== integrity) throw new Error(`${name} ${version} is ${found}, not ${integrity}`)
      execFileSync('tar', ['-xzf', `${name}-${version}.tgz`, 'package/bin/node'], { cwd: folder })
      binaries[arch] = { integrity, sha256: await sha256(join(folder, 'package/bin/node')) }
    }
    writeFileSync(FILE, `${JSON.stringify(binaries, null, 2)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await record(fileURLToPath(new URL('../..', import.meta.url)))
}
