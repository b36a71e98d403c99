import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../../src/base/bytes.ts'
import { isNight, nextNight } from '../../../src/services/update/night.ts'
import { whyNot } from '../../../src/services/update/open-release.ts'
import { Fault, parseRelease, parseSums } from '../../../src/services/update/release.ts'
import { compareVersions, isVersion } from '../../../src/services/update/version.ts'

const sha = 'a'.repeat(64)
const file = (role: string, name = `btlinkd_0.2.0.${role}`) => ({
  role,
  name,
  size: 5,
  sha256: sha,
  packs: [{ name: `${name}.delta`, size: 3, sha256: sha, from: '0.1.0' }],
})
const sound = {
  format: 1,
  product: 'btlinkd',
  version: '0.2.0',
  architecture: 'amd64',
  flavour: 'pc',
  notes: 'More.',
  files: [file('root'), file('verity'), file('kernel')],
  later: { keys: 'are left alone' },
}
const bytes = (value: unknown) => utf8(JSON.stringify(value))
const machine = { version: '0.1.0', architecture: 'amd64', flavour: 'pc' }

describe('R19 what a release says of itself', () => {
  it('reads release.json, and leaves keys of later versions alone', () => {
    const release = parseRelease(bytes(sound))
    assert.equal(release.version, '0.2.0')
    assert.deepEqual(
      release.files.map(({ role, packs }) => [role, packs[0]?.from]),
      [
        ['root', '0.1.0'],
        ['verity', '0.1.0'],
        ['kernel', '0.1.0'],
      ],
    )
  })

  it('reads no release.json that is not sound', () => {
    const root = file('root')
    const others = [file('verity'), file('kernel')]
    const broken: [string, unknown][] = [
      ['a later format', { ...sound, format: 2 }],
      ['of another product', { ...sound, product: 'other' }],
      ['no version', { ...sound, version: '1' }],
      ['a version with a path', { ...sound, version: '../0.2.0' }],
      ['no architecture', { ...sound, architecture: 7 }],
      ['a flavour with a path', { ...sound, flavour: '../pc' }],
      ['no list of files', { ...sound, files: {} }],
      ['a file too few', { ...sound, files: others }],
      ['a role twice', { ...sound, files: [root, root, ...others] }],
      ['a name twice', { ...sound, files: [root, file('verity', root.name), file('kernel')] }],
      ['a name with a path', { ...sound, files: [file('root', '../../etc/shadow'), ...others] }],
      ['a hidden name', { ...sound, files: [file('root', '.profile'), ...others] }],
      ['a name of the papers', { ...sound, files: [file('root', 'SHA256SUMS'), ...others] }],
      ['a negative size', { ...sound, files: [{ ...root, size: -1 }, ...others] }],
      ['a size of text', { ...sound, files: [{ ...root, size: '5' }, ...others] }],
      ['a size beyond a disk', { ...sound, files: [{ ...root, size: 2 ** 40 }, ...others] }],
      ['a hash in capitals', { ...sound, files: [{ ...root, sha256: 'A'.repeat(64) }, ...others] }],
      [
        'packs without end',
        {
          ...sound,
          files: [{ ...root, packs: Array.from({ length: 65 }, () => ({})) }, ...others],
        },
      ],
      [
        'a pack from nowhere',
        { ...sound, files: [{ ...root, packs: [{ ...root, from: 1 }] }, ...others] },
      ],
      ['endless notes', { ...sound, notes: 'x'.repeat(20_000) }],
      ['a minimum that is none', { ...sound, minimum: 'any' }],
      ['a list', [sound]],
      ['null', null],
    ]
    for (const [what, value] of broken) assert.throws(() => parseRelease(bytes(value)), Fault, what)
    assert.throws(() => parseRelease(utf8('{')), Fault)
    assert.throws(() => parseRelease(Uint8Array.of(0xff, 0xfe)), Fault)
    assert.throws(() => parseRelease(new Uint8Array(1024 * 1024)), Fault)
  })

  it('reads what sha256sum prints, and nothing else', () => {
    const sums = parseSums(utf8(`${sha}  release.json\n${sha} *b.raw\n`))
    assert.deepEqual([...sums.keys()], ['release.json', 'b.raw'])
    for (const text of [
      '',
      `${sha}  ../x\n`,
      `${sha} x\n`,
      `${sha}  x\n${sha}  x\n`,
      `${sha.slice(1)}  x\n`,
      `${sha}  x\n\n${sha}  y\n`,
      `${sha}  x\n`.repeat(300),
    ])
      assert.throws(() => parseSums(utf8(text)), Fault, text.slice(0, 80))
  })

  it('throws nothing but its own fault at whatever it is given', () => {
    const own = (run: () => unknown) => {
      try {
        run()
      } catch (error) {
        assert.ok(error instanceof Fault, String(error))
      }
    }
    fc.assert(
      fc.property(fc.json(), fc.uint8Array(), (json, noise) => {
        own(() => parseRelease(utf8(json)))
        own(() => parseRelease(noise))
        own(() => parseSums(noise))
        own(() => parseSums(utf8(json)))
      }),
    )
    const keys = fc.constantFrom(...Object.keys(sound))
    fc.assert(
      fc.property(keys, fc.jsonValue(), (key, value) =>
        own(() => parseRelease(bytes({ ...sound, [key]: value }))),
      ),
    )
  })

  it('takes no release for another machine, none that is older, and none too far ahead', () => {
    const why = (change: object, on = machine, options = {}) =>
      whyNot(parseRelease(bytes({ ...sound, ...change })), on, options)
    assert.equal(why({}), undefined)
    assert.match(why({ architecture: 'arm64' }) ?? '', /for arm64/)
    assert.match(why({ flavour: 'rpi' }) ?? '', /image "rpi"/)
    assert.match(why({ version: '0.1.0' }) ?? '', /version that runs/)
    assert.match(why({ version: '0.0.9' }) ?? '', /older than 0.1.0/)
    assert.equal(why({ version: '0.0.9' }, machine, { allowDowngrade: true }), undefined)
    assert.match(why({ minimum: '0.1.5' }) ?? '', /needs 0.1.5 first/)
    assert.match(why({ version: '0.1.0~rc9' }) ?? '', /older/)
  })
})

