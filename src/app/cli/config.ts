import { requireConfig } from '../config/load.ts'
import {
  effectiveYaml,
  jsonSchema,
  referencePage,
  sampleFile,
  withoutSecrets,
} from '../config/pages.ts'
import { BadConfig } from '../config/errors.ts'
import { checkConfig } from '../roles/check-config.ts'
import { argument, BadUsage, type Verb, type VerbInput, valueOf } from './verb.ts'

async function check(input: VerbInput): Promise<void> {
  const file = input.positionals[1] ?? valueOf(input.flags, 'config')
  const loaded = await checkConfig(file)
  const { mistakes } = loaded
  if (mistakes.length > 0) {
    if (input.flags['json'] === true) input.print('', { ok: false, mistakes })
    throw new BadConfig(mistakes.join('\n'))
  }
  input.print(`${loaded.file ?? 'the defaults'}: ok`, { ok: true, file: loaded.file ?? null })
}

const parts: Record<string, (input: VerbInput) => Promise<void>> = {
  check,
  async print(input) {
    const { flags } = input
    const config = await requireConfig({
      file: valueOf(flags, 'config'),
      stateDir: valueOf(flags, 'state'),
    })
    input.print(effectiveYaml(config).trimEnd(), withoutSecrets(config))
  },
  async schema() {
    process.stdout.write(jsonSchema())
  },
  async reference() {
    process.stdout.write(referencePage())
  },
  async sample() {
    process.stdout.write(sampleFile())
  },
}

export const configVerb: Verb = {
  usage: [
    'config check [FILE]',
    'config print',
    'config schema',
    'config reference',
    'config sample',
  ],
  help: 'Checks a file (every mistake with its place), prints the effective values, the JSON Schema,\nthe reference page, or a file with every key and its default.',
  options: {},
  takes: [1, 2],
  async run(input) {
    const name = argument(input, 0)
    const part = parts[name]
    if (!part)
      throw new BadUsage(`config has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`)
    await part(input)
  },
}
