import { hostOf, parseName, writeMagnet } from '../../base/names/index.ts'
import { argument, BadUsage, type Verb, valueOf } from './verb.ts'

export const magnetVerb: Verb = {
  usage: ['magnet NAME [--tld TLD]', 'magnet MAGNET'],
  help: 'Turns a btlink name or infohash into a magnet link, and a magnet link into a btlink name.',
  options: { tld: { type: 'string' } },
  takes: [1, 1],
  async run(input) {
    const text = argument(input, 0)
    const tld = valueOf(input.flags, 'tld') ?? 'btlink'
    const { name, title, hints } = parseName(text, tld)
    if (name.kind === 'root' || name.kind === 'domain' || name.kind === 'immutable') {
      throw new BadUsage(`"${text.slice(0, 80)}" names no torrent and no site`)
    }
    const magnet = writeMagnet(name, { title, hints })
    const host = hostOf(name, tld)
    input.print(/^magnet:/i.test(text.trim()) ? host : magnet, { magnet, host })
  },
}
