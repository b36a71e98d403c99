import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import readQr from 'jsqr'
import { verbs } from '../../../src/app/cli/verbs.ts'
import { run as runProgram, type RunResult } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'

const btlinkd = (...args: string[]): Promise<RunResult> =>
  runProgram(process.execPath, [join(ROOT, 'src/app/launch.mjs'), ...args], {
    timeoutMs: 20_000,
    env: { ...process.env, BTL_RUN_SOURCES: '1' },
  })

/** What a phone reads off the terminal: each half of a character is one module, drawn four pixels wide. */
function scanned(screen: string): string | undefined {
  const scale = 4
  const lines = screen.split('\n').filter((line) => /^[█▀▄ ]+$/.test(line))
  const columns = Math.max(...lines.map((line) => line.length))
  const [width, height] = [columns * scale, lines.length * 2 * scale]
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const module = Math.floor(y / scale)
      const drawn = lines[module >> 1]?.[Math.floor(x / scale)] ?? ' '
      const light = drawn === '█' || drawn === (module % 2 === 0 ? '▀' : '▄')
      pixels.fill(light ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3)
    }
  }
  return readQr.default(pixels, width, height)?.data
}

describe('the command line', () => {
  it('lists every verb, and explains each', async () => {
    const overview = await btlinkd('--help')
    assert.equal(overview.code, 0)
    for (const { name } of verbs) assert.match(overview.stdout, new RegExp(`^  ${name} `, 'm'))
    for (const { name } of verbs) {
      const { code, stdout } = await btlinkd(name, '--help')
      assert.equal(code, 0, name)
      assert.match(stdout, new RegExp(`btlinkd ${name}`))
    }
  })

  it('says nothing that steers a terminal, whoever gave it the words', async () => {
    const hostile = 'a\u001b[2Jb\u009b1mc\u0007d'
    const refused = await btlinkd(hostile)
    assert.match(refused.stderr, /there is no verb "a\?\[2Jb\?1mc\?d"/)
    const shown = await btlinkd(
      'magnet',
      `magnet:?xt=urn:btih:${'ab'.repeat(20)}`,
      '--state',
      hostile,
    )
    // oxlint-disable-next-line no-control-regex -- those are what a terminal obeys
    assert.doesNotMatch(shown.stdout + shown.stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
  })

  it('exits with 2 and one line that names the mistake', async () => {
    const mistakes: [string[], RegExp][] = [
      [['pubish'], /there is no verb "pubish"; did you mean "publish"\?/],
      [['publish', '/tmp', '--wach'], /publish has no flag --wach; did you mean --watch\?/],
      [['publish'], /publish takes 1 arguments, got 0/],
      [['convert', '--from', 'hex', '--to', 'base99', 'ff'], /--to is one of hex, base36/],
      [['key', 'lst'], /key has no "lst"/],
      [['key', 'import', 'x', 'abc'], /the seed is 64 hex digits/],
      [['serve', '--role', 'cook'], /there is no role "cook"/],
    ]
    for (const [args, expected] of mistakes) {
      const { code, stderr } = await btlinkd(...args)
      assert.equal(code, 2, args.join(' '))
      assert.match(stderr, expected)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    }
  })

  it('exits with 1 and says what to do where no daemon runs', async (t) => {
    const state = await tempFolder(t, 'nothing')
    for (const args of [['sites'], ['status'], ['get', `${'a'.repeat(40)}-ih.btlink`]]) {
      const { code, stderr } = await btlinkd(...args, '--state', state)
      assert.equal(code, 1, args.join(' '))
      assert.match(stderr, /no btlinkd runs on .*: start it with `btlinkd serve`/)
    }
    const file = join(state, 'file')
    await writeFile(file, '')
    for (const odd of [join(file, 'below'), join(state, 'long'.repeat(60))]) {
      const { code, stderr } = await btlinkd('status', '--state', odd)
      assert.equal(code, 1)
      assert.match(stderr, /^btlinkd status: no btlinkd runs on [^\n]*\n$/)
    }
  })

  it('exits with 78 on a configuration with mistakes, each with its place', async () => {
    const { code, stderr } = await btlinkd('config', 'check', join(ROOT, 'package.json'))
    assert.equal(code, 78)
    assert.match(stderr, /package\.json:\d+: \/name is not a known key/)
  })

  it('converts between the encodings of keys (F02, F03)', async () => {
    const hex = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
    const base36 = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
    assert.equal(
      (await btlinkd('convert', '--from', 'hex', '--to', 'base36', hex)).stdout.trim(),
      base36,
    )
    const back = await btlinkd('convert', '--from', 'base36', '--to', 'hex', base36, '--json')
    assert.deepEqual(JSON.parse(back.stdout), { value: hex, encoding: 'hex' })
  })

  it('turns names into magnets and back (D16, D17)', async () => {
    const infoHash = 'faeb1cb84ceba1f569c8312228cc4e7054b16eca'
    const magnet = (await btlinkd('magnet', `${infoHash}-ih.btlink`)).stdout.trim()
    assert.equal(magnet, `magnet:?xt=urn:btih:${infoHash}`)
    assert.equal((await btlinkd('magnet', magnet)).stdout.trim(), `${infoHash}-ih.btlink`)
    const key = '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e'
    const site = await btlinkd(
      'magnet',
      'n.3bkn7umqo2g90xy96r2wpyrlu5j7n6s8ii3eoz4ra5nv45hh6m-pk.btlink',
    )
    assert.equal(site.stdout.trim(), `magnet:?xs=urn:btpk:${key}&s=6e`)
  })

  it('makes, moves and keeps keys private', async (t) => {
    const state = await tempFolder(t, 'keys')
    const other = await tempFolder(t, 'other')
    const made = JSON.parse(
      (await btlinkd('key', 'new', 'a', '--state', state, '--json')).stdout,
    ) as { host: string }
    assert.equal((await stat(join(state, 'keys', 'a.key'))).mode & 0o777, 0o600)
    const seed = (await btlinkd('key', 'export', 'a', '--state', state)).stdout.trim()
    const moved = await btlinkd('key', 'import', 'b', seed, '--state', other, '--json')
    assert.equal((JSON.parse(moved.stdout) as { host: string }).host, made.host)
    assert.equal((await btlinkd('key', 'new', 'a', '--state', state)).code, 1)
    const shown = await btlinkd('key', 'export', 'a', '--qr', '--state', state)
    assert.equal(scanned(shown.stdout), seed)
  })

  it('finds telling names whose seed owns them (F04)', async (t) => {
    const state = await tempFolder(t, 'vanity')
    const found = await btlinkd(
      'key',
      'vanity',
      '1',
      '--seconds',
      '20',
      '--save',
      'v',
      '--state',
      state,
      '--json',
    )
    assert.match((JSON.parse(found.stdout) as { host: string }).host, /^1[0-9a-z]+-pk\.btlink$/)
  })
})
