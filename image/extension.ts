/**
 * `npm run extension -- pc|arm64|rpi`: ffmpeg for a built image, as a file that systemd-sysext lays over its
 * /usr. A command of its own, since it starts from an image that is there and takes a minute.
 */
import { join, resolve } from 'node:path'
import { argv, env, exit, stderr, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type ExtensionFacts, makeExtension } from './extension/make.ts'
import { flavourNamed } from './flavours.ts'
import { signingKeys } from './image.ts'
import { missingFor } from './needs.ts'
import { CACHE } from './tools.ts'
import { readVersion, sourceEpoch } from './tree.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const USAGE = `usage: npm run extension -- pc|arm64|rpi [options]

  --version V  version of the image (package.json's)
  --in DIR     folder of the built image, where the extension goes (image/out/<flavour>)
  --key FILE   minisign secret key, its public half beside it as .pub (image/out/keys)
`

const FFMPEG: ExtensionFacts = {
  name: 'btlinkd-ffmpeg',
  packages: ['ffmpeg'],
  programs: ['usr/bin/ffmpeg', 'usr/bin/ffprobe'],
  data: ['usr/share/ffmpeg'],
}

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    version: { type: 'string' },
    in: { type: 'string' },
    key: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const facts = flavourNamed(positionals[0])
if (!facts || positionals.length !== 1 || values.help) {
  ;(values.help ? stdout : stderr).write(USAGE)
  exit(values.help ? 0 : 2)
}
const say = (line: string) => void stdout.write(`extension: ${line}\n`)
// Programs of another architecture are unpacked here, never run.
const missing = (await missingFor(facts, CACHE)).filter((line) => !line.startsWith('programs of '))
for (const line of missing) say(`cannot be built here: ${line}`)
if (missing.length > 0) exit(1)
await makeExtension({
  facts,
  say,
  extension: FFMPEG,
  version: values.version ?? (await readVersion()),
  folder: resolve(values.in ?? join(ROOT, 'image/out', facts.flavour)),
  epoch: await sourceEpoch(),
  keys: await signingKeys(values.key ?? env['BTLINKD_RELEASE_KEY']),
})
