/**
 * `npm run image -- pc|arm64|rpi`: one image, its update files, its list of contents, sums and signature,
 * in image/out/<flavour>/. Says first what it needs, and what cannot be built on this machine.
 */
import { join, resolve } from 'node:path'
import { argv, env, exit, stderr, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { FLAVOURS, flavourNamed } from './flavours.ts'
import { buildImage } from './image.ts'
import { missingFor } from './needs.ts'
import { CACHE } from './tools.ts'
import { readVersion } from './tree.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const USAGE = `usage: npm run image -- pc|arm64|rpi [options]

  --version V     version of the image (package.json's)
  --out DIR       where it goes (image/out/<flavour>)
  --package FILE  our Debian package, instead of making it
  --key FILE      minisign secret key to sign with, its public half beside it as .pub (image/out/keys)
  --release-site NAME   where it takes updates from, pc.<key>-pk.btlink
  --url ADDRESS   where the files will be published: for the manifest of Imager, of rpi
  --overlay DIR   files put over the image's own, for tests
  --lock          write image/lock, the list of Debian's packages, anew
  --fresh         without the base kept from the last build
  --raw           only the disk image and the update files: neither compressed nor signed
`

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    version: { type: 'string' },
    out: { type: 'string' },
    package: { type: 'string' },
    key: { type: 'string' },
    'release-site': { type: 'string' },
    url: { type: 'string' },
    overlay: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    lock: { type: 'boolean', default: false },
    raw: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const facts = flavourNamed(positionals[0])
if (!facts || positionals.length !== 1 || values.help) {
  ;(values.help ? stdout : stderr).write(USAGE)
  exit(values.help ? 0 : 2)
}
if (values.url !== undefined && !/^(https?|file):$/.test(URL.parse(values.url)?.protocol ?? '')) {
  stderr.write(`--url is an address of http, https or file, not ${values.url}\n`)
  exit(2)
}
if (values.package !== undefined && values['release-site'] !== undefined) {
  stderr.write('--release-site is for the package that is made here: give it to npm run deb\n')
  exit(2)
}
if (values.url !== undefined && (facts.flavour !== 'rpi' || values.raw)) {
  stderr.write('--url is for the manifest of Imager, which only rpi has, and not with --raw\n')
  exit(2)
}
const say = (line: string) => void stdout.write(`image: ${line}\n`)

// Every flavour is asked for, so that who builds one hears what this machine could not.
for (const other of Object.values(FLAVOURS)) {
  const missing = await missingFor(other, CACHE)
  if (missing.length === 0) say(`${other.flavour} (${other.title}) can be built here`)
  for (const line of missing) say(`${other.flavour} cannot be built here: ${line}`)
  if (other === facts && missing.length > 0) exit(1)
}
await buildImage({
  facts,
  say,
  version: values.version ?? (await readVersion()),
  out: resolve(values.out ?? join(ROOT, 'image/out', facts.flavour)),
  package: values.package,
  key: values.key ?? env['BTLINKD_RELEASE_KEY'],
  releaseSite: values['release-site'],
  publishedAt: values.url,
  overlay: values.overlay,
  fresh: values.fresh,
  raw: values.raw,
  lock: values.lock,
})
