/** A whole daemon among faults that a household's box meets; each leaves it serving, or it comes back by itself. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type Socket, connect } from 'node:net'
import { basename, join } from 'node:path'
import { env } from 'node:process'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  createTestDaemon,
  type DaemonOptions,
  type TestDaemon,
  writeSite,
} from '../support/daemon.ts'
import { DIG } from '../support/dns-servers.ts'
import { missing, output, run } from '../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'
import { MKFS } from '../support/uml.ts'
import { until } from '../support/until.ts'

const MOUNT = '/usr/bin/mount'
const PRLIMIT = '/usr/bin/prlimit'
const WRK = '/usr/bin/wrk'
const KILLS = Number(env['BTL_KILLS'] ?? 15)
const SOAK_SECONDS = Number(env['BTL_SOAK_SECONDS'] ?? 30)
const skip =
  process.getuid?.() === 0 ? missing(MOUNT, MKFS, PRLIMIT, WRK, DIG) : 'mounting needs root'

interface Site {
  host: string
  seq: number
  infoHash: string
}

const PAGE = 'a page of the house'

async function publish(box: TestDaemon, folder: string): Promise<Site> {
  return (await box.json('publish', folder, '--key', 'home', '--no-dht-wait')) as unknown as Site
}

async function withSite(
  t: Cleanup,
  options: DaemonOptions = {},
): Promise<{ box: TestDaemon; folder: string; site: Site }> {
  const folder = await tempFolder(t, 'site')
  await writeSite(folder, { 'index.html': PAGE })
  const box = await createTestDaemon(t, options)
  return { box, folder, site: await publish(box, folder) }
}

const serves = async (box: TestDaemon, site: Site): Promise<boolean> =>
  (await box.get(site.host, '/', { maxSeconds: 3 })).text() === PAGE

/** What the box's resolver says of a name it knows by itself. */
async function names(box: TestDaemon): Promise<boolean> {
  const args = ['@127.0.0.1', '-p', String(box.port('dns')), '+tries=1', '+time=2']
  const { stdout } = await run(DIG, [...args, 'setup.btlink', 'A'])
  return stdout.includes('status: NOERROR')
}

async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

async function residentKb(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}

/** A state folder on an ext4 of its own. */
async function ownDisk(t: Cleanup, megabytes: number): Promise<string> {
  const folder = await tempFolder(t, 'disk')
  const image = join(folder, 'disk.img')
  const mounted = join(folder, 'mnt')
  await mkdir(mounted)
  await output('/usr/bin/truncate', ['-s', `${megabytes}M`, image])
  await output(MKFS, ['-q', '-F', '-m', '0', image])
  await output(MOUNT, ['-o', 'loop,noatime,errors=remount-ro', image, mounted])
  finallyDo(t, async () => void (await output('/usr/bin/umount', ['-l', mounted])))
  return mounted
}

const small = { storage: { min_free: '2MB' } }

