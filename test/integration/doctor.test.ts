/** A whole box, broken in more than ten ways, and what the doctor says and mends. */
import assert from 'node:assert/strict'
import { chmod, chown, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { DoctorReport, Result } from '../../src/services/doctor/index.ts'
import { curl } from '../support/curl.ts'
import { createTestDaemon, type TestDaemon, writeSite } from '../support/daemon.ts'
import { type Box, household, withoutNetns } from '../support/household.ts'
import { missing, output, start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const BUSYBOX = '/usr/bin/busybox'
const IP = '/usr/sbin/ip'
const DAY_MS = 86_400_000

interface Seen extends DoctorReport {
  code: number | null
  of: (id: string) => Result
  fixed: { id: string; done?: string; failed?: string }[]
}

/** What a person types; the daemon may run or not. */
async function doctor(daemon: TestDaemon, ...args: string[]): Promise<Seen> {
  const config = join(daemon.state, '..', 'btlinkd.yaml')
  const { code, stdout, stderr } = await daemon.cli('doctor', '--json', '--config', config, ...args)
  if (stdout === '') throw new Error(stderr)
  const report = JSON.parse(stdout) as Seen
  const of = (id: string): Result => {
    const found = report.results.find((one) => one.id === id)
    if (!found) throw new Error(`no ${id} in ${stdout}`)
    return found
  }
  return { ...report, code, of, fixed: report.fixed ?? [] }
}

async function boxOf(t: TestContext, config: Record<string, Record<string, unknown>> = {}) {
  const [box, router] = (await household(t, 'box', 'router')) as [Box, Box]
  await output(IP, ['-n', box.netns, 'route', 'add', 'default', 'via', router.address])
  const daemon = await createTestDaemon(t, {
    netns: box.netns,
    config: {
      dns: { port: 0, wpad: true },
      upstream: { servers: [router.address], timeout: '500ms', try_timeout: '200ms' },
      ...config,
    },
  })
  return { box, router, daemon }
}

const statesOf = ({ results }: DoctorReport, ...states: string[]) =>
  results
    .filter(({ state }) => states.includes(state))
    .map(({ id }) => id)
    .sort()

describe('btlinkd doctor', { skip: withoutNetns() || missing(BUSYBOX) }, () => {
  it('names what is broken in a box that runs, mends what it can, and loses nothing (P04, P05, P07)', async (t) => {
    const { box, router, daemon } = await boxOf(t)
    const { state } = daemon
    const folder = join(await tempFolder(t, 'btl-site'), 'site')
    await writeSite(folder, { 'index.html': '<h1>hello</h1>' })
    await daemon.json('publish', folder, '--no-dht-wait')
    const well = await doctor(daemon)
    const known = [
      'state-writable',
      'disk-space',
      'config',
      'state-owner',
      'secrets-closed',
      'keys',
      'database',
      'store',
      'sockets',
      'leftovers',
      'roles',
      'gateway',
      'address',
      'dns',
      'wpad',
      'dns-loop',
      'gateway-page',
      'files-open',
      'ports',
      'dht',
    ]
    for (const id of known) assert.equal(well.of(id).state, 'ok', `${id}: ${well.of(id).line}`)
    // The router answers no DNS in this house.
    assert.deepEqual(statesOf(well, 'failed'), ['upstreams'])
    assert.equal(well.code, 1)
    assert.ok(well.results.length >= 50)

    // One: a key that others read.
    const [key = ''] = await readdir(join(state, 'keys'))
    const secret = await readFile(join(state, 'keys', key))
    await chmod(join(state, 'keys', key), 0o644)
    // Two: a file that root made.
    await chown(state, 4321, 4321)
    // Three: what a crash left.
    const left = join(state, 'store', 'blobs', '.put-abcdefghijkl')
    await writeFile(left, 'half')
    await utimes(left, new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - 2 * DAY_MS))
    // Four: a bit.
    const [shelf = ''] = (await readdir(join(state, 'store', 'blobs'))).filter(
      (name) => name.length === 2,
    )
    const [blob = ''] = await readdir(join(state, 'store', 'blobs', shelf))
    const path = join(state, 'store', 'blobs', shelf, blob)
    await chmod(path, 0o644)
    const file = await open(path, 'r+')
    await file.write(Buffer.from('X'), 0, 1, 2)
    await file.close()
    // Five: the address. Six: the router.
    const inside = (...args: string[]) => output(IP, ['-n', box.netns, ...args])
    await inside('address', 'del', `${box.address}/24`, 'dev', 'eth0')
    await inside('address', 'add', '10.77.0.99/24', 'dev', 'eth0')
    await inside('route', 'add', 'default', 'via', '10.77.0.77')
    // Seven: the resolver hangs.
    const dns = await daemon.rolePid('dns')
    process.kill(dns ?? -1, 'SIGSTOP')
    // Eight: a publishing key cut short.
    await writeFile(join(state, 'keys', 'other.key'), 'ab', { mode: 0o600 })

    const broken = await doctor(daemon)
    const failed = ['dns', 'gateway', 'keys', 'secrets-closed', 'state-owner', 'store', 'wpad']
    for (const id of failed)
      assert.equal(broken.of(id).state, 'failed', `${id}: ${broken.of(id).line}`)
    for (const id of ['leftovers', 'address'])
      assert.equal(broken.of(id).state, 'warning', broken.of(id).line)
    assert.match(
      broken.of('address').line,
      new RegExp(`was ${box.address}, and is 10\\.77\\.0\\.99`),
    )
    assert.ok(broken.of('dns').remedy)
    assert.equal(broken.results[0]?.severity, 'house')
    assert.equal(broken.code, 1)

    process.kill(dns ?? -1, 'SIGCONT')
    await inside('route', 'replace', 'default', 'via', router.address)
    const mended = await doctor(daemon, '--fix')
    assert.deepEqual(
      mended.fixed
        .filter((one) => one.done !== undefined)
        .map(({ id }) => id)
        .sort(),
      ['address', 'leftovers', 'state-modes', 'store'],
    )
    for (const id of [
      'dns',
      'gateway',
      'secrets-closed',
      'state-owner',
      'store',
      'leftovers',
      'address',
    ]) {
      assert.equal(mended.of(id).state, 'ok', `${id}: ${mended.of(id).line}`)
    }
    // What only a backup can mend stays told.
    assert.equal(mended.of('keys').state, 'failed')
    assert.deepEqual(await readFile(join(state, 'keys', key)), secret)
    assert.equal((await stat(join(state, 'keys', key))).uid, 4321)
    const again = await doctor(
      daemon,
      '--fix',
      '--only',
      'state-owner,secrets-closed,store,leftovers,address',
    )
    assert.deepEqual(
      again.fixed.filter((one) => one.done !== undefined),
      [],
    )
  })

  it('is asked over the API, which says the same and mends the same', async (t) => {
    const { box, daemon } = await boxOf(t)
    const socket = join(daemon.state, 'run', 'admin.sock')
    const api = (...args: string[]) =>
      output('/usr/bin/curl', ['-sS', '--unix-socket', socket, ...args])
    const only = '/api/doctor?only=database,database-size,store,roles'
    const report = JSON.parse(await api(`http://localhost${only}`)) as DoctorReport
    assert.deepEqual(report.results.map(({ id, state }) => `${id} ${state}`).sort(), [
      'database ok',
      'database-size ok',
      'roles ok',
      'store ok',
    ])
    const fixed = JSON.parse(
      await api('-X', 'POST', 'http://localhost/api/doctor/fix/database'),
    ) as { done: string }
    assert.match(fixed.done, /^gave .* back$/)
    const folder = join(await tempFolder(t, 'btl-site'), 'site')
    await writeSite(folder, { 'index.html': '<h1>hello</h1>' })
    const { seq, host } = await daemon.json('publish', folder, '--no-dht-wait')
    const put = JSON.parse(await api('-X', 'POST', 'http://localhost/api/doctor/fix/announce')) as {
      done: string
    }
    // The welcome site is one of them; no number is used up by it.
    assert.match(put.done, /^put [12] records again$/)
    const { versions } = (await daemon.json('versions', String(host))) as {
      versions: { seq: number }[]
    }
    assert.deepEqual(
      versions.map((one) => one.seq),
      [seq],
    )
    for (const [path, code] of [
      ['/api/doctor?only=nonsense', 'BTL_ERR_DOCTOR_NO_CHECK'],
      ['/api/doctor?nonsense=1', ''],
      ['/api/doctor?only=a/../b', ''],
    ] as const) {
      const refused = JSON.parse(await api('-X', 'GET', `http://localhost${path}`)) as {
        code: string
      }
      assert.ok(
        refused.code.startsWith(code === '' ? 'BTL_ERR' : code) || refused.code.startsWith('FST'),
        refused.code,
      )
    }
    const nothing = JSON.parse(
      await api('-X', 'POST', 'http://localhost/api/doctor/fix/nonsense'),
    ) as { code: string }
    assert.equal(nothing.code, 'BTL_ERR_DOCTOR_NO_FIX')
    const whole = JSON.parse(await api('http://localhost/api/doctor')) as DoctorReport
    assert.ok(whole.results.length >= 50)
    const metrics = await api('http://localhost/metrics')
    assert.match(metrics, new RegExp(`^doctor_failed ${whole.failed}$`, 'm'))
    assert.match(metrics, new RegExp(`^doctor_ok ${whole.ok}$`, 'm'))
    const stranger = await curl(`http://${box.address}:${daemon.port('gateway')}/api/doctor`, {
      netns: box.netns,
    })
    assert.equal(stranger.status, 403)
  })

  it('says what a box suffers from that does not start, and brings its configuration back (R26)', async (t) => {
    const { box, daemon } = await boxOf(t, { proxy: { http_port: 42080, https_port: 0 } })
    const config = join(daemon.state, '..', 'btlinkd.yaml')
    const good = await readFile(config, 'utf8')
    await doctor(daemon, '--only', 'config')
    daemon.kill('SIGKILL')
    const bound = async () => (await doctor(daemon, '--only', 'roles')).of('roles').line
    await until('the daemon to be gone', async () => (await bound()) === 'the daemon does not run')
    await writeFile(config, `${good}\nmode: [unified`)
    const thief = start(t, BUSYBOX, ['nc', '-l', '-p', '42080'], { netns: box.netns })
    const broken = await until('the port to be taken', async () => {
      const seen = await doctor(daemon, '--only', 'config,ports,roles,sockets,gateway-page')
      return seen.of('config').state === 'failed' && seen.of('ports').state === 'failed'
        ? seen
        : undefined
    })
    assert.match(broken.of('config').line, /btlinkd\.yaml:\d+/)
    assert.match(
      broken.of('ports').line,
      new RegExp(
        `^proxy\\.http_port 42080/tcp is taken by (?:nc|busybox) \\(process ${thief.pid}\\)`,
      ),
    )
    assert.equal(broken.of('roles').state, 'failed')
    assert.equal(broken.of('sockets').state, 'warning')

    const mended = await doctor(daemon, '--fix', '--only', 'config,sockets,ports')
    assert.deepEqual(mended.fixed.map(({ id, failed }) => `${id} ${failed}`).sort(), [
      'config undefined',
      'sockets undefined',
    ])
    assert.equal(mended.of('config').state, 'ok')
    assert.equal(mended.of('sockets').state, 'ok')
    assert.equal(mended.of('ports').state, 'failed')
    assert.equal(await readFile(config, 'utf8'), good)
    assert.equal(
      (await readdir(join(daemon.state, '..'))).filter((name) => name.includes('.broken-')).length,
      1,
    )
    await thief.stop()
    await daemon.restart()
    assert.equal((await doctor(daemon, '--only', 'roles,ports')).code, 0)
  })

  it('lists its checks and fixes, and refuses one that is none', async (t) => {
    const { daemon } = await boxOf(t)
    const list = (await daemon.json('doctor', '--list')) as {
      checks: { id: string; why: string; remedy: string; fix?: string }[]
      fixes: { id: string; does: string }[]
    }
    assert.ok(list.checks.length >= 30 && list.fixes.length >= 10)
    for (const { id, why, remedy, fix } of list.checks) {
      assert.ok(why.length > 10 && remedy.length > 10, id)
      assert.ok(fix === undefined || list.fixes.some((one) => one.id === fix), `${id} names ${fix}`)
    }
    assert.equal(new Set(list.checks.map(({ id }) => id)).size, list.checks.length)
    for (const { id } of list.fixes)
      assert.ok(
        list.checks.some(({ fix }) => fix === id),
        `${id} is of no use`,
      )
    const { code, stderr } = await daemon.cli('doctor', '--only', 'nonsense')
    assert.equal(code, 1)
    assert.match(stderr, /there is no check "nonsense"/)
    const text = await daemon.cli('doctor', '--only', 'roles,keys')
    assert.equal(text.code, 0, text.stderr)
    assert.match(text.stdout, /^ok +roles +dns, swarm, web run$/m)
  })
})
