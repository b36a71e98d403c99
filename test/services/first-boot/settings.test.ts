import assert from 'node:assert/strict'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { changesOf } from '../../../src/services/first-boot/merge.ts'
import { valueOfYaml, withChanges } from '../../../src/services/first-boot/yaml-text.ts'
import { DEFAULTS, newBox } from './box.ts'

const CONFIG = '/var/etc/btlinkd/btlinkd.yaml'

describe('btlinkd.yaml on the card (R02)', () => {
  it('is taken over what the image has, key by key', async (t) => {
    const box = await newBox(t)
    await box.put('btlinkd.yaml', 'dns:\n  port: 5301\nlog: { level: debug }\n')
    const told = await box.start()
    assert.deepEqual(told.faults, [])
    assert.deepEqual(told.taken, ['btlinkd.yaml: dns.port, log.level'])
    assert.deepEqual(await valueOfYaml(await box.read(CONFIG)), {
      state_dir: '/var/lib/btlinkd',
      proxy: { http_port: 80 },
      dns: { port: 5301, wpad: true },
      log: { level: 'debug' },
    })
    assert.match(await box.read(CONFIG), /^# The box's own\./)
    assert.equal(await box.mode(CONFIG), 0o640)
  })

  it('is not needed: the box starts on what the image has', async (t) => {
    const box = await newBox(t)
    assert.deepEqual(await box.start(), { taken: [], faults: [], notes: [] })
    assert.equal(await box.read(CONFIG), DEFAULTS)
  })

  it('is not needed where a power cut took what was in the settings of the box', async (t) => {
    const box = await newBox(t)
    await box.start()
    // As ext4 leaves a file whose data was not on the disk yet.
    await writeFile(box.at(CONFIG), '')
    const told = await box.start()
    assert.deepEqual(told.faults, [])
    assert.match(told.notes.join(), /settings of the box were lost/)
    assert.equal(await box.read(CONFIG), DEFAULTS)
  })

  it('is taken again where a power cut took what the box had of it', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', 'dns:\n  port: 5301\n')
    await box.start()
    await writeFile(box.at(CONFIG), '')
    assert.deepEqual((await box.start()).taken, ['btlinkd.yaml: dns.port'])
    assert.match(await box.read(CONFIG), /port: 5301/)
  })

  it('that is wrong leaves the box as it was, and says the line and the key on the card', async (t) => {
    const box = await newBox(t)
    await box.put('btlinkd.yaml', 'dns:\n  port: 70000\n  prot: 1\nswarm:\n  port: no\n')
    const told = await box.start()
    assert.deepEqual(told.taken, [])
    assert.match(told.faults.join('\n'), /^btlinkd\.yaml:2: \/dns\/port must be at most 65535/m)
    assert.match(
      told.faults.join('\n'),
      /^btlinkd\.yaml:3: \/dns\/prot is not a known key; did you mean "port"\?/m,
    )
    assert.equal(await box.read(CONFIG), DEFAULTS)
    const file = await readFile(box.card('btlinkd.errors.txt'), 'utf8')
    assert.match(file, /btlinkd\.yaml:2: \/dns\/port[^\n]*\r\n/)
    const { mtimeMs } = await stat(box.card('btlinkd.errors.txt'))
    await box.start()
    const again = await stat(box.card('btlinkd.errors.txt'))
    assert.equal(again.mtimeMs, mtimeMs, 'the same file is not written again')

    await box.put('btlinkd.yaml', 'dns:\n  port: 5400\n')
    assert.deepEqual((await box.start()).taken, ['btlinkd.yaml: dns.port'])
    assert.deepEqual((await readdir(box.card('.'))).sort(), ['btlinkd.yaml'])
  })

  it('is told what only a room can judge', async (t) => {
    const box = await newBox(t)
    await box.put('btlinkd.yaml', "dns: { records: ['nas'] }\n")
    assert.match((await box.start()).faults.join('\n'), /"nas" is no record/)
    assert.equal(await box.read(CONFIG), DEFAULTS)
  })

  it('is taken once; a later change of it is taken, and nothing else', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', 'dns: { port: 5301 }\nlog: { level: debug }\n')
    await box.start()
    // On the box somebody chose other values, and another key.
    await writeFile(box.at(CONFIG), 'dns: { port: 5999, wpad: false }\nlog: { level: debug }\n')
    assert.deepEqual((await box.start()).taken, [])
    await box.put('btlinkd.yaml', 'dns: { port: 5301 }\nlog: { level: warn }\n')
    assert.deepEqual((await box.start()).taken, ['btlinkd.yaml: log.level'])
    assert.deepEqual(await valueOfYaml(await box.read(CONFIG)), {
      dns: { port: 5999, wpad: false },
      log: { level: 'warn' },
    })
    await box.put('btlinkd.yaml', 'dns: { port: 5301 }\n')
    await box.start()
    assert.deepEqual(await valueOfYaml(await box.read(CONFIG)), {
      dns: { port: 5999, wpad: false },
      log: {},
    })
  })

  it('gives back to the image what goes from it', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', 'proxy: { http_port: 8080 }\nlog: { level: warn }\n')
    await box.start()
    await box.put('btlinkd.yaml', '# nothing\n')
    await box.start()
    const { proxy, log } = (await valueOfYaml(await box.read(CONFIG))) ?? {}
    assert.deepEqual([proxy, log], [{ http_port: 80 }, {}])
  })

  it('wins over a newer setting of the box where both changed the same key, and says so', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', 'dns: { port: 5301 }\n')
    await box.start()
    await writeFile(box.at(CONFIG), 'dns: { port: 5999 } # mine\n')
    await box.put('btlinkd.yaml', 'dns: { port: 5302 }\n')
    const told = await box.start()
    assert.match(
      told.notes.join('\n'),
      /^dns\.port was 5999 on the box and is now 5302, as the card says/m,
    )
    assert.equal(await box.read(`${CONFIG}.before`), 'dns: { port: 5999 } # mine\n')
    assert.match(await box.read(CONFIG), /5302/)
  })

  it('mends a box whose own settings cannot be read', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.start()
    await writeFile(box.at(CONFIG), 'dns: [\n')
    await box.put('btlinkd.yaml', 'dns: { port: 5302 }\n')
    assert.match((await box.start()).notes.join('\n'), /could not be read and were replaced/)
    assert.equal(await box.read(`${CONFIG}.before`), 'dns: [\n')
    assert.deepEqual(await valueOfYaml(await box.read(CONFIG)), {
      state_dir: '/var/lib/btlinkd',
      proxy: { http_port: 80 },
      dns: { port: 5302, wpad: true },
    })
  })

  it('leaves its secrets on the box alone', async (t) => {
    const box = await newBox(t, { trusting: true })
    const turn = 'turn:me:hunter2-secret@turn.example'
    await box.put(
      'btlinkd.yaml',
      `# mine\ndns: { port: 5301 }\nwebrtc:\n  turn_servers: ['${turn}']\n`,
    )
    await box.start()
    assert.match(await box.read(CONFIG), /hunter2-secret/)
    for (const entry of await readdir(box.card('.'))) {
      assert.doesNotMatch(await readFile(box.card(entry), 'utf8'), /hunter2/, entry)
    }
    assert.match(await readFile(box.card('btlinkd.yaml'), 'utf8'), /# mine/)
    assert.deepEqual((await box.start()).taken, [])
    await box.put(
      'btlinkd.yaml',
      (await readFile(box.card('btlinkd.yaml'), 'utf8')).replace('5301', '5302'),
    )
    assert.deepEqual((await box.start()).taken, ['btlinkd.yaml: dns.port'])
    assert.match(await box.read(CONFIG), /hunter2-secret/, 'what was taken out is not taken back')
  })

  it('ends the cleaning of the card that a power cut interrupted', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', new Uint8Array(40))
    await box.put('btlinkd.yaml.new', 'dns: { port: 5301 }\n')
    assert.deepEqual((await box.start()).taken, ['btlinkd.yaml: dns.port'])
    assert.deepEqual(await readdir(box.card('.')), ['btlinkd.yaml'])
  })

  it('does not move the state folder', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', 'state_dir: /tmp/elsewhere\n')
    assert.match((await box.start()).faults.join('\n'), /state_dir is set by the image/)
    assert.match(await box.read(CONFIG), /state_dir: \/var\/lib\/btlinkd/)
  })

  it('says what it could not keep, and fails', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.start()
    await box.put('btlinkd.yaml', 'dns: { port: 5301 }\n')
    const taken = box.at('/var/etc/btlinkd/from-card')
    await writeFile(taken, 'a file where a folder belongs')
    await chmod(taken, 0o600)
    await assert.rejects(box.start(), { code: 'BTL_ERR_FIRST_BOOT_UNWRITABLE' })
    assert.match(
      await readFile(box.card('btlinkd.errors.txt'), 'utf8'),
      /cannot keep what is on the card/,
    )
  })
})

