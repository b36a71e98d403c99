/**
 * `npm run release -- --in image/out/pc [--key FILE] [--out DIR] [--from DIR]… [--packs-only]`: the signed
 * folder of a release, from the files of a built image. `--from` names folders with files of earlier
 * versions, for which packs are made. Needs minisign.
 */
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { argv, exit, stderr, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { flavourNamed } from './flavours.ts'
import { developmentKeys } from './keys.ts'
import { makeReleaseFolder } from './release-folder.ts'

const OUT = fileURLToPath(new URL('out', import.meta.url))

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    in: { type: 'string' },
    out: { type: 'string' },
    key: { type: 'string' },
    from: { type: 'string', multiple: true, default: [] },
    flavour: { type: 'string' },
    minimum: { type: 'string' },
    notes: { type: 'string' },
    'packs-only': { type: 'boolean', default: false },
  },
})

const folder = resolve(values.in ?? join(OUT, 'pc'))
const facts = flavourNamed(values.flavour ?? basename(folder))
if (!facts) {
  stderr.write(`${folder} is no folder of a flavour: name it with --flavour pc|arm64|rpi\n`)
  exit(2)
}
const to = resolve(values.out ?? join(OUT, 'release', facts.flavour))
const version = await makeReleaseFolder({
  from: folder,
  to,
  earlier: values.from,
  secretKey: values.key ?? (await developmentKeys(join(OUT, 'keys'))).secretKey,
  architecture: facts.debian,
  flavour: facts.flavour,
  minimum: values.minimum,
  notes: values.notes === undefined ? '' : await readFile(values.notes, 'utf8'),
  packsOnly: values['packs-only'],
  say: (line) => stdout.write(`${line}\n`),
})
stdout.write(`release ${version} in ${to}: publish it with \`btlinkd publish ${to}\`\n`)
