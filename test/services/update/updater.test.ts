import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { access, appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ReleaseSource } from '../../../src/services/update/source.ts'
import { folderSource, pathSource } from '../../../src/services/update/source-file.ts'
import { channelSource, siteSource } from '../../../src/services/update/source-web.ts'
import { createUpdater, type Updater } from '../../../src/services/update/updater.ts'
import { createFakeSlots, type FakeSlots } from '../../fakes/slots.ts'
import { missing, output } from '../../support/processes.ts'
import { builtImage, slotNames, type Vendor, vendor } from '../../support/releases.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { MACHINE } from './box.ts'

const signal = new AbortController().signal
const skip = missing('/usr/bin/minisign')
const web = { silenceMs: 5000 }
const BLOCK = 4096

/** Two versions that share most of their root. */
function roots() {
  const old = randomBytes(BLOCK * 200)
  const changed = randomBytes(BLOCK * 8)
  const fresh = Buffer.concat([old.subarray(0, BLOCK * 50), changed, old.subarray(BLOCK * 50)])
  return { old, fresh: Buffer.concat([fresh, Buffer.alloc(BLOCK * 300)]), changed }
}

interface Box {
  folder: string
  updater: Updater
  slots: FakeSlots
  fetched: string
  installed: string
  vendor: Vendor
  /** A release 0.2.0 with a pack from 0.1.0. */
  release: string
  fresh: Buffer
}

async function box(t: Cleanup, { known = true }: { known?: boolean } = {}): Promise<Box> {
  const folder = await tempFolder(t, 'update')
  const path = (name: string) => join(folder, name)
  const signer = await vendor(t)
  const { old, fresh } = roots()
  const earlier = await builtImage(path('0.1.0'), '0.1.0', { root: old })
  const from = await builtImage(path('0.2.0'), '0.2.0', { root: fresh })
  const release = await signer.release(from, path('release'), { earlier: [earlier] })
  const installed = path('installed')
  const slots = createFakeSlots({
    image: MACHINE,
    available: (version) =>
      access(join(installed, slotNames(version).kernel)).then(
        () => true,
        () => false,
      ),
  })
  const names = slotNames('0.1.0')
  if (known)
    for (const role of ['root', 'verity', 'kernel'] as const)
      slots.files.set(`${role} 0.1.0`, join(earlier, names[role]))
  const fetched = path('fetched')
  const updater = createUpdater(
    { slots, key: signer.key, machine: MACHINE },
    { fetchFolder: fetched, installFolder: installed },
  )
  return { folder, updater, slots, fetched, installed, vendor: signer, release, fresh }
}