describe('a daemon in trouble', { skip }, () => {
  it('on a disk without a byte serves and answers, says why it writes nothing, and goes on when there is room', async (t) => {
    const disk = await ownDisk(t, 64)
    const state = join(disk, 'state')
    const { box, folder, site } = await withSite(t, { state, config: small })
    await run('/usr/bin/dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=64k'])
    await run('/usr/bin/dd', ['if=/dev/zero', `of=${join(disk, 'rest')}`, 'bs=1k'])
    assert.ok(await serves(box, site))
    assert.ok(await names(box))
    await writeSite(folder, { 'more.html': 'x'.repeat(300_000) })
    const refused = await box.cli('publish', folder, '--key', 'home')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /space|full/)
    const socket = join(state, 'run/admin.sock')
    const body = JSON.stringify({ folder, key: 'home' })
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket', socket]
    const post = ['-H', 'content-type: application/json', '-d', body]
    const status = await output('/usr/bin/curl', [
      ...args,
      ...post,
      'http://localhost/api/sites/publish',
    ])
    assert.equal(status, '507')
    const web = await box.rolePid('web')
    assert.ok(web)
    process.kill(web, 'SIGKILL')
    await until('pages after a start on the full disk', () => serves(box, site))
    assert.ok(await names(box))
    await rm(join(disk, 'filler'))
    const again = await until('room', () => publish(box, folder))
    assert.ok(again.seq > site.seq)
  })

  it('on a disk that turns read-only serves and answers, and says so of every write', async (t) => {
    const disk = await ownDisk(t, 64)
    const { box, folder, site } = await withSite(t, { state: join(disk, 'state'), config: small })
    // What a card does that finds itself broken: the kernel lets nobody write any more (ext4(5) errors=).
    const device = (await output('/usr/bin/findmnt', ['-no', 'SOURCE', disk])).trim()
    await writeFile(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'a test')
    await assert.rejects(writeFile(join(disk, 'no'), ''), { code: 'EROFS' })
    assert.ok(await serves(box, site))
    assert.ok(await names(box))
    await writeSite(folder, { 'more.html': 'more' })
    const refused = await box.cli('publish', folder, '--key', 'home')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /EROFS|EIO|cannot|I\/O/)
  })

  it('without a file descriptor left answers names, and pages again once there are some', async (t) => {
    const { box, site } = await withSite(t)
    const web = await box.rolePid('web')
    assert.ok(web)
    // Its soft limit alone: nobody may raise the hard one again.
    const limit = (await openFiles(web)) + 12
    await output(PRLIMIT, ['--pid', String(web), `--nofile=${limit}:`])
    const sockets: Socket[] = []
    for (let one = 0; one < 300; one++) {
      const socket = connect(box.port('http'), '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
    }
    await sleep(1000)
    assert.ok(await names(box))
    for (const socket of sockets) socket.destroy()
    await until('pages', () => serves(box, site))
    assert.equal(await box.rolePid('web'), web, 'the role lived through it')
  })

  it('answers every name under ten times the load it can serve, and nothing dies', async (t) => {
    const { box, site } = await withSite(t)
    const before = await Promise.all(['dns', 'swarm', 'web'].map((role) => box.rolePid(role)))
    const url = `http://127.0.0.1:${box.port('http')}/`
    const flood = run(WRK, [
      '-t2',
      '-c400',
      '-d6s',
      '--timeout',
      '5s',
      '-H',
      `Host: ${site.host}`,
      url,
    ])
    let [asked, answered] = [0, 0]
    for (const end = Date.now() + 5000; Date.now() < end; asked++) if (await names(box)) answered++
    const { stdout } = await flood
    t.diagnostic(
      `${asked} names asked, ${answered} answered; ${/Requests\/sec.*/.exec(stdout)?.[0]}`,
    )
    assert.equal(answered, asked)
    await until('pages', () => serves(box, site))
    const after = await Promise.all(['dns', 'swarm', 'web'].map((role) => box.rolePid(role)))
    assert.deepEqual(after, before)
  })

  it(`comes back after each of ${KILLS} kills of a role, with its site and its next number`, async (t) => {
    const { box, folder, site } = await withSite(t)
    let { seq } = site
    const took: number[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const role = ['web', 'swarm', 'dns'][kill % 3] ?? 'web'
      const former = await until(`the ${role} role`, () => box.rolePid(role))
      const startedAt = performance.now()
      process.kill(former, 'SIGKILL')
      await until(
        `${role} after kill ${kill + 1}`,
        async () => {
          const pid = await box.rolePid(role)
          return pid !== undefined && pid !== former && (await serves(box, site)) && names(box)
        },
        { timeoutMs: 30_000 },
      )
      took.push(performance.now() - startedAt)
      if (kill % 5 !== 0) continue
      await writeFile(join(folder, 'n.html'), `${kill}`)
      const next = await until('a publication', () => publish(box, folder))
      assert.ok(next.seq > seq, `${next.seq} after ${seq}`)
      ;({ seq } = next)
    }
    const sorted = took.toSorted((a, b) => a - b)
    t.diagnostic(
      `back after ${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms (median), ${Math.round(sorted.at(-1) ?? 0)} ms (worst)`,
    )
  })

  it(`R23 grows in nothing over ${SOAK_SECONDS} s of everything at once`, async (t) => {
    const { box, folder, site } = await withSite(t)
    const roles = ['dns', 'swarm', 'web'] as const
    const work = async (seconds: number): Promise<void> => {
      for (let end = Date.now() + seconds * 1000, n = 0; Date.now() < end; n++) {
        assert.ok(await serves(box, site))
        assert.ok(await names(box))
        await box.get('no-such-name.btlink', '/', { maxSeconds: 5 })
        if (n % 40 === 0) {
          await writeFile(join(folder, 'n.html'), `${n} ${end}`)
          await publish(box, folder)
        }
      }
    }
    const measured = async (): Promise<{ files: number; kb: number }[]> =>
      Promise.all(
        roles.map(async (role) => {
          const pid = (await box.rolePid(role)) ?? 0
          return { files: await openFiles(pid), kb: await residentKb(pid) }
        }),
      )
    await work(Math.max(8, SOAK_SECONDS / 3))
    const before = await measured()
    await work((SOAK_SECONDS * 2) / 3)
    await sleep(1000)
    const after = await measured()
    for (const [index, role] of roles.entries()) {
      const [was, is] = [before[index], after[index]]
      assert.ok(was && is)
      t.diagnostic(`${role}: ${was.kb} to ${is.kb} KB, ${was.files} to ${is.files} files`)
      assert.ok(is.files <= was.files + 12, `${role} holds ${is.files} files, ${was.files} before`)
      assert.ok(is.kb <= was.kb * 1.15 + 24_000, `${role}: ${is.kb} KB, ${was.kb} KB before`)
    }
    assert.doesNotMatch(box.output(), /nobody handled a rejection/)
  })
})
