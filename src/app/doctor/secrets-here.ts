/** Every secret of this box that can be found, so that the bundle can be searched for it. */
import { createPrivateKey } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, configSchema } from '../config/schema.ts'
import type { Schema } from '../config/validate.ts'

const MAX_FILES = 2000
const MAX_FILE_BYTES = 65_536
const MIN_CHARACTERS = 6
const SECRET_VARIABLE = /SECRET|PASS|TOKEN|KEY|CRED|HMAC|PSK|COOKIE|AUTH/i
/** Where wireless passwords are kept. */
const WIRELESS = [
  '/etc/wpa_supplicant',
  '/etc/NetworkManager/system-connections',
  '/etc/netplan',
  '/var/lib/iwd',
]

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8')

function inConfig(schema: Schema, value: unknown): string[] {
  if (schema.properties) {
    const fields = (value ?? {}) as Record<string, unknown>
    return Object.entries(schema.properties).flatMap(([key, below]) => inConfig(below, fields[key]))
  }
  if (schema.secret !== true) return []
  return (Array.isArray(value) ? value : [value]).filter(
    (one): one is string => typeof one === 'string',
  )
}

/** A key file as it is, its lines, and the bytes they stand for. */
function inText(text: string): Uint8Array[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const found = lines
    .filter((line) => line.length >= MIN_CHARACTERS && !line.startsWith('-----'))
    .map(utf8)
  for (const line of lines) {
    if (/^(?:[0-9a-f]{2}){16,}$/i.test(line)) found.push(Buffer.from(line, 'hex'))
  }
  for (const [pem] of text.matchAll(
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/g,
  )) {
    try {
      const { d } = createPrivateKey(pem).export({ format: 'jwk' })
      if (d !== undefined) found.push(utf8(d), Buffer.from(d, 'base64url'))
    } catch {
      // A broken key has its lines.
    }
  }
  return found
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => [])
  return entries.slice(0, MAX_FILES).map((entry) => join(folder, entry))
}

async function textOf(path: string): Promise<string | undefined> {
  const file = await stat(path).catch(() => undefined)
  if (file?.isFile() !== true || file.size > MAX_FILE_BYTES) return undefined
  return readFile(path, 'utf8').catch(() => undefined)
}

/** From the file itself: where it is broken the schema does not help, and a fault may quote a line of it. */
function inYaml(text: string): string[] {
  const label =
    /^[\s{,"'-]*[\w-]*(?:key|hmac|secret|pass|token)[\w-]*["']?\s*:\s*["']?([^"'\s#,}]+)/gim
  return [...text.matchAll(label)].map(([, value = '']) => value)
}

export async function secretsHere(
  config: Config,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Uint8Array[]> {
  const stateDir = config.state_dir
  const credentials = env['CREDENTIALS_DIRECTORY']
  const files = [
    ...(await filesBelow(join(stateDir, 'keys'))),
    ...(await filesBelow(join(stateDir, 'pki'))).filter((path) => path.endsWith('.key')),
    ...(await filesBelow(join(stateDir, 'acme'))),
    ...(credentials === undefined ? [] : await filesBelow(credentials)),
  ]
  const texts = await Promise.all(files.map(textOf))
  const wireless = await Promise.all(
    (await Promise.all(WIRELESS.map(filesBelow))).flat().map(textOf),
  )
  const passwords = wireless.flatMap((text) =>
    [
      ...(text ?? '').matchAll(
        /^\s*(?:psk|password|wep_key\d|Passphrase)\s*[=:]\s*"?([^"\n]+)"?\s*$/gm,
      ),
    ].map(([, one = '']) => one),
  )
  const variables = Object.entries(env).flatMap(([name, value]) =>
    SECRET_VARIABLE.test(name) && value !== undefined && !value.startsWith('/') ? [value] : [],
  )
  const yaml = inYaml((file === undefined ? undefined : await textOf(file)) ?? '')
  const words = [...inConfig(configSchema, config), ...yaml, ...variables, ...passwords]
  return [
    ...words.filter((word) => word.length >= MIN_CHARACTERS).map(utf8),
    ...texts.flatMap((text) => (text === undefined ? [] : inText(text))),
  ]
}