/** A web server for a folder; `cutAt` ends every answer after so many bytes, `ranges: false` knows none. */
async function serve(
  t: Cleanup,
  folder: string,
  behaviour: { cutAt?: () => number; ranges?: boolean; status?: number } = {},
): Promise<{
  url: string
  port: number
  asked: { path: string; range?: string; host?: string }[]
}> {
  const asked: { path: string; range?: string; host?: string }[] = []
  const server: Server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '/').split('/').at(-1) ?? '')
    const { range, host } = request.headers
    asked.push({
      path: request.url ?? '',
      ...(range !== undefined && { range }),
      ...(host !== undefined && { host }),
    })
    void readFile(join(folder, name)).then(
      (bytes) => {
        const from =
          behaviour.ranges === false ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
        const head =
          from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
        response.writeHead(behaviour.status ?? (from > 0 ? 206 : 200), {
          'content-length': bytes.length - from,
          'x-btlink-infohash': 'ab'.repeat(20),
          ...head,
        })
        const end = Math.min(bytes.length, from + (behaviour.cutAt?.() ?? Infinity))
        response.write(bytes.subarray(from, end), () => {
          if (end < bytes.length) response.destroy()
          else response.end()
        })
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/pc`, port, asked }
}

const isWhole = async ({ installed, fresh }: Box): Promise<void> => {
  // Looked at through the slots' eyes: files are removed once they are installed.
  assert.deepEqual(
    (await readdir(installed)).filter((name) => name !== 'notes.json'),
    [],
  )
  assert.ok(fresh.length > 0)
}

describe('R19 updates', { skip }, () => {
  it('go in from a web server, as a pack of what changed', async (t) => {
    const one = await box(t)
    const server = await serve(t, one.release)
    const source = channelSource(server.url, web)
    const [report] = await one.updater.check([source], signal)
    assert.equal(report?.version, '0.2.0')
    assert.equal(report?.whyNot, undefined)
    const done = await one.updater.fetch([source], {}, signal)
    assert.equal(done.version, '0.2.0')
    assert.equal(done.fetchedBytes, report?.bytes)
    // 8 blocks of the root, two of verity, and the kernel changed.
    assert.ok(done.fetchedBytes <= (BLOCK * 10 + 100) * 1.1, `${done.fetchedBytes}`)
    assert.equal(await one.updater.install(folderSource(one.fetched), {}, signal), '0.2.0')
    assert.equal(one.slots.next(), '0.2.0')
    await isWhole(one)
    assert.equal((await one.updater.status(signal)).installed?.version, '0.2.0')
  })

  it('make the very files that were built', async (t) => {
    const one = await box(t)
    const made: Buffer[] = []
    const install = one.slots.install.bind(one.slots)
    one.slots.install = async (version, by) => {
      made.push(await readFile(join(one.installed, slotNames(version).root)))
      await install(version, by)
    }
    await one.updater.install(folderSource(one.release), {}, signal)
    assert.ok(made[0]?.equals(one.fresh))
  })

  it('go in from a folder and from a tar file on a stick', async (t) => {
    const a = await box(t)
    await a.updater.install(await pathSource(a.release), {}, signal)
    assert.equal(a.slots.next(), '0.2.0')
    for (const args of [
      ['-C', a.release, '.'],
      ['-C', a.folder, 'release'],
    ]) {
      const b = await box(t)
      await output('tar', ['-cf', join(a.folder, 'u.tar'), ...args])
      const updater = createUpdater(
        { slots: b.slots, key: a.vendor.key, machine: await b.slots.image() },
        { fetchFolder: b.fetched, installFolder: b.installed },
      )
      await updater.install(await pathSource(join(a.folder, 'u.tar')), {}, signal)
      assert.equal(b.slots.next(), '0.2.0')
    }
  })

  it('read no broken tar file', async (t) => {
    const { folder, release } = await box(t)
    const tar = join(folder, 'u.tar')
    await output('tar', ['-cf', tar, '-C', release, '.'])
    await assert.rejects(pathSource(join(folder, 'none.tar')), {
      code: 'BTL_ERR_UPDATE_UNREACHABLE',
    })
    await writeFile(join(folder, 'noise.tar'), randomBytes(4096))
    await assert.rejects(pathSource(join(folder, 'noise.tar')), {
      code: 'BTL_ERR_UPDATE_BAD_RELEASE',
    })
    await truncate(tar, Math.floor((await stat(tar)).size / 2))
    await assert.rejects(pathSource(tar), { code: 'BTL_ERR_UPDATE_BAD_RELEASE' })
  })

  it('come from the version of a site that was found first', async (t) => {
    const one = await box(t)
    const server = await serve(t, one.release)
    const versionHost = (infoHash: string) => `${infoHash}-ih.btlink`
    const source = siteSource({ port: server.port, host: 'vendor-pk.btlink', versionHost }, web)
    await one.updater.fetch([source], {}, signal)
    const hosts = server.asked.map(({ host }) => host)
    assert.equal(hosts[0], 'vendor-pk.btlink')
    assert.deepEqual(new Set(hosts.slice(1)), new Set([`${'ab'.repeat(20)}-ih.btlink`]))
  })

  it('go on where a cut left them, with a server that knows ranges and one that does not', async (t) => {
    for (const ranges of [true, false]) {
      const one = await box(t, { known: false })
      let allowed = 300_000
      const server = await serve(t, one.release, { ranges, cutAt: () => (allowed += 50_000) })
      const source = channelSource(server.url, web)
      const { fetchedBytes, totalBytes } = await one.updater.fetch([source], {}, signal)
      assert.equal(fetchedBytes, totalBytes, 'no byte is counted twice')
      await one.updater.install(folderSource(one.fetched), {}, signal).catch(() => undefined)
    }
  })

  it('go on after the program was ended, and do not believe what a power cut left', async (t) => {
    const one = await box(t)
    const { url } = await serve(t, one.release)
    await one.updater.fetch([channelSource(url, web)], {}, signal)
    const names = await readdir(one.fetched)
    const pack = names.find((name) => name.includes('.root.')) ?? ''
    const whole = await readFile(join(one.fetched, pack))
    // Ended in the middle: a part under the name of parts, no papers.
    await output('rm', [join(one.fetched, pack)])
    await writeFile(join(one.fetched, `${pack}.part`), whole.subarray(0, 10_000))
    const again = await one.updater.fetch([channelSource(url, web)], {}, signal)
    assert.equal(again.fetchedBytes, whole.length - 10_000)
    // Length without bytes, as a journal replays it.
    await output('rm', [join(one.fetched, pack)])
    await writeFile(join(one.fetched, `${pack}.part`), Buffer.alloc(20_000))
    await one.updater.fetch([channelSource(url, web)], {}, signal)
    assert.ok((await readFile(join(one.fetched, pack))).equals(whole))
  })

  it('are refused where the vendor did not sign them', async (t) => {
    const one = await box(t)
    const stranger = await vendor(t)
    const forged = await stranger.release(join(one.folder, '0.2.0'), join(one.folder, 'forged'))
    const fails = (code: string) =>
      assert.rejects(one.updater.install(folderSource(forged), {}, signal), { code })
    await fails('BTL_ERR_UPDATE_BAD_SIGNATURE')
    const copy = (name: string) => output('cp', [join(one.release, name), forged])
    await copy('SHA256SUMS.minisig')
    await fails('BTL_ERR_UPDATE_BAD_SIGNATURE')
    await copy('SHA256SUMS')
    await fails('BTL_ERR_UPDATE_BAD_RELEASE')
    await output('rm', [join(forged, 'SHA256SUMS.minisig')])
    await fails('BTL_ERR_UPDATE_UNREACHABLE')
    assert.equal(one.slots.next(), '0.1.0')
  })

  it('are refused where a file is another, and fetched whole where a pack does not fit', async (t) => {
    const one = await box(t)
    const { url } = await serve(t, one.release)
    const source = channelSource(url, web)
    await one.updater.fetch([source], {}, signal)
    // The running slot is not what the vendor built: bit rot, or a hand in it.
    const old = one.slots.files.get('root 0.1.0') ?? ''
    const rotten = await readFile(old)
    rotten[BLOCK * 100] = (rotten[BLOCK * 100] ?? 0) ^ 1
    await writeFile(old, rotten)
    await assert.rejects(one.updater.install(folderSource(one.fetched), {}, signal), {
      code: 'BTL_ERR_UPDATE_BAD_FILE',
    })
    assert.equal(one.slots.next(), '0.1.0')
    const { failure } = await one.updater.status(signal)
    assert.equal(failure?.version, '0.2.0')
    const whole = await one.updater.fetch([source], {}, signal)
    assert.ok(whole.totalBytes > BLOCK * 200)
    await one.updater.install(folderSource(one.fetched), {}, signal)
    assert.equal(one.slots.next(), '0.2.0')
    // And a file with one bit more.
    const two = await box(t)
    const pack = (await readdir(two.release)).filter((name) => name.includes('.root.'))
    for (const name of pack) await appendFile(join(two.release, name), 'x')
    const server = await serve(t, two.release)
    await assert.rejects(two.updater.fetch([channelSource(server.url, web)], {}, signal), {
      code: 'BTL_ERR_UPDATE_BAD_FILE',
    })
  })

  it('are refused for other machines and for older versions, with the reason of each source', async (t) => {
    const one = await box(t)
    const path = (name: string) => join(one.folder, name)
    const built = join(one.folder, '0.2.0')
    const older = await builtImage(path('0.0.9'), '0.0.9', { root: randomBytes(8192) })
    const sources: ReleaseSource[] = [
      folderSource(await one.vendor.release(built, path('a'), { architecture: 'riscv64' })),
      folderSource(await one.vendor.release(built, path('b'), { flavour: 'rpi' })),
      folderSource(await one.vendor.release(built, path('c'), { minimum: '0.1.9' })),
      folderSource(await one.vendor.release(older, path('d'))),
      folderSource(path('nowhere')),
    ]
    const reports = await one.updater.check(sources, signal)
    assert.deepEqual(
      reports.map(({ version }) => version),
      ['0.2.0', '0.2.0', '0.2.0', '0.0.9', undefined],
    )
    for (const [index, words] of [/riscv64/, /"rpi"/, /needs 0.1.9/, /older/, /ENOENT/].entries())
      assert.match(reports[index]?.whyNot ?? '', words)
    await assert.rejects(one.updater.fetch(sources, {}, signal), {
      code: 'BTL_ERR_UPDATE_NO_SOURCE',
    })
    const older2 = folderSource(path('d'))
    await assert.rejects(one.updater.install(older2, {}, signal), {
      code: 'BTL_ERR_UPDATE_NOT_FOR_US',
    })
    await one.updater.install(older2, { allowDowngrade: true }, signal)
    assert.equal(
      (await one.slots.slots(signal)).some(({ version }) => version === '0.0.9'),
      true,
    )
  })

  it('are taken from whichever source has the newest', async (t) => {
    const one = await box(t)
    const path = (name: string) => join(one.folder, name)
    const third = await builtImage(path('0.3.0'), '0.3.0', { root: randomBytes(8192) })
    const newest = await one.vendor.release(third, path('three'), { packsOnly: true })
    const sources = [folderSource(path('nowhere')), folderSource(one.release), folderSource(newest)]
    assert.equal((await one.updater.fetch(sources, {}, signal)).version, '0.3.0')
    await one.updater.install(folderSource(one.fetched), {}, signal)
    assert.equal(one.slots.next(), '0.3.0')
  })

  it('are taken back, and taken again', async (t) => {
    const one = await box(t)
    await assert.rejects(one.updater.rollback(signal), { code: 'BTL_ERR_UPDATE_NO_OTHER' })
    await one.updater.install(folderSource(one.release), {}, signal)
    await one.slots.select('0.1.0', signal)
    assert.equal(one.slots.next(), '0.1.0')
    assert.equal(await one.updater.rollback(signal), '0.2.0')
    assert.equal(one.slots.next(), '0.2.0')
    // It is in its slot: nothing is written a second time.
    await one.slots.select('0.1.0', signal)
    await one.updater.install(folderSource(one.release), {}, signal)
    assert.equal(one.slots.next(), '0.2.0')
  })

  it('say at once that a channel is no URL, and give up a server that says nothing', async (t) => {
    assert.throws(() => channelSource('ftp://x/', web), { code: 'BTL_ERR_UPDATE_UNREACHABLE' })
    assert.throws(() => channelSource('releases', web), { code: 'BTL_ERR_UPDATE_UNREACHABLE' })
    const silent = createServer(() => undefined)
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    finallyDo(t, () => {
      silent.closeAllConnections()
      silent.close()
    })
    const { port } = silent.address() as AddressInfo
    const one = await box(t)
    const source = channelSource(`http://127.0.0.1:${port}/`, { silenceMs: 200 })
    const [report] = await one.updater.check([source], signal)
    assert.match(report?.whyNot ?? '', /silent/)
  })
})
