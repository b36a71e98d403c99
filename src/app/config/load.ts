/** From file and environment to the checked configuration, or to every mistake in them. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { readCredentials } from './credentials.ts'
import { BadConfig } from './errors.ts'
import { readEnvironment, withEnvironment } from './environment.ts'
import { type Config, configSchema } from './schema.ts'
import { type Mistake, validate } from './validate.ts'
import { type ConfigSource, readConfigFile } from './yaml-source.ts'

export interface LoadOptions {
  /** `--config`; without it `./btlinkd.yaml` where there is one. */
  file?: string | undefined
  /** `--state`, wins over `state_dir`. */
  stateDir?: string | undefined
  env?: NodeJS.ProcessEnv
}

export interface LoadedConfig {
  /** The file that was read. */
  file?: string
  /** Undefined where there are mistakes. */
  config?: Config
  /** One line each: where, what, and the key that was likely meant. */
  mistakes: string[]
}

const DEFAULT_FILE = 'btlinkd.yaml'

/** @throws UnreadableConfig where the named file cannot be read */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { env = process.env } = options
  const named = options.file ?? env['BTLINKD_CONFIG']
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined)
  const source: ConfigSource =
    file === undefined
      ? { value: {}, faults: [], lineOf: () => undefined }
      : await readConfigFile(file)
  const found = file === undefined ? {} : { file }
  if (source.faults.length > 0) {
    const mistakes = source.faults.map(({ line, message }) => `${file}:${line}: ${message}`)
    return { ...found, mistakes }
  }
  const variables = [
    ...readEnvironment(configSchema, env),
    ...readCredentials(configSchema, env['CREDENTIALS_DIRECTORY']),
  ]
  const { value, mistakes } = validate(configSchema, withEnvironment(source.value, variables))
  if (mistakes.length > 0) {
    const places = new Map(variables.map(({ variable, path }) => [`/${path.join('/')}`, variable]))
    return {
      ...found,
      mistakes: mistakes.map((mistake) => describe(mistake, file, source, places)),
    }
  }
  const config = value as Config
  return {
    ...found,
    config: { ...config, state_dir: resolve(options.stateDir ?? config.state_dir) },
    mistakes: [],
  }
}

/** Modes that files may name already, and that no daemon of this version can run. */
const LATER_MODES: readonly Config['mode'][] = ['blossom-only']

/** Why no daemon can be what the configuration says it is; undefined where one can. */
export function faultOfMode({ mode, proxy }: Config): string | undefined {
  if (LATER_MODES.includes(mode)) {
    return `/mode ${mode} arrives with a later version: choose unified, gateway-only, proxy-only or dht-only`
  }
  return mode === 'proxy-only' && proxy.gateway === ''
    ? '/proxy/gateway is empty: with mode proxy-only it says which box answers for names'
    : undefined
}

/** The configuration to run on, or one failure that lists every mistake, a line each. */
export async function requireConfig(options: LoadOptions = {}): Promise<Config> {
  const { config, mistakes } = await loadConfig(options)
  if (!config) throw new BadConfig(mistakes.join('\n'))
  const fault = faultOfMode(config)
  if (fault !== undefined) throw new BadConfig(fault)
  return config
}

function describe(
  { pointer, message, nearest }: Mistake,
  file: string | undefined,
  source: ConfigSource,
  variables: Map<string, string>,
): string {
  const line = source.lineOf(pointer)
  const place =
    variables.get(pointer) ?? (line === undefined ? file : `${file ?? ''}:${line}`) ?? 'environment'
  const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`
  return `${place}: ${pointer === '' ? 'the file' : pointer} ${message}${hint}`
}
