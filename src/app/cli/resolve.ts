import { ask } from './admin-client.ts'
import { argument, type Verb } from './verb.ts'

interface Resolved {
  kind: string
  /** Where a link record led. */
  domain?: string
  host?: string
  infoHashHost?: string
  infoHash?: string
  seq?: number
  ageSeconds?: number
  source?: string
  value?: string
  record?: { publicKey: string; salt: string; seq: number; value: string; signature: string }
}

function describe(found: Resolved): string {
  if (found.value !== undefined) return found.value
  const { domain, host = found.infoHashHost } = found
  const lines = domain === undefined ? [] : [`domain     ${domain}`, `name       ${host ?? ''}`]
  lines.push(`infohash   ${found.infoHash ?? ''}`)
  if (found.seq !== undefined) lines.push(`version    ${found.seq}`)
  if (found.ageSeconds !== undefined) lines.push(`confirmed  ${found.ageSeconds} s ago`)
  if (found.source !== undefined) lines.push(`source     ${found.source}`)
  const { record } = found
  if (record) {
    lines.push(`key        ${record.publicKey}`, `salt       ${record.salt || 'none'}`)
    lines.push(`value      ${record.value}`, `signature  ${record.signature}`)
  }
  return lines.join('\n')
}

export const resolveVerb: Verb = {
  usage: ['resolve NAME [--record] [--fresh]'],
  help: 'Says which torrent a name, or a domain with a link record, leads to, how old that knowledge is, and where it is from.\n--record shows the signed item; --fresh asks the DHT whatever is cached.',
  options: { record: { type: 'boolean' }, fresh: { type: 'boolean' } },
  takes: [1, 1],
  async run(input) {
    const query = new URLSearchParams({ name: argument(input, 0) })
    for (const flag of ['record', 'fresh']) if (input.flags[flag] === true) query.set(flag, 'true')
    const found = await ask<Resolved>(
      await input.stateDir(),
      'GET',
      `/api/resolve?${query.toString()}`,
    )
    input.print(describe(found), found)
  },
}
