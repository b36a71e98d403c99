import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, cp, mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { output, start } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { openPki, siteHost } from './open-pki.ts'

const WRITER = join(import.meta.dirname, 'writer-child.ts')
const STARTER = join(import.meta.dirname, 'start-child.ts')
const ROUNDS = 12

const unfinishedIn = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((entry) => /\.new-[0-9a-f]+$/.test(entry))

describe('a process killed while it makes authorities', () => {
  it('leaves nothing or all of each, and never loses one it acknowledged', async (t) => {
    let made = 0
    let cut = 0
    for (let round = 0; round < ROUNDS; round++) {
      const folder = await tempFolder(t)
      const writer = start(t, process.execPath, [WRITER, folder])
      await writer.line((line) => line === 'ready')
      await sleep(5 + Math.random() * 300)
      writer.kill('SIGKILL')
      await writer.exited
      const acknowledged = new Map<string, string[]>()
      for (const line of writer.output().split('\n')) {
        const [number = '', hash] = line.split(' ')
        if (hash) acknowledged.set(number, [...(acknowledged.get(number) ?? []), hash])
      }
      for (const number of await readdir(folder)) {
        const place = join(folder, number)
        cut += (await unfinishedIn(place)).length
        const known = acknowledged.get(number) ?? []
        const { pki, logged } = await openPki(t, { folder: place })
        const now = (await pki.root()).sha256
        const all = [now, ...(await pki.former('names')).map((root) => root.sha256)]
        const last = known.at(-1)
        if (last !== undefined) assert.ok(all.slice(0, 2).includes(last as typeof now), 'lost')
        await pki.leaf(siteHost(1))
        assert.doesNotMatch(logged.join('\n'), /damaged|error/i)
        made++
      }
    }
    assert.ok(made >= ROUNDS, `looked at ${made} authorities only`)
    t.diagnostic(`${made} authorities, ${cut} of them cut short`)
  })
})

describe('starts at the same moment', () => {
  it('agree on one authority, in one process', async (t) => {
    for (let round = 0; round < 5; round++) {
      const folder = await tempFolder(t)
      const opened = await Promise.all(Array.from({ length: 4 }, () => openPki(t, { folder })))
      const roots = await Promise.all(opened.map(({ pki }) => pki.root()))
      assert.equal(new Set(roots.map(({ sha256 }) => sha256)).size, 1)
      assert.deepEqual(await readdir(join(folder, 'names', 'btlink')), ['1'])
    }
  })

  it('agree on one authority, in several processes', async (t) => {
    const folder = join(await tempFolder(t), 'pki')
    const starts = Array.from({ length: 4 }, () => output(process.execPath, [STARTER, folder]))
    const hashes = (await Promise.all(starts)).map((text) => JSON.parse(text) as { sha256: string })
    assert.equal(new Set(hashes.map(({ sha256 }) => sha256)).size, 1)
    assert.deepEqual(await unfinishedIn(folder), [])
  })

  it('do not both replace it: one of two changes is refused', async (t) => {
    const folder = await tempFolder(t)
    const [one, other] = [await openPki(t, { folder }), await openPki(t, { folder })]
    const outcomes = await Promise.allSettled([one.pki.rotate('names'), other.pki.rotate('names')])
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    for (const { reason } of lost)
      assert.equal((reason as { code: string }).code, 'BTL_ERR_PKI_CHANGED')
    const { pki } = await openPki(t, { folder })
    const [former] = await pki.former('names')
    assert.ok(former)
    assert.equal((await pki.former('names')).length, 2 - lost.length)
    assert.deepEqual(await unfinishedIn(folder), [])
  })
})