const section = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.string(),
    fc.array(fc.integer(), { maxLength: 3 }),
    tie('section'),
  ),
  section: fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), tie('value'), { maxKeys: 4 }),
})).section

/** Empty sections are the same as none. */
const pruned = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const kept = Object.entries(value).map(([key, one]) => [key, pruned(one)] as const)
  const full = kept.filter(([, one]) => one !== undefined)
  return full.length === 0
    ? undefined
    : Object.fromEntries(full.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

describe('changes of the settings', () => {
  it('make of the box what the card says, where the box was as the card before', async () => {
    await fc.assert(
      fc.asyncProperty(section, section, async (before, now) => {
        const { stringify } = await import('yaml')
        const text = await withChanges(stringify(before), changesOf(before, now, before))
        assert.deepEqual(pruned(await valueOfYaml(text)), pruned(now))
      }),
      { numRuns: 300 },
    )
  })

  it('take a value out where a section without any value took its place', () => {
    const changes = changesOf({ log: 'debug' }, { log: { level: {} } }, { log: 'debug' })
    assert.deepEqual(changes, [{ path: ['log'], value: undefined }])
  })

  it('are none where the card did not change, whatever the box has', () => {
    fc.assert(
      fc.property(section, section, (card, box) =>
        assert.deepEqual(changesOf(card, structuredClone(card), box), []),
      ),
    )
  })

  it('of a section without keys take nothing from the box', () => {
    const box = { dns: { port: 5300 } }
    for (const empty of [{ dns: null }, { dns: {} }, {}, null]) {
      assert.deepEqual(changesOf({}, empty, box), [])
      assert.deepEqual(changesOf(undefined, empty, box), [])
    }
    assert.deepEqual(changesOf({ _: [] }, { _: {} }, { _: [] }), [
      { path: ['_'], value: undefined },
    ])
  })

  it('touch no key that the card did not change', async () => {
    await fc.assert(
      fc.asyncProperty(section, section, fc.integer(), async (card, box, mine) => {
        const { stringify } = await import('yaml')
        const own = { ...box, zz_mine: mine }
        const text = await withChanges(stringify(own), changesOf({}, card, own))
        assert.equal((await valueOfYaml(text))?.['zz_mine'], mine)
      }),
      { numRuns: 200 },
    )
  })
})
