/** Finds the verb, reads its flags, runs it, and turns what it throws into one line and an exit code. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { codeOf, messageOf } from '../../base/errors.ts'
import { nearest } from '../config/nearest.ts'
import { stateFolder } from './state-folder.ts'
import { BadUsage, type Flags, type Verb } from './verb.ts'
import { verbs } from './verbs.ts'

const EXIT = { ok: 0, failed: 1, usage: 2, configuration: 78 } as const

const COMMON = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  state: { type: 'string' },
  config: { type: 'string' },
} satisfies ParseArgsOptionsConfig

function overview(): string {
  const width = Math.max(...verbs.map(({ name }) => name.length)) + 2
  const lines = verbs.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return `usage: btlinkd VERB [ARGUMENTS] [--json] [--state DIR] [--config FILE]\n\n${lines.join('\n')}\n\n\`btlinkd VERB --help\` says more.`
}

function helpOf(verb: Verb): string {
  const forms = verb.usage.map((form) => `  btlinkd ${form}`)
  return `${forms.join('\n')}\n\n${verb.help}\n\nEvery verb takes --json, --state DIR, --config FILE and --help.`
}

function readFlags(name: string, verb: Verb, args: readonly string[]) {
  const options = { ...COMMON, ...verb.options }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    const flag = /'(-{1,2}[^' =]+)/.exec(messageOf(error))?.[1]
    if (flag === undefined || codeOf(error) !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      throw new BadUsage(messageOf(error), { cause: error })
    }
    const meant = nearest(flag.replace(/^-+/, ''), Object.keys(options))
    throw new BadUsage(
      `${name} has no flag ${flag}${meant === undefined ? '' : `; did you mean --${meant}?`}`,
      { cause: error },
    )
  }
}

/** Titles of sites, names in a backup, answers of servers: nothing of it may steer a terminal. */
const plain = (text: string): string => text.replace(/(?![\t\n])\p{Cc}/gu, '?')

function exitCodeOf(error: unknown): number {
  const code = codeOf(error)
  if (code === 'BTL_ERR_CLI_USAGE') return EXIT.usage
  return code?.startsWith('BTL_ERR_CONFIG') ? EXIT.configuration : EXIT.failed
}

function checkCount(name: string, verb: Verb, positionals: readonly string[]): void {
  const [least, most] = verb.takes
  if (positionals.length >= least && positionals.length <= most) return
  throw new BadUsage(
    `${name} takes ${least === most ? least : `${least} to ${most}`} arguments, got ${positionals.length}: btlinkd ${verb.usage[0]}`,
  )
}

async function runVerb(name: string, args: readonly string[]): Promise<void> {
  const entry = verbs.find((one) => one.name === name)
  if (!entry) {
    const meant = nearest(
      name,
      verbs.map((one) => one.name),
    )
    throw new BadUsage(
      `there is no verb "${name.slice(0, 60)}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
    )
  }
  const verb = await entry.load()
  const { values, positionals } = readFlags(name, verb, args)
  const flags: Flags = values
  if (flags['help'] === true) {
    process.stdout.write(`${helpOf(verb)}\n`)
    return
  }
  checkCount(name, verb, positionals)
  await verb.run({
    positionals,
    flags,
    print: (text, value) =>
      void process.stdout.write(
        `${flags['json'] === true ? JSON.stringify(value) : plain(text)}\n`,
      ),
    stateDir: () => stateFolder(flags),
  })
}

/** @param argv what stands after `btlinkd`. Resolves with the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [name, ...args] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${overview()}\n`)
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  try {
    await runVerb(name, args)
    return EXIT.ok
  } catch (error) {
    const lines = plain(messageOf(error)).split('\n')
    for (const line of lines) process.stderr.write(`btlinkd ${plain(name.slice(0, 60))}: ${line}\n`)
    return exitCodeOf(error)
  }
}
