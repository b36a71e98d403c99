import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import { hostOf } from '../../base/names/index.ts'
import { createContent, createDatabaseFiles, storePaths } from '../../engines/store/index.ts'
import { resetFactory, resetSoft } from '../../services/backup/index.ts'
import { requireSettled } from '../settled.ts'
import { UnusableFile, confirm } from './secrets.ts'
import { asOwner } from './as-owner.ts'
import { readBoxConfig } from './backup-config.ts'
import { requireFolder, withBoxAtRest } from './box-at-rest.ts'
import { BadUsage, type Verb, type VerbInput } from './verb.ts'

/** A unit of the image looks at it, and starts again: the partition is emptied before anything has it mounted. */
const FLAG = '/var/lib/btlinkd-update/factory-reset'
const OS_RELEASE = '/etc/os-release'

const isImage = async (): Promise<boolean> =>
  /^IMAGE_ID="?btlinkd"?$/m.test(await readFile(OS_RELEASE, 'utf8').catch(() => ''))

async function boxOf(input: VerbInput) {
  const stateDir = await input.stateDir()
  const { config, file } = await readBoxConfig(input.flags)
  await requireFolder(stateDir)
  const places = { ...config.storage, stateDir }
  const layout = storePaths(places)
  const box = { stateDir, database: layout.database, layout, config: file }
  return { box, content: createContent(places), tld: config.btlink.tld }
}

async function soft(input: VerbInput): Promise<void> {
  const { box, content } = await boxOf(input)
  const { stateDir } = box
  await confirm(input.flags, 'Visited sites, their content and every cache will be forgotten.')
  const deps = { databases: createDatabaseFiles(), torrents: content.torrents }
  const done = await asOwner(stateDir, (asRoot) =>
    withBoxAtRest({ stateDir, mayStop: input.flags['stop'] === true, asRoot }, async (signal) => {
      requireSettled(stateDir)
      return resetSoft(deps, box, signal)
    }),
  )
  input.print(
    `forgotten: ${done.sites} visited sites, ${done.torrents} torrents, ${done.files} files of caches. Keys, certificates, own and pinned sites and the configuration are as they were.`,
    done,
  )
}

/** Names that nobody can publish under again. */
async function lostNames(database: string, tld: string): Promise<string[]> {
  try {
    if ((await stat(database)).size === 0) return []
    const { own } = await createDatabaseFiles().inspect(database)
    return own.map(({ publicKey, salt, keyName, title }) => {
      const host = hostOf({ kind: 'key', publicKey, salt }, tld)
      return `${host} (key ${keyName}${title === undefined ? '' : `, ${title}`})`
    })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** @throws UnusableFile where this is not root */
async function flagImage(): Promise<void> {
  try {
    await mkdir(dirname(FLAG), { recursive: true })
    await writeFile(FLAG, '', { flush: true })
  } catch (error) {
    throw new UnusableFile('write', FLAG, codeOf(error) ?? 'run this as root', { cause: error })
  }
}

async function factory(input: VerbInput): Promise<void> {
  const { box, tld } = await boxOf(input)
  const { stateDir, database } = box
  const rest = { stateDir, mayStop: input.flags['stop'] === true }
  const image = await isImage()
  const done = await asOwner(stateDir, (asRoot) =>
    withBoxAtRest({ ...rest, asRoot }, async (signal) => {
      const names = await lostNames(database, tld).catch((): string[] => [])
      const lost =
        names.length === 0
          ? ''
          : ` Nobody will be able to publish under these names again, unless a backup has their keys:\n${names.map((name) => `  ${name}`).join('\n')}\n`
      await confirm(
        input.flags,
        `Everything of this box will be gone: keys, certificates that devices trust, sites.${lost}`,
        signal,
      )
      if (image) {
        await asRoot(flagImage)
        return { names, left: [] as string[] }
      }
      return { names, ...(await asRoot(() => resetFactory(box))) }
    }),
  )
  const lines = image
    ? ['The box starts again now, and is as new.']
    : [`${stateDir} is empty: the next start makes a new box.`]
  if (done.left.length > 0) lines.push(`Not of btlinkd, and left: ${done.left.join(', ')}`)
  input.print(lines.join('\n'), { lost: done.names, left: done.left, atNextStart: image })
}

export const resetVerb: Verb = {
  usage: ['reset --soft [--stop] [--yes]', 'reset --factory [--stop] [--yes]'],
  help: `Soft forgets visited sites, their content, and what was cached; keys, certificates, own and pinned
sites and the configuration stay. Factory forgets everything: a name whose key is in no backup is lost.
On the image the box starts again at once, with the partition of data made anew. Both want the daemon stopped; --stop
has systemd do that, and start it again. See docs/backup.md.`,
  options: {
    soft: { type: 'boolean' },
    factory: { type: 'boolean' },
    stop: { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  takes: [0, 0],
  async run(input) {
    const { soft: isSoft, factory: isFactory } = input.flags
    if (isSoft === isFactory) throw new BadUsage('say one of --soft and --factory')
    await (isSoft === true ? soft(input) : factory(input))
  },
}
