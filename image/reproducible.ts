/** `npm run image:reproducible -- pc`: builds twice without anything kept, and compares every byte. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { argv, env, exit, stderr, stdout } from 'node:process'
import { flavourNamed } from './flavours.ts'
import { buildImage, ourPackage } from './image.ts'
import { sha256 } from './publish.ts'
import { CACHE } from './tools.ts'
import { readVersion, sourceEpoch } from './tree.ts'

const facts = flavourNamed(argv[2])
if (!facts) {
  stderr.write('usage: npm run image:reproducible -- pc|arm64|rpi\n')
  exit(2)
}
const say = (line: string) => void stdout.write(`image: ${line}\n`)
// Asked once: a commit between the two builds is no difference of theirs.
env['SOURCE_DATE_EPOCH'] = String(await sourceEpoch())
const folder = await mkdtemp(join(CACHE, 'twice-'))

/** SHA-256 by file name, of a build from nothing. */
async function build(name: string): Promise<Map<string, string>> {
  if (!facts) throw new Error('no flavour')
  const out = join(folder, name)
  const version = await readVersion()
  const shared = { facts, version, out, fresh: true, raw: true, lock: false, say }
  await buildImage({ ...shared, package: await ourPackage({ facts, say }) })
  const sums = new Map<string, string>()
  for (const file of (await readdir(out)).sort()) sums.set(file, await sha256(join(out, file)))
  return sums
}

try {
  const first = await build('first')
  const second = await build('second')
  const names = [...new Set([...first.keys(), ...second.keys()])]
  const different = names.filter((name) => first.get(name) !== second.get(name))
  for (const name of names) {
    const [one, other] = [first.get(name) ?? 'missing', second.get(name) ?? 'missing']
    stdout.write(one === other ? `same ${one}  ${name}\n` : `DIFF ${one} ${other}  ${name}\n`)
  }
  if (different.length > 0) {
    stdout.write(`both are left in ${folder}\n`)
    exit(1)
  }
  await rm(folder, { recursive: true })
} catch (error) {
  await rm(folder, { recursive: true, force: true })
  throw error
}
