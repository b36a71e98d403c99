/** A box and its card as two folders. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { secretsIn } from '../../../src/app/config/pages.ts'
import { checkConfig } from '../../../src/app/roles/check-config.ts'
import { createFirstBoot, PLACES, type Told } from '../../../src/services/first-boot/index.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

export const ED25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdG2karEFVqDP+DfZuN9EdAYs1xQDvy9NkQcOFo1vcx me@laptop'
export const OTHER_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPocVz7fR3EilQJlsHzN3cfMf0KUjyFXa541TaMer8d you@desk'

export const DEFAULTS = `# The box's own.
state_dir: /var/lib/btlinkd
proxy:
  http_port: 80
dns:
  port: 5300
  wpad: true
`

export interface Box {
  /** A file on the card. */
  card: (name: string) => string
  put: (name: string, content: string | Uint8Array) => Promise<void>
  take: (name: string) => Promise<void>
  /** A file of the box, by its path there. */
  at: (path: string) => string
  read: (path: string) => Promise<string>
  /** Permission bits. */
  mode: (path: string) => Promise<number>
  start: () => Promise<Told>
  hostnames: string[]
}

export interface BoxOptions {
  /** Without asking the schema: for tests of other things, since it costs 50 ms a file. */
  trusting?: boolean
}

export async function newBox(t: Cleanup, { trusting = false }: BoxOptions = {}): Promise<Box> {
  const root = await tempFolder(t, 'box')
  const folder = join(root, 'boot')
  const at = (path: string) => join(root, path)
  const card = (name: string) => join(folder, name)
  const hostnames: string[] = []
  await mkdir(folder)
  await mkdir(at('/usr/share/btlinkd'), { recursive: true })
  await writeFile(at('/usr/share/btlinkd/btlinkd.yaml'), DEFAULTS)
  return {
    card,
    at,
    hostnames,
    put: (name, content) => writeFile(card(name), content),
    take: (name) => rm(card(name)),
    read: (path) => readFile(at(path), 'utf8'),
    mode: async (path) => (await stat(at(path))).mode & 0o777,
    start: () =>
      createFirstBoot({
        folder,
        places: Object.fromEntries(Object.entries(PLACES).map(([name, path]) => [name, at(path)])),
        check: async (file) => (trusting ? [] : (await checkConfig(file)).mistakes),
        secretsIn,
        setHostname: async (name) => void hostnames.push(name),
      }).run(),
  }
}
