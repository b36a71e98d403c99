/** `/etc/btlinkd/btlinkd.yaml` of the package: a few keys, each with the sentence that the schema has of it. */
import { stringify } from 'yaml'
import { sampleFile } from '../../src/app/config/pages.ts'

const HEAD = `# btlinkd's configuration. What is not here has its default: btlinkd.sample.yaml below
# /usr/share/doc/btlinkd/ has every key, \`btlinkd config check\` says what is wrong with this file.
# After a change: systemctl restart btlinkd.target
`

/** What differs from the defaults on a machine of its own. Ports below 1024 are opened by systemd's sockets. */
const SET: readonly [key: string, value: unknown][] = [
  ['state_dir', '/var/lib/btlinkd'],
  ['proxy.http_port', 80],
  ['proxy.https_port', 443],
  ['dns.port', 53],
]

/** What people change first, as comments with their defaults. */
const OFFERED: readonly string[] = [
  'mode',
  'btlink.gateway_domains',
  'dns.records',
  'dns.wpad',
  'upstream.servers',
  'swarm.upload_limit',
  'swarm.map_port',
  'storage.min_free',
]

interface SampleKey {
  comments: string[]
  line: string
}

/** Every key of the sample file with its comments: two spaces of indentation are one level. */
function sampleKeys(): Map<string, SampleKey> {
  const found = new Map<string, SampleKey>()
  let comments: string[] = []
  const path: string[] = []
  for (const line of sampleFile().split('\n')) {
    const text = line.trim()
    if (text.startsWith('#')) comments.push(text)
    if (text === '') comments = []
    const [, indent = '', key] = /^( *)([a-z0-9_]+):/.exec(line) ?? []
    if (key === undefined) continue
    path.splice(indent.length / 2, Infinity, key)
    found.set(path.join('.'), { comments, line: text })
    comments = []
  }
  return found
}

/** The text of the file. Throws where a key here is none of the schema. */
export function configFile(): string {
  const known = sampleKeys()
  const values = new Map(SET)
  const sections = new Map<string, string[]>()
  for (const name of [...SET.map(([key]) => key), ...OFFERED]) {
    const entry = known.get(name)
    if (!entry) throw new Error(`the configuration has no key ${name}`)
    const dot = name.indexOf('.')
    const [section, key] = [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)]
    const line = values.has(name) ? stringify({ [key]: values.get(name) }).trim() : `#${entry.line}`
    const indent = section === '' ? '' : '  '
    const lines = sections.get(section) ?? []
    lines.push(...[...entry.comments, line].map((one) => `${indent}${one}`))
    sections.set(section, lines)
  }
  const parts = [...sections].map(([section, lines]) => {
    if (section === '') return lines.join('\n')
    // A section of nothing but comments would be null: it is a comment as a whole.
    const empty = lines.every((line) => line.trim().startsWith('#'))
    return empty
      ? [`#${section}:`, ...lines.map((line) => line.replace(/^ {2}#(?! )/, '#  '))].join('\n')
      : [`${section}:`, ...lines].join('\n')
  })
  return `${[HEAD.trimEnd(), ...parts].join('\n\n')}\n`
}
