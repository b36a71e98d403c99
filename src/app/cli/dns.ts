import { requireConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { dnsmasqText, unboundText, ZONE_FILE } from '../dns-front.ts'
import { query } from './dns-query.ts'
import { argument, BadUsage, type Verb, type VerbInput, valueOf } from './verb.ts'

const fronts: Record<string, (config: Config, input: VerbInput) => string> = {
  unbound: (config, { flags }) =>
    unboundText(config, {
      interfaces: (valueOf(flags, 'interfaces') ?? '').split(',').filter((one) => one !== ''),
      zoneFile: valueOf(flags, 'zone-file') ?? ZONE_FILE,
    }),
  dnsmasq: dnsmasqText,
}

async function front(input: VerbInput): Promise<void> {
  const name = argument(input, 1)
  const write = fronts[name]
  if (!write) {
    throw new BadUsage(
      `there is no front "${name.slice(0, 40)}": ${Object.keys(fronts).join(', ')}`,
    )
  }
  const config = await requireConfig({ file: valueOf(input.flags, 'config') })
  const text = write(config, input)
  input.print(text.trimEnd(), { file: text })
}

const parts: Record<string, (input: VerbInput) => Promise<void>> = { query, front }

export const dnsVerb: Verb = {
  usage: [
    'dns query NAME [TYPE] [--dnssec]',
    'dns front unbound [--interfaces A,B] [--zone-file FILE]',
    'dns front dnsmasq',
  ],
  help: `Query asks the box's resolver as a device would, prints what it answers as dig does, and which rule
said so now; types are A, HTTPS or TYPE65.
Front prints the configuration of a resolver in front of ours, from the sections dns and upstream.
dns.front says where it answers. Unbound answers at every address of the machine, or at those of
--interfaces, and keeps its copy of the household's records in --zone-file. See docs/dns.md.`,
  options: {
    dnssec: { type: 'boolean' },
    interfaces: { type: 'string' },
    'zone-file': { type: 'string' },
  },
  takes: [2, 3],
  async run(input) {
    const name = argument(input, 0)
    const part = parts[name]
    if (!part)
      throw new BadUsage(`dns has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`)
    await part(input)
  },
}
