/**
 * The whole suite: static checks, then every test. `npm test -- --only dht` runs the test files whose
 * path has that word and no checks; `--checks` runs the checks alone. Exits 0 only when all passed.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { arch, argv, env, execPath, exit, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
const pinnedNode = join(root, 'node_modules', `node-linux-${arch}`, 'bin', 'node')
const node = existsSync(pinnedNode) ? pinnedNode : execPath

// A test that hangs fails its file after this long; the whole run has its own limit in CI.
const FILE_TIMEOUT_MS = 180_000
// Those that build and boot whole machines.
const MACHINE_TIMEOUT_MS = 1_200_000
// The image is built and started for ten minutes, and all of CI has thirty: on a machine so slow that
// the rest took more than this, it is left out, and the run says so.
const IMAGE_BEFORE_MS = 16 * 60_000
const IMAGE = 'test/appliance/image.test.ts'
const CONCURRENCY = 2
// Network namespaces, browsers, other clients and whole daemons wait more than they work; beside what
// works all the time their patience would not do.
const DAEMONS = /^test\/(netns|integration)\/|(interop|chromium|firefox|browser|clients)[^/]*$/

// What builds, boots and cuts off machines of its own.
const MACHINES = /^test\/appliance\//

const checks = [
  ['format', ['biome', 'format', 'src', 'test', 'bench', 'image', '.ci']],
  ['types', ['tsc', '-p', 'tsconfig.json', '--noEmit']],
  ['lint', ['npm', 'run', '--silent', 'lint']],
  ['rings', ['depcruise', 'src', '--config', '.dependency-cruiser.cjs']],
  ['dead code', ['knip']],
]

/** Runs one command; resolves to its output and whether it succeeded. */
function run(command, args, { show }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: {
        ...env,
        PATH: `${bin}${delimiter}${env.PATH ?? ''}`,
        // Thousands of processes read the same sources: Node keeps what it made of them.
        NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    const keep = (chunk) => {
      text += chunk
      if (show) stdout.write(chunk)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => resolve({ ok: false, text: `${text}${error.message}\n` }))
    child.once('close', (code) => resolve({ ok: code === 0, text }))
  })
}

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`

async function check([name, [command, ...args]]) {
  const since = Date.now()
  const { ok, text } = await run(command, args, { show: false })
  // The cruiser says how many modules it saw: an empty run must not look like a clean one.
  const seen = /\((\d+ modules, \d+ dependencies)/.exec(text)?.[1]
  stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds(since)}${seen ? `, ${seen}` : ''})\n`)
  if (!ok) stdout.write(`${text.trimEnd()}\n`)
  return { name, ok }
}

function testFiles(word) {
  return readdirSync(join(root, 'test'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => word === undefined || file.includes(word))
    .sort()
}

/** Runs test files; resolves to the counts of node:test's closing lines. */
async function test(name, files, timeoutMs = FILE_TIMEOUT_MS) {
  if (files.length === 0) return { name, ok: true, counts: {} }
  stdout.write(`\n== ${name}: ${files.length} files, ${CONCURRENCY} at a time\n`)
  const since = Date.now()
  const args = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${timeoutMs}`,
    ...files,
  ]
  const { ok, text } = await run(node, args, { show: true })
  const counts = {}
  for (const [, key, value] of text.matchAll(/^ℹ (\w+) (\d+)/gm)) counts[key] = Number(value)
  stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds(since)})\n`)
  return { name, ok: ok && counts.tests > 0, counts }
}

const flags = argv.slice(2)
const word = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined
const started = Date.now()
// CI counts what was installed before as well.
const since = Number(env['BTL_CI_SINCE'] ?? 0) * 1000 || started
const results = []
if (word === undefined) for (const one of checks) results.push(await check(one))
if (!flags.includes('--checks')) {
  const files = testFiles(word)
  if (files.length === 0) results.push({ name: `tests named "${word}"`, ok: false })
  const machines = files.filter((file) => MACHINES.test(file) && file !== IMAGE)
  const daemons = files.filter((file) => DAEMONS.test(file) && !MACHINES.test(file))
  const others = files.filter((file) => !DAEMONS.test(file) && !MACHINES.test(file))
  results.push(await test('tests', others))
  results.push(await test('tests of whole daemons', daemons))
  const isLate = Date.now() - since > IMAGE_BEFORE_MS
  if (isLate) stdout.write(`\nLEFT OUT: ${IMAGE}, for want of time: npm run proof:image\n`)
  // The longest one first: the others go by beside it.
  const image = files.filter((file) => file === IMAGE && !isLate)
  results.push(await test('tests of whole machines', [...image, ...machines], MACHINE_TIMEOUT_MS))
}

const failed = results.filter((result) => !result.ok)
stdout.write(
  `\n${failed.length === 0 ? 'all passed' : `FAILED: ${failed.map((f) => f.name).join(', ')}`}`,
)
stdout.write(` in ${seconds(started)}\n`)
// Closes as node:test does, over both runs, for whatever reads these lines.
for (const key of ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo']) {
  stdout.write(`ℹ ${key} ${results.reduce((sum, { counts }) => sum + (counts?.[key] ?? 0), 0)}\n`)
}
stdout.write(`ℹ duration_ms ${Date.now() - started}\n`)
exit(failed.length === 0 ? 0 : 1)
