import { basename, resolve } from 'node:path'
import { ask } from './admin-client.ts'
import { argument, BadUsage, type Verb, valueOf } from './verb.ts'

interface Published {
  host: string
  seq: number
  changed: boolean
  infoHash: string
  infoHashMagnet: string
  magnet: string
  urls: string[]
  stored?: { asked: number; stored: number; errors: Record<string, number> }
}

function describe(done: Published, isWatched: boolean): string {
  const { stored } = done
  const lines = [
    `${done.changed ? 'published' : 'unchanged'}  version ${done.seq}`,
    ...done.urls.map((url) => `url        ${url}`),
    `infohash   ${done.infoHash}`,
    `magnet     ${done.magnet}`,
  ]
  if (stored) lines.push(`record     held by ${stored.stored} of ${stored.asked} nodes asked`)
  if (isWatched) lines.push('watching   a change is published within seconds')
  return lines.join('\n')
}

/** A key of the folder's name, unless that key already publishes another folder. */
async function keyForFolder(stateDir: string, folder: string): Promise<string> {
  const key =
    basename(folder)
      .replace(/[^\w.-]/g, '-')
      .replace(/^[^a-zA-Z0-9]+/, '')
      .slice(0, 64) || 'site'
  const { sites } = await ask<{ sites: { keyName?: string; folder?: string }[] }>(
    stateDir,
    'GET',
    '/api/sites',
  )
  const other = sites.find((site) => site.keyName === key && site.folder !== folder)
  if (!other) return key
  throw new BadUsage(
    `the key "${key}" already publishes ${other.folder ?? 'an upload'}: name one with --key`,
  )
}

export const publishVerb: Verb = {
  usage: ['publish DIR [--key NAME] [--salt S] [--name TITLE] [--watch] [--no-dht-wait]'],
  help: `Makes the folder a site under a key; the key is made on first use, and has the folder's name
without --key.
--salt gives the key a further site. --watch publishes again when the folder changes.
--no-dht-wait returns once the version is on disk, before nodes hold its record.`,
  options: {
    key: { type: 'string' },
    salt: { type: 'string' },
    name: { type: 'string' },
    watch: { type: 'boolean' },
    'no-dht-wait': { type: 'boolean' },
  },
  takes: [1, 1],
  async run(input) {
    const { flags } = input
    const watch = flags['watch'] === true
    const stateDir = await input.stateDir()
    const folder = resolve(argument(input, 0))
    const done = await ask<Published>(stateDir, 'POST', '/api/sites/publish', {
      folder,
      key: valueOf(flags, 'key') ?? (await keyForFolder(stateDir, folder)),
      salt: valueOf(flags, 'salt'),
      title: valueOf(flags, 'name'),
      watch: watch || undefined,
      wait: flags['no-dht-wait'] !== true,
    })
    input.print(describe(done, watch), done)
  },
}
