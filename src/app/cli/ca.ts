import type { RootView, TrustView } from '../../edges/api/index.ts'
import { readListeners } from '../roles/listeners.ts'
import { confirm, readPassphrase, readText, writeSecretFile } from './secrets.ts'
import { askTrust } from './trust-client.ts'
import { argument, BadUsage, type Verb, type VerbInput, valueOf } from './verb.ts'

/** More than any export has. */
const MAX_BUNDLE_BYTES = 32_768
const MAX_DOMAINS = 50

const fingerprint = (sha256: string): string => sha256.toUpperCase().replace(/(..)(?!$)/g, '$1:')

function describe(title: string, root: RootView): string {
  return [
    `${title.padEnd(12)}${root.name}`,
    `  vouches for ${root.permitted.join(', ')} and what is below, for nothing else`,
    `  valid       ${root.notBefore.slice(0, 10)} to ${root.notAfter.slice(0, 10)}`,
    `  SHA-256     ${fingerprint(root.sha256)}`,
    `  words       ${root.words.join(' ')}`,
  ].join('\n')
}

/** The top-level domain is the one without a dot. */
const tldOf = ({ permitted }: RootView): string =>
  permitted.find((domain) => !domain.includes('.')) ?? ''

const realmOf = ({ flags }: VerbInput) => (flags['links'] === true ? 'links' : 'names')

/** Where devices find the root; undefined while nothing serves it. */
async function downloads(stateDir: string, tld: string) {
  const listeners = await readListeners(stateDir).catch(() => undefined)
  const port = listeners?.['http']?.port
  if (port === undefined || port === 0) return undefined
  return {
    setup: `http://setup.${tld}/`,
    pem: `http://${tld}.localhost:${port}/.btlink/rootca.pem`,
  }
}

function linkText({ linkDomains: { configured, stated } }: Pick<TrustView, 'linkDomains'>): string {
  const all = [
    ...configured.map((domain) => `${domain} (configuration)`),
    ...stated.filter((domain) => !configured.includes(domain)),
  ]
  return `link domains ${all.length === 0 ? 'off' : all.join(', ')}`
}

async function show(input: VerbInput): Promise<void> {
  const trust = await askTrust<TrustView>(input, 'GET', '/api/trust')
  const { names, links, former } = trust
  const download = await downloads(await input.stateDir(), tldOf(names))
  const replaced = [...former.names, ...former.links]
  const lines = [
    describe('root', names),
    ...(download ? [`  download    ${download.setup} or ${download.pem}`] : []),
    ...(links ? [describe('links root', links)] : []),
    linkText(trust),
    ...replaced.map(({ name, sha256 }) => `replaced     ${name}  ${fingerprint(sha256)}`),
  ]
  input.print(lines.join('\n'), { ...trust, ...(download && { download }) })
}

async function exportBundle(input: VerbInput): Promise<void> {
  const passphrase = await readPassphrase(input.flags, true)
  const realm = realmOf(input)
  const done = await askTrust<{ bundle: string; root: RootView }>(
    input,
    'POST',
    '/api/trust/export',
    { realm, passphrase },
  )
  const file = valueOf(input.flags, 'output')
  if (file === undefined) {
    input.print(done.bundle.trimEnd(), done)
    return
  }
  await writeSecretFile(file, done.bundle)
  input.print(`${file}: ${done.root.name}, opened by the passphrase alone`, {
    file,
    root: done.root,
  })
}

async function importBundle(input: VerbInput): Promise<void> {
  const file = input.positionals[1]
  if (file === undefined) throw new BadUsage('name the file that `ca export` wrote')
  const bundle = await readText(file, MAX_BUNDLE_BYTES)
  const passphrase = await readPassphrase(input.flags, false)
  const { root } = await askTrust<{ root: RootView }>(input, 'POST', '/api/trust/import', {
    bundle,
    passphrase,
  })
  input.print(
    `${describe('root', root)}\nIt is in force: devices that trust it need nothing more. The one before is kept.`,
    { root },
  )
}

async function rotate(input: VerbInput): Promise<void> {
  const realm = realmOf(input)
  const what = realm === 'names' ? 'root' : 'root of link domains'
  await confirm(
    input.flags,
    `A new ${what} opens https on no device until that device trusts it anew.`,
  )
  const forget = input.flags['forget'] === true
  const done = await askTrust<{ root: RootView; forgotten: number }>(
    input,
    'POST',
    '/api/trust/rotate',
    { realm, forget },
  )
  const before = forget
    ? 'Those before it and their keys are gone; take them off the devices.'
    : 'The one before is kept, with its keys, until `ca rotate --forget`; take it off the devices.'
  input.print(`${describe('root', done.root)}\nEvery device has to trust it anew. ${before}`, done)
}

