import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { loadConfig, requireConfig } from '../../src/app/config/load.ts'
import { nearest } from '../../src/app/config/nearest.ts'
import {
  effectiveYaml,
  jsonSchema,
  referencePage,
  sampleFile,
  withoutSecrets,
} from '../../src/app/config/pages.ts'
import { configSchema } from '../../src/app/config/schema.ts'
import { type Schema, validate } from '../../src/app/config/validate.ts'
import { parseYaml } from '../../src/app/config/yaml-source.ts'
import { read, ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

const check = async (yaml: string, env: NodeJS.ProcessEnv = {}) => {
  const cleanup: (() => void | Promise<void>)[] = []
  const folder = await tempFolder({ after: (fn) => void cleanup.push(fn) })
  const file = join(folder, 'btlinkd.yaml')
  await writeFile(file, yaml)
  const loaded = await loadConfig({ file, env })
  for (const fn of cleanup) await fn()
  return { ...loaded, mistakes: loaded.mistakes.map((line) => line.replace(file, 'F')) }
}

describe('configuration', () => {
  it('loads the file people have already, with its values (Q02)', async () => {
    const { config, mistakes } = await loadConfig({
      file: join(ROOT, 'test/vectors/seed-config.yaml'),
      env: {},
    })
    assert.deepEqual(mistakes, [])
    assert.equal(config?.gateway.max_upload_size, 10 * 1024 ** 3)
    assert.equal(config?.dht.announce_interval, 900_000)
    assert.equal(config?.tracker.min_interval, 900_000)
    assert.equal(config?.admin.cleanup_age, 90 * 86_400_000)
    assert.equal(config?.blossom_server.rate_limit.burst_size, 20)
    assert.equal(config?.rate_limiting.stream.requests_per_second, 10)
    assert.deepEqual(config?.admin.pubkeys, ['your_admin_pubkey_here'])
  })

  it('has the defaults of that file (Q02)', async () => {
    const { value } = await parseYaml(read('test/vectors/seed-config.yaml'))
    const { value: written } = validate(configSchema, value)
    const { value: defaults } = validate(configSchema, {})
    const sections = ['mode', 'gateway', 'blossom_server', 'dht', 'tracker', 'nostr', 'transcoding']
    for (const name of [...sections, 'rate_limiting']) {
      const of = (all: unknown) => (all as Record<string, unknown>)[name]
      assert.deepEqual(of(written), of(defaults), name)
    }
  })

  it('refuses hosts and origins of the tracker that nobody could reach it by', async () => {
    const good = [
      'example.com',
      'box',
      '192.0.2.7',
      '2001:db8::7',
      '[2001:db8::7]',
      '::1',
      'a-b.example',
    ]
    const bad = [
      'example.com:8080',
      'http://example.com',
      ':::::',
      '-',
      'a..b',
      '[]',
      '',
      '192.0.2.7:80',
    ]
    const hosts = (list: string[]) => check(`tracker: { public_hosts: ${JSON.stringify(list)} }`)
    assert.deepEqual((await hosts(good)).mistakes, [])
    for (const host of bad) assert.equal((await hosts([host])).mistakes.length, 1, host)
    const origins = (list: string[]) =>
      check(`tracker: { socket_origins: ${JSON.stringify(list)} }`)
    assert.deepEqual(
      (await origins(['https://site.example', 'http://localhost:8080'])).mistakes,
      [],
    )
    for (const origin of ['site.example', 'https://site.example/', 'ws://site.example', '*'])
      assert.equal((await origins([origin])).mistakes.length, 1, origin)
  })

  it('lets clients of the tracker announce once a day at least', async () => {
    assert.deepEqual(
      (await check('tracker: { announce_interval: 1d, min_interval: 1d }')).mistakes,
      [],
    )
    const { mistakes } = await check('tracker: { announce_interval: 100d, min_interval: 25h }')
    assert.equal(mistakes.length, 2)
  })

  it('works without any file (Q06)', async () => {
    const { config, mistakes } = await loadConfig({ env: {}, stateDir: '/tmp/x' })
    assert.deepEqual(mistakes, [])
    assert.equal(config?.mode, 'unified')
    assert.equal(config?.state_dir, '/tmp/x')
  })

  it('tells every mistake with line, JSON pointer and the nearest key (Q03)', async () => {
    const { config, mistakes } = await check(
      'dht:\n  prot: 6883\n  port: 70000\ngatway: {}\nlog:\n  level: loud\n  format: jsno\ntracker:\n  enabled: maybe\n',
    )
    assert.equal(config, undefined)
    assert.deepEqual(mistakes, [
      'F:4: /gatway is not a known key; did you mean "gateway"?',
      'F:2: /dht/prot is not a known key; did you mean "port"?',
      'F:3: /dht/port must be at most 65535, got 70000',
      'F:6: /log/level must be one of debug, info, warn, error, got "loud"',
      'F:7: /log/format must be one of text, json, got "jsno"; did you mean "json"?',
      'F:9: /tracker/enabled must be true or false, got "maybe"',
    ])
  })

  it('names the line of what is no YAML, and of a key that is there twice (Q03)', async () => {
    assert.match((await check('dht:\n  port: [1\n')).mistakes[0] ?? '', /^F:\d+: /)
    assert.match((await check('dht:\n  port: 1\n  port: 2\n')).mistakes[0] ?? '', /^F:3: .*unique/)
  })

  it('tells of aliases that make too much, and of no more mistakes than anybody reads (Q03)', async () => {
    const rows = Array.from('bcdefghi').map((name, at) => {
      const before = 'abcdefgh'[at] ?? ''
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`
    })
    const bomb = await check(`a: &a [x, x, x]\n${rows.join('\n')}\n`)
    assert.match(bomb.mistakes.join(), /^F:1: .*alias/i)
    const keys = Array.from({ length: 25_000 }, (_, at) => `k${at}: 1\n`)
    assert.equal((await check(keys.join(''))).mistakes.length, 100)
  })

  it('takes no section for a scalar, and an empty section for its defaults', async () => {
    assert.match((await check('dht: 3\n')).mistakes[0] ?? '', /^F:1: \/dht must be a section/)
    assert.equal((await check('dht:\n')).config?.dht.port, 6883)
  })

  it('is not fooled by keys of Object (Q03)', async () => {
    const { mistakes } = await check('__proto__: {a: 1}\nconstructor: 2\ndht:\n  toString: 1\n')
    assert.equal(mistakes.length, 3, mistakes.join('\n'))
  })

  it('reads sizes in 1024 and durations with units or in seconds (Q04)', async () => {
    const { config } = await check(
      'gateway: {max_upload_size: 2 GiB}\nhealth: {disk_low: 4096}\ndht: {announce_interval: 10m, min_interval: 250ms}\nadmin: {cleanup_age: 2w, max_file_age: 60}\n',
    )
    assert.equal(config?.gateway.max_upload_size, 2 * 1024 ** 3)
    assert.equal(config?.health.disk_low, 4096)
    assert.equal(config?.dht.announce_interval, 600_000)
    assert.equal(config?.dht.min_interval, 250)
    assert.equal(config?.admin.cleanup_age, 14 * 86_400_000)
    assert.equal(config?.admin.max_file_age, 60_000)
    const { mistakes } = await check('gateway: {max_upload_size: 10 bananas}\n')
    assert.match(mistakes[0] ?? '', /must be a size like 100MB/)
  })

  it('lets the environment win over the file, and names the variable that is wrong', async () => {
    const env = {
      BTLINKD_DHT__PORT: '0',
      BTLINKD_DHT__ENABLED: 'false',
      BTLINKD_DHT__BOOTSTRAP_NODES: '[]',
      BTLINKD_STATE_DIR: '/srv/state',
      HOME: '/root',
    }
    const { config } = await check('dht:\n  port: 5\n', env)
    assert.equal(config?.dht.port, 0)
    assert.equal(config?.dht.enabled, false)
    assert.deepEqual(config?.dht.bootstrap_nodes, [])
    assert.equal(config?.state_dir, '/srv/state')
    const { mistakes } = await check('', { BTLINKD_DHT__PROT: '1', BTLINKD_DHT__PORT: 'x' })
    assert.deepEqual(mistakes.sort(), [
      'BTLINKD_DHT__PORT: /dht/port must be a whole number, got "x"',
      'BTLINKD_DHT__PROT: /dht/prot is not a known key; did you mean "port"?',
    ])
  })

  it('never shows a secret', async () => {
    const { config } = await check('nostr:\n  private_key: 5ec2e7\n')
    assert.equal(config?.nostr.private_key, '5ec2e7')
    assert.doesNotMatch(effectiveYaml(config), /5ec2e7/)
    assert.doesNotMatch(JSON.stringify(withoutSecrets(config)), /5ec2e7/)
    const relays = (await check('webrtc:\n  turn_servers: ["u:5ec2e7@turn.example:3478"]\n')).config
    assert.match(effectiveYaml(relays), /turn_servers: \["\*\*\*"\]/)
    const { mistakes } = await check('nostr:\n  private_key: [5ec2e7]\n')
    assert.doesNotMatch(mistakes.join(), /5ec2e7/)
  })

  it('prints what loads again as the same', async () => {
    const { config } = await check('dht: {announce_interval: 90s}\nhealth: {disk_low: 1500}\n')
    const { config: again, mistakes } = await check(effectiveYaml(config))
    assert.deepEqual(mistakes, [])
    assert.deepEqual(again, config)
  })

  it('refuses files that are missing or too large with one line', async () => {
    await assert.rejects(loadConfig({ file: '/nowhere/x.yaml', env: {} }), {
      code: 'BTL_ERR_CONFIG_UNREADABLE',
      message: 'cannot read the configuration /nowhere/x.yaml: no such file',
    })
  })
})

describe('a daemon', () => {
  it('does not run in a mode that this version only reads (Q01)', async () => {
    const { config } = await check('mode: blossom-only\n')
    assert.equal(config?.mode, 'blossom-only')
    await assert.rejects(requireConfig({ env: { BTLINKD_MODE: 'blossom-only' } }), {
      code: 'BTL_ERR_CONFIG_INVALID',
      message: /blossom-only arrives with a later version/,
    })
    for (const mode of ['unified', 'gateway-only', 'dht-only']) {
      assert.equal((await requireConfig({ env: { BTLINKD_MODE: mode } })).mode, mode)
    }
  })

  it('gets every mistake in one failure (Q03)', async () => {
    const env = { BTLINKD_DHT__PORT: '-1', BTLINKD_LOG__LEVEL: 'loud' }
    await assert.rejects(requireConfig({ env }), ({ message }: Error) => {
      assert.equal(message.split('\n').length, 2)
      return true
    })
  })
})

describe('validation', () => {
  it('never throws, and gives a value that is sound or says what is not', () => {
    const anything = fc.anything({ withNullPrototype: true, maxDepth: 4 })
    const section = fc.constantFrom(...Object.keys(configSchema.properties))
    const written = fc.oneof(anything, fc.dictionary(fc.oneof(section, fc.string()), anything))
    fc.assert(
      fc.property(written, (value) => {
        const first = validate(configSchema, value)
        for (const { pointer } of first.mistakes) assert.match(pointer, /^(\/|$)/)
        if (first.mistakes.length > 0) return
        assert.deepEqual(
          Object.keys(first.value as object).sort(),
          Object.keys(configSchema.properties).sort(),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('bounds every port, whatever section it is in (Q03)', () => {
    const ports = Object.entries(configSchema.properties).flatMap(([name, section]) =>
      Object.entries((section as Schema).properties ?? {})
        // A flag may be about a port.
        .filter(([key, { type }]) => /(^|_)port$/.test(key) && type !== 'boolean')
        .map(([key]) => [name, key] as const),
    )
    assert.ok(ports.length >= 8, String(ports.length))
    for (const [name, key] of ports) {
      const mistakesOf = (port: unknown) =>
        validate(configSchema as Schema, { [name]: { [key]: port } }).mistakes.map((m) => m.pointer)
      assert.deepEqual(mistakesOf(0), [], `${name}.${key}`)
      assert.deepEqual(mistakesOf(65_535), [])
      for (const bad of [-1, 65_536, 1.5, '80', null, Number.NaN]) {
        assert.deepEqual(mistakesOf(bad), [`/${name}/${key}`], `${name}.${key} = ${String(bad)}`)
      }
    }
  })
})

describe('the generated pages', () => {
  it('are the ones of docs/ (npm run docs writes them)', () => {
    assert.equal(read('docs/configuration.md'), referencePage())
    assert.equal(read('docs/btlinkd.sample.yaml'), sampleFile())
    assert.equal(read('docs/btlinkd.schema.json'), jsonSchema())
  })

  it('give a sample that loads as the defaults', async () => {
    const { config, mistakes } = await check(sampleFile())
    assert.deepEqual(mistakes, [])
    assert.deepEqual(config, (await check('')).config)
  })
})

describe('nearest', () => {
  it('finds the word that was meant, and nothing where none is near', () => {
    assert.equal(nearest('prot', ['port', 'proxy', 'enabled']), 'port')
    assert.equal(nearest('max_uplod', ['max_upload_size', 'port']), undefined)
    assert.equal(nearest('qqqqqqq', ['port', 'dht']), undefined)
  })
})
