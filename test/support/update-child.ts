/** Installs a release in a process of its own, so that it can be cut off: `node update-child.ts JSON`. */
import { readFile } from 'node:fs/promises'
import { argv, stdout } from 'node:process'
import { createSlots, type SlotsOptions } from '../../src/engines/slots/slots.ts'
import { parsePublicKey } from '../../src/services/update/minisign.ts'
import { folderSource } from '../../src/services/update/source-file.ts'
import { createUpdater } from '../../src/services/update/updater.ts'
import { compareVersions } from '../../src/services/update/version.ts'

interface Order {
  options: SlotsOptions
  release: string
  publicKey: string
}

const { options, release, publicKey } = JSON.parse(argv[2] ?? '{}') as Order
const slots = createSlots({ compare: compareVersions }, options)
const key = parsePublicKey(await readFile(publicKey, 'utf8'))
if (!key) throw new Error('no key')
const updater = createUpdater(
  { slots, key, machine: await slots.image() },
  { fetchFolder: `${options.folder}-fetched`, installFolder: options.folder },
)
stdout.write('begins\n')
const version = await updater.install(folderSource(release), {}, new AbortController().signal)
stdout.write(`installed ${version}\n`)
