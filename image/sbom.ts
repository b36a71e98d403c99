/**
 * What an image consists of, as CycloneDX 1.6: Debian's packages from mkosi's manifest, npm's from
 * package-lock.json. The same inputs give the same bytes.
 * @see https://cyclonedx.org/docs/1.6/json/
 */
import { createHash } from 'node:crypto'
import { type Arch, type Module, nameOf, productionModules } from './deb/modules.ts'

export interface DebianPackage {
  name: string
  version: string
  architecture: string
}

interface Component {
  type: 'library' | 'operating-system' | 'application'
  'bom-ref': string
  name: string
  group?: string
  version: string
  purl?: string
  hashes?: { alg: 'SHA-512'; content: string }[]
  licenses?: ({ license: { id: string } } | { expression: string })[]
}

export interface Sbom {
  bomFormat: 'CycloneDX'
  specVersion: '1.6'
  serialNumber: string
  version: 1
  metadata: {
    timestamp: string
    tools: { components: { type: 'application'; name: string; version: string }[] }
    component: Component
  }
  components: Component[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

export interface SbomInput {
  root: string
  flavour: string
  version: string
  arch: Arch
  packages: DebianPackage[]
  /** Seconds since 1970. */
  epoch: number
}

// Package URLs, section "rules for each purl component": percent-encoded, but for the colon.
const escaped = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':')

function debian({ name, version, architecture }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${escaped(name)}@${escaped(version)}?arch=${architecture}&distro=debian-13`
  return { type: 'library', 'bom-ref': purl, name, version, purl }
}

function npm({ place, locked }: Module): Component {
  const name = nameOf(place)
  const [scope, bare] = name.startsWith('@') ? name.split('/') : [undefined, name]
  const group = scope === undefined ? '' : `${escaped(scope)}/`
  const purl = `pkg:npm/${group}${escaped(bare ?? name)}@${escaped(locked.version)}`
  const sha512 = /^sha512-(\S+)$/.exec(locked.integrity ?? '')?.[1]
  return {
    type: 'library',
    'bom-ref': purl,
    ...(scope === undefined ? {} : { group: scope }),
    name: bare ?? name,
    version: locked.version,
    purl,
    ...(sha512 === undefined
      ? {}
      : {
          hashes: [
            { alg: 'SHA-512' as const, content: Buffer.from(sha512, 'base64').toString('hex') },
          ],
        }),
    ...(locked.license === undefined ? {} : { licenses: [{ expression: locked.license }] }),
  }
}

/** RFC 9562 section 5.8: a UUID of our own making, here of what it names. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [0, 8, 12, 16, 20].map((at, n) => hex.slice(at, [8, 12, 16, 20, 32][n])).join('-')
}

export function makeSbom({ root, flavour, version, arch, packages, epoch }: SbomInput): Sbom {
  // Our own package is what the whole is about; its parts are npm's.
  const debs = packages.filter(({ name }) => name !== 'btlinkd').map(debian)
  const byPurl = new Map(
    productionModules(root, arch)
      .map(npm)
      .map((one) => [one.purl, one]),
  )
  const modules = [...byPurl.values()]
  const system: Component = {
    type: 'operating-system',
    'bom-ref': `btlinkd-image-${flavour}`,
    name: `btlinkd-${flavour}`,
    version,
  }
  const daemon: Component = {
    type: 'application',
    'bom-ref': `pkg:generic/btlinkd@${version}`,
    name: 'btlinkd',
    version,
    purl: `pkg:generic/btlinkd@${version}`,
    licenses: [{ license: { id: 'MIT' } }],
  }
  const refs = (components: Component[]) => components.map((one) => one['bom-ref']).sort()
  const components = [daemon, ...debs, ...modules]
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([flavour, version, refs(components)]))}`,
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      tools: { components: [{ type: 'application', name: 'btlinkd-image', version }] },
      component: system,
    },
    components,
    dependencies: [
      { ref: system['bom-ref'], dependsOn: refs([daemon, ...debs]) },
      { ref: daemon['bom-ref'], dependsOn: refs(modules) },
    ],
  }
}