describe('R19 the order of versions', () => {
  it('puts numbers in order, and candidates before their version', () => {
    const inOrder = [
      '0.1.0~rc1',
      '0.1.0~rc2',
      '0.1.0~rc10',
      '0.1.0',
      '0.2.0',
      '0.10.0',
      '1.0.0~a1',
      '1.0.0',
    ]
    for (const [i, a] of inOrder.entries())
      for (const [j, b] of inOrder.entries())
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`)
  })

  it('knows what is none', () => {
    for (const text of [
      '',
      '1',
      '1.2',
      '1.2.3.4',
      'v1.2.3',
      '01.2.3',
      '1.2.3-rc1',
      '1.2.3~',
      '1.2.3 ',
      '1.2.-3',
    ])
      assert.equal(isVersion(text), false, text)
  })
})

describe('R19 the night', () => {
  const at = (clock: string) => new Date(`2026-03-01T${clock}:00`)

  it('is inside the window, over midnight too', () => {
    assert.equal(isNight(at('02:00'), '02:00-05:00'), true)
    assert.equal(isNight(at('05:00'), '02:00-05:00'), false)
    assert.equal(isNight(at('23:30'), '23:00-01:00'), true)
    assert.equal(isNight(at('00:59'), '23:00-01:00'), true)
    assert.equal(isNight(at('12:00'), '23:00-01:00'), false)
    assert.equal(isNight(at('12:00'), '00:00-00:00'), true)
  })

  it('comes today or tomorrow', () => {
    assert.deepEqual(nextNight(at('01:00'), '02:00-05:00'), at('02:00'))
    assert.equal(nextNight(at('12:00'), '02:00-05:00').getDate(), 2)
    assert.deepEqual(nextNight(at('03:00'), '02:00-05:00'), at('03:00'))
  })
})