describe('a broken folder', () => {
  const place = (folder: string) => join(folder, 'names', 'btlink', '1')
  const file = (folder: string, name: string) => join(place(folder), name)
  const breakages: [what: string, breaking: (folder: string) => Promise<unknown>][] = [
    ['an empty root', (f) => writeFile(file(f, 'root.pem'), '')],
    [
      'a root of two megabytes',
      (f) => writeFile(file(f, 'root.pem'), Buffer.alloc(2_000_000, 'A')),
    ],
    [
      'a folder in place of the root',
      async (f) => {
        await rm(file(f, 'root.pem'))
        await mkdir(file(f, 'root.pem'))
      },
    ],
    [
      'a pipe in place of the root',
      async (f) => {
        await rm(file(f, 'root.pem'))
        execFileSync('/usr/bin/mkfifo', [file(f, 'root.pem')])
      },
    ],
    [
      'no file',
      async (f) => {
        await rm(place(f), { recursive: true })
        await mkdir(place(f))
      },
    ],
    [
      'a file in place of the authority',
      async (f) => {
        await rm(place(f), { recursive: true })
        await writeFile(place(f), 'x')
      },
    ],
    [
      'no key',
      async (f) => {
        for (const index of [1, 2, 3]) await rm(file(f, `intermediate-${index}.key`))
      },
    ],
  ]
  for (const [what, breaking] of breakages) {
    it(`with ${what} fails the leaf and not the start, until there is a new root`, async (t) => {
      const { folder } = await openPki(t)
      await breaking(folder)
      const { pki, logged } = await openPki(t, { folder })
      await assert.rejects(pki.leaf(siteHost(1)), {
        code: 'BTL_ERR_PKI_NOT_READY',
        statusCode: 503,
      })
      await assert.rejects(pki.root(), { code: 'BTL_ERR_PKI_NOT_READY' })
      assert.equal((await pki.health()).status, 'down')
      assert.match(logged.join('\n'), /error no certificate authority/)
      await pki.rotate('names')
      await pki.leaf(siteHost(1))
      assert.equal((await pki.health()).status, 'ok')
    })
  }

  it('with a damaged key in use goes on with a spare of the same root', async (t) => {
    const { folder, pki } = await openPki(t)
    const { sha256 } = await pki.root()
    await writeFile(file(folder, 'intermediate-1.key'), 'not a key')
    const again = await openPki(t, { folder })
    assert.equal((await again.pki.root()).sha256, sha256)
    await again.pki.leaf(siteHost(1))
    assert.equal((await again.pki.health()).score, 80)
    assert.match(again.logged.join('\n'), /warn a spare intermediate is used/)
  })

  it('that was mended is used after five seconds, without a restart', async (t) => {
    const { folder } = await openPki(t)
    const backup = join(await tempFolder(t), 'copy')
    await cp(place(folder), backup, { recursive: true })
    await writeFile(file(folder, 'root.pem'), '')
    const { pki, clock, logged } = await openPki(t, { folder })
    await cp(backup, place(folder), { recursive: true })
    await assert.rejects(pki.leaf(siteHost(1)), { code: 'BTL_ERR_PKI_NOT_READY' })
    assert.equal(logged.length, 1, 'the disk is not asked at every handshake')
    clock.at += 5000
    await pki.leaf(siteHost(1))
  })

  it('that stays broken is told once, not every five seconds', async (t) => {
    const { folder } = await openPki(t)
    await writeFile(file(folder, 'root.pem'), '')
    const { pki, clock, logged } = await openPki(t, { folder })
    for (let i = 0; i < 5; i++) {
      clock.at += 5000
      await assert.rejects(pki.leaf(siteHost(1)), { code: 'BTL_ERR_PKI_NOT_READY' })
    }
    assert.equal(logged.length, 1)
  })

  it('that is no folder at all fails the leaf', async (t) => {
    const folder = join(await tempFolder(t), 'file')
    await writeFile(folder, '')
    const { pki } = await openPki(t, { folder })
    await assert.rejects(pki.leaf(siteHost(1)), /cannot keep a certificate authority.*\(ENOTDIR\)/)
  })

  it('is rid of what an old crash left, and of nothing that is being made', async (t) => {
    const { folder, pki } = await openPki(t)
    const shelf = join(folder, 'names', 'btlink')
    const old = join(shelf, `.new-${'0'.repeat(16)}`)
    const fresh = join(shelf, `.new-${'1'.repeat(16)}`)
    for (const made of [old, fresh]) await mkdir(made)
    await writeFile(join(old, 'root.pem'), 'x')
    await utimes(old, 0, 0)
    await pki.rotate('names')
    const entries = await readdir(shelf)
    assert.deepEqual(entries.sort(), [`.new-${'1'.repeat(16)}`, '1', '2'])
  })
})

function needsMount(): string | false {
  try {
    const args = ['--mount', '/usr/bin/mount', '-t', 'tmpfs', 'none', '/mnt']
    execFileSync('/usr/bin/unshare', args, { stdio: 'ignore' })
    return false
  } catch {
    const what = 'needs root and the right to mount a tmpfs'
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(what)
    return what
  }
}

/** A disk of its own with room for a few files. */
async function smallDisk(t: Cleanup): Promise<string> {
  const folder = await tempFolder(t)
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=16k', 'btl-pki-disk', folder])
  finallyDo(t, () => void execFileSync('/usr/bin/umount', ['-l', folder]))
  return folder
}

describe('a disk', { skip: needsMount() }, () => {
  it('that is full gets no half authority, and a whole one when there is room', async (t) => {
    const disk = await smallDisk(t)
    const { pki, clock, logged } = await openPki(t, { folder: join(disk, 'pki') })
    await assert.rejects(pki.leaf(siteHost(1)), /cannot keep a certificate authority.*\(ENOSPC\)/)
    assert.match(logged.join('\n'), /ENOSPC/)
    const left = await readdir(disk, { recursive: true, withFileTypes: true })
    assert.deepEqual(
      left.filter((entry) => entry.isFile()),
      [],
    )
    execFileSync('/usr/bin/mount', ['-o', 'remount,size=1m', disk])
    clock.at += 5000
    await pki.leaf(siteHost(1))
  })

  it('that cannot be written keeps the authority it has', async (t) => {
    const disk = await smallDisk(t)
    execFileSync('/usr/bin/mount', ['-o', 'remount,size=1m', disk])
    const one = await openPki(t, { folder: disk })
    const { sha256 } = await one.pki.root()
    await chmod(disk, 0o700)
    execFileSync('/usr/bin/mount', ['-o', 'remount,ro', disk])
    const { pki } = await openPki(t, { folder: disk })
    await pki.leaf(siteHost(1))
    await assert.rejects(pki.rotate('names'), { code: 'BTL_ERR_PKI_UNWRITABLE' })
    assert.equal((await pki.root()).sha256, sha256)
  })
})
