import { convert, ENCODINGS, type Encoding, isEncoding } from '../../base/names/index.ts'
import { argument, BadUsage, type Flags, type Verb, valueOf } from './verb.ts'

function encodingOf(flags: Flags, flag: string): Encoding {
  const value = valueOf(flags, flag) ?? ''
  if (isEncoding(value)) return value
  throw new BadUsage(`--${flag} is one of ${ENCODINGS.join(', ')}, got "${value.slice(0, 40)}"`)
}

export const convertVerb: Verb = {
  usage: ['convert --from ENC --to ENC VALUE'],
  help: `Converts bytes between ${ENCODINGS.join(', ')}.`,
  options: { from: { type: 'string' }, to: { type: 'string' } },
  takes: [1, 1],
  async run(input) {
    const from = encodingOf(input.flags, 'from')
    const to = encodingOf(input.flags, 'to')
    const value = convert(argument(input, 0), from, to)
    input.print(value, { value, encoding: to })
  },
}