async function linksOn(input: VerbInput): Promise<void> {
  const domains = input.positionals.slice(2)
  if (domains.length === 0) throw new BadUsage('name the domains: ca link-domains on DOMAIN…')
  const { links, linkDomains } = await askTrust<TrustView>(input, 'GET', '/api/trust')
  const wanted = [...linkDomains.configured, ...linkDomains.stated, ...domains]
  const isWithin = (host: string, domain: string) => host === domain || host.endsWith(`.${domain}`)
  const isNew =
    links !== undefined &&
    wanted.some((domain) => !links.permitted.some((known) => isWithin(domain, known)))
  if (isNew) {
    await confirm(
      input.flags,
      `The root of link domains vouches for ${links.permitted.join(', ')} alone: another takes its place, and every device has to trust that one.`,
    )
  }
  const done = await askTrust<{ root: RootView } & Pick<TrustView, 'linkDomains'>>(
    input,
    'POST',
    '/api/trust/link-domains',
    { domains },
  )
  const next =
    links?.sha256 === done.root.sha256 ? '' : '\nhttps for them opens on devices that trust it.'
  input.print(`${describe('links root', done.root)}\n${linkText(done)}${next}`, done)
}

async function linksOff(input: VerbInput): Promise<void> {
  const domains = input.positionals.slice(2)
  const { links } = await askTrust<TrustView>(input, 'GET', '/api/trust')
  if (domains.length === 0 && links !== undefined) {
    await confirm(input.flags, `The root of link domains and its keys will be destroyed.`)
  }
  const query = domains.map((domain) => `domain=${encodeURIComponent(domain)}`).join('&')
  const done = await askTrust<Pick<TrustView, 'linkDomains'>>(
    input,
    'DELETE',
    `/api/trust/link-domains${query === '' ? '' : `?${query}`}`,
  )
  input.print(linkText(done), done)
}

const switches: Record<string, (input: VerbInput) => Promise<void>> = {
  on: linksOn,
  off: linksOff,
}

async function linkDomains(input: VerbInput): Promise<void> {
  const way = input.positionals[1]
  if (way === undefined) {
    const trust = await askTrust<TrustView>(input, 'GET', '/api/trust')
    const root = trust.links ? `${describe('links root', trust.links)}\n` : ''
    input.print(root + linkText(trust), { links: trust.links, linkDomains: trust.linkDomains })
    return
  }
  const change = switches[way]
  if (!change) throw new BadUsage(`link domains are turned on or off, not "${way.slice(0, 40)}"`)
  await change(input)
}

const parts: Record<string, (input: VerbInput) => Promise<void>> = {
  show,
  export: exportBundle,
  import: importBundle,
  rotate,
  'link-domains': linkDomains,
}

/** Arguments after the name of the part. */
const MOST: Record<string, number> = { import: 1, 'link-domains': 1 + MAX_DOMAINS }

export const caVerb: Verb = {
  usage: [
    'ca show',
    'ca export [--links] [--passphrase-file FILE] [-o FILE]',
    'ca import FILE [--passphrase-file FILE]',
    'ca rotate [--links] [--forget] [--yes]',
    'ca link-domains [on DOMAIN… | off [DOMAIN…]] [--yes]',
  ],
  help: `The root certificate that devices of the house trust. Export puts it with its keys under a passphrase,
from --passphrase-file, stdin or the terminal, for a drawer or for import on another box. Rotate makes
a new one, which every device has to trust anew; --forget destroys the keys of those before it.
Link-domains gives ordinary domains with link records https, from a second root for just these; off
destroys it. --links means that one. See docs/trust.md.`,
  options: {
    output: { type: 'string', short: 'o' },
    'passphrase-file': { type: 'string' },
    links: { type: 'boolean' },
    forget: { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  takes: [1, 2 + MAX_DOMAINS],
  async run(input) {
    const name = argument(input, 0)
    const part = parts[name]
    if (!part)
      throw new BadUsage(`ca has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`)
    const most = MOST[name] ?? 0
    if (input.positionals.length > most + 1) {
      throw new BadUsage(`ca ${name} takes ${most === 0 ? 'no' : `up to ${most}`} arguments`)
    }
    await part(input)
  },
}
