import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { tarHeader, tarLength } from '../../../src/base/tar.ts'
import { zipDescriptor, zipEnd, zipLength, zipLocalHeader } from '../../../src/edges/gateway/zip.ts'
import { PYTHON } from '../../support/libtorrent.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { hostOfTorrent, startGateway } from './fixture.ts'

const fixture = await startGateway({ after: (fn) => after(fn) }, { btlink: { wait_timeout: 500 } })
const FILES = {
  'a.txt': 'hello',
  empty: '',
  'dir/ü ß.bin': randomBytes(1_200_000),
  [`${'long/'.repeat(40)}name.txt`]: 'deep',
  'dir/512.bin': randomBytes(512),
}
const torrent = await fixture.add(FILES, { name: 'my site' })
const HOST = hostOfTorrent(torrent.infoHash)

async function unpacked(folder: string): Promise<void> {
  for (const [path, content] of Object.entries(FILES)) {
    const bytes = await readFile(join(folder, 'my site', path))
    assert.ok(bytes.equals(Buffer.from(content)), path)
  }
}

describe('tar', () => {
  it('is unpacked by tar, byte for byte', { skip: missing('/usr/bin/tar') }, async (t) => {
    const folder = await tempFolder(t)
    const reply = await fixture.ask(HOST, '/?format=tar')
    assert.equal(reply.headers['content-length'], String(reply.body.length))
    await writeFile(join(folder, 'x.tar'), reply.body)
    await output('/usr/bin/tar', ['-xf', join(folder, 'x.tar'), '-C', folder])
    await unpacked(folder)
  })

  it('holds a folder under its own name', async () => {
    const { body, headers } = await fixture.ask(HOST, '/dir/?format=tar')
    assert.ok(body.includes('dir/512.bin') && !body.includes('my site'))
    assert.equal(headers['content-disposition'], 'attachment; filename="dir.tar"')
  })

  it('writes sizes beyond 8 GiB as pax records', () => {
    const header = tarHeader({ name: 'x', length: 2 ** 34 })
    assert.match(header.toString('latin1'), /size=17179869184\n/)
    assert.equal(tarLength([{ name: 'x', length: 2 ** 34 }]), header.length + 2 ** 34 + 1024)
  })
})

describe('zip', () => {
  it('is unpacked by unzip and Python, byte for byte', {
    skip: missing('/usr/bin/unzip', PYTHON),
  }, async (t) => {
    const folder = await tempFolder(t)
    const reply = await fixture.ask(HOST, '/?format=zip')
    assert.equal(reply.headers['content-length'], String(reply.body.length))
    const file = join(folder, 'x.zip')
    await writeFile(file, reply.body)
    await output('/usr/bin/unzip', ['-tq', file])
    await output(PYTHON, ['-m', 'zipfile', '-e', file, folder])
    await unpacked(folder)
  })

  it('uses zip64 only where 32 bits do not do', { skip: missing(PYTHON) }, async (t) => {
    const small = { name: 'a', length: 5 }
    assert.equal(zipLocalHeader(small).length, 31)
    const far = 5 * 2 ** 30
    const large = { name: 'b', length: far }
    assert.equal(zipLocalHeader(large).length, 31 + 20)
    assert.equal(zipDescriptor(far, 0).length, 24)
    const end = zipEnd([{ ...small, crc: 0, offset: far }], far)
    assert.ok(end.includes(Buffer.from([0x50, 0x4b, 6, 6])))
    assert.ok(zipLength([large, small]) > far)
    // A sparse archive of more than 4 GiB, read by somebody else.
    const folder = await tempFolder(t)
    const script = `
import zipfile, sys
z = zipfile.ZipFile(sys.argv[1]); i = z.infolist()
print(i[0].filename, i[0].file_size, i[1].filename, z.read(i[1]).decode())`
    const hello = Buffer.from('hello')
    const first = zipLocalHeader(large)
    const second = first.length + far + 24
    const tail = Buffer.concat([
      zipDescriptor(far, 0),
      zipLocalHeader(small),
      hello,
      zipDescriptor(5, crc32(hello)),
    ])
    const directory = second - 24 + tail.length
    const entries = [
      { ...large, crc: 0, offset: 0 },
      { ...small, crc: crc32(hello), offset: second },
    ]
    const file = join(folder, 'sparse.zip')
    await writeFile(file, first)
    await output('/usr/bin/truncate', ['-s', String(first.length + far), file])
    await writeFile(file, Buffer.concat([tail, zipEnd(entries, directory)]), { flag: 'a' })
    assert.equal(await output(PYTHON, ['-c', script, file]), `b ${far} a hello\n`)
  })
})

describe('archives', () => {
  it('have an etag, and answer 304', async () => {
    const { headers } = await fixture.ask(HOST, '/?format=zip', { method: 'HEAD' })
    const again = { headers: { 'if-none-match': String(headers.etag) } }
    assert.equal((await fixture.ask(HOST, '/?format=zip', again)).status, 304)
    assert.notEqual((await fixture.ask(HOST, '/dir/?format=zip')).headers.etag, headers.etag)
  })

  it('wait for content: 504 before the first byte, a broken connection later', async () => {
    const cold = await fixture.add(FILES, { name: 'cold', missing: true })
    const host = hostOfTorrent(cold.infoHash)
    assert.equal((await fixture.ask(host, '/?format=tar')).status, 504)
    const local = { headers: { 'cache-control': 'only-if-cached' } }
    assert.equal((await fixture.ask(host, '/?format=zip', local)).status, 412)
    for (const { index, length } of cold.files.slice(0, 2))
      fixture.arrive(cold.infoHash, index, 0, length)
    await assert.rejects(fixture.ask(host, '/?format=tar'), { code: 'ECONNRESET' })
    for (const { index, length } of cold.files) fixture.arrive(cold.infoHash, index, 0, length)
    assert.equal((await fixture.ask(host, '/?format=tar')).status, 200)
  })

  it('leave other formats to the site', async () => {
    assert.equal((await fixture.ask(HOST, '/a.txt?format=other')).text, 'hello')
  })

  it('come as a torrent file too', async () => {
    const reply = await fixture.ask(HOST, '/?format=torrent')
    assert.equal(reply.headers['content-type'], 'application/x-bittorrent')
    assert.ok(reply.body.includes(Buffer.from(torrent.info)))
  })
})
