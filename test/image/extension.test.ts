/** What goes into an extension of /usr: real libraries in small trees, and lists as programs print them. */
import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { extensionRelease, parseListing, parseRelease } from '../../image/extension/base.ts'
import { contentsOf } from '../../image/extension/contents.ts'
import { neededBy } from '../../image/extension/elf.ts'
import { addSums } from '../../image/extension/make.ts'
import { FLAVOURS } from '../../image/flavours.ts'
import { developmentKeys } from '../../image/keys.ts'
import { missing, output } from '../support/processes.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const CC = '/usr/bin/g++'
const READELF = '/usr/bin/readelf'
const MINISIGN = '/usr/bin/minisign'
const LIBS = 'usr/lib/x86_64-linux-gnu'

/** A tree as it is unpacked: a program that asks for a, a for b in a folder of its own, b for a third. */
async function tree(t: Cleanup): Promise<string> {
  const root = await tempFolder(t, 'btl-extension')
  for (const folder of [`${LIBS}/blas`, 'usr/bin']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  const source = join(root, 'empty.c')
  await writeFile(source, 'int main() { return 0; }\n')
  const build = async (path: string, needs: string[], ...more: string[]) => {
    const how = ['-Wl,--no-as-needed', '-Wl,--allow-shlib-undefined', '-o', join(root, path)]
    await output(CC, [...how, source, ...more, ...needs.map((one) => join(root, one))])
  }
  const shared = (path: string, needs: string[], name: string) =>
    build(path, needs, '-shared', '-fPIC', `-Wl,-soname,${name}`)
  await shared(`${LIBS}/libc3.so.3`, [], 'libc3.so.3')
  await shared(`${LIBS}/blas/libb.so.2`, [`${LIBS}/libc3.so.3`], 'libb.so.2')
  await shared(`${LIBS}/liba.so.1.0`, [`${LIBS}/blas/libb.so.2`], 'liba.so.1')
  await symlink('liba.so.1.0', join(root, LIBS, 'liba.so.1'))
  await build('usr/bin/player', [`${LIBS}/liba.so.1`])
  return root
}

const BASE = new Set(['libc.so.6', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1'])

describe('contents of an extension', { skip: missing(CC) }, () => {
  const input = { programs: ['usr/bin/player'], libraries: LIBS }

  it('are the program and what it needs and the base lacks, down to the last', async (t) => {
    const found = await contentsOf({ ...input, tree: await tree(t), base: BASE })
    assert.deepEqual(found.files, [
      'usr/bin/player',
      `${LIBS}/blas/libb.so.2`,
      `${LIBS}/liba.so.1`,
      `${LIBS}/liba.so.1.0`,
      `${LIBS}/libc3.so.3`,
    ])
    assert.deepEqual([...found.links], [[`${LIBS}/libb.so.2`, 'blas/libb.so.2']])
    assert.equal(found.missing.size, 0)
  })

  it('leave out what the base has, and name who asks for what nobody has', async (t) => {
    const root = await tree(t)
    const slim = await contentsOf({ ...input, tree: root, base: new Set([...BASE, 'liba.so.1']) })
    assert.deepEqual(slim.files, ['usr/bin/player'])
    const base = new Set([...BASE].filter((name) => name !== 'libc.so.6'))
    const without = await contentsOf({ ...input, tree: root, base })
    assert.deepEqual([...without.missing.keys()], ['libc.so.6'])
  })
})

describe('libraries that a file asks for', { skip: missing(READELF) }, () => {
  const files = [READELF, '/usr/bin/node', process.execPath, '/bin/sh', '/usr/sbin/nft']

  it('are those that readelf names', async () => {
    for (const file of files.filter((one) => missing(one) === false)) {
      const told = await output(READELF, ['-dW', file])
      const names = [...told.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name)
      assert.deepEqual(neededBy(await readFile(file)), names, file)
    }
  })

  it('are none of what is no program, and broken ones end with a RangeError', async () => {
    assert.equal(neededBy(Buffer.from('#!/bin/sh\nexit 0\n')), undefined)
    assert.equal(neededBy(Buffer.alloc(0)), undefined)
    const whole = await readFile('/bin/sh')
    for (const length of [64, 100, 900]) {
      assert.throws(() => neededBy(whole.subarray(0, length)), RangeError)
    }
    const bytes = fc.uint8Array({ minLength: 58, maxLength: 600 })
    fc.assert(
      fc.property(bytes, (rest) => {
        const head = Buffer.from('7f454c460201', 'hex')
        try {
          neededBy(Buffer.concat([head, rest]))
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error))
        }
      }),
    )
  })
})

describe('the base of an extension', () => {
  it('is read from what erofs prints', () => {
    const text = `Path : /usr/lib/x86_64-linux-gnu
Size: 6588  On-disk size: 6588  directory
NID: 601728   Links: 13   Layout: 2   Compression ratio: 100.00%

       NID TYPE  FILENAME
    601728    2  .
     15843    2  ..
   5507066    2  avahi
   6400303    7  libz.so.1
   6400303    1  libz.so.1.3.1
`
    assert.deepEqual([...parseListing(text)], ['avahi', 'libz.so.1', 'libz.so.1.3.1'])
  })

  it('gives the extension its release, and its level where it has one', () => {
    const text =
      'NAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\nIMAGE_VERSION="0.1.0"\nSYSEXT_LEVEL=1\n'
    const base = { release: parseRelease(text), libraries: new Set<string>(), packages: new Map() }
    assert.equal(
      extensionRelease(base, FLAVOURS.rpi),
      'ID=debian\nVERSION_ID=13\nSYSEXT_LEVEL=1\nARCHITECTURE=arm64\n',
    )
  })
})

describe('sums', { skip: missing(MINISIGN) }, () => {
  it('keep the others, replace the former ones of the same file, and are signed anew', async (t) => {
    const folder = await tempFolder(t, 'btl-sums')
    const keys = await developmentKeys(join(folder, 'keys'))
    const sums = join(folder, 'SHA256SUMS')
    const other = 'b'.repeat(64)
    await writeFile(sums, `${other}  btlinkd.img\n${other}  ffmpeg.raw\n`)
    const file = join(folder, 'ffmpeg.raw')
    await writeFile(file, 'abc')
    await addSums([file], keys, 'btlinkd pc 0.1.0')
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert.equal(await readFile(sums, 'utf8'), `${other}  btlinkd.img\n${abc}  ffmpeg.raw\n`)
    await output(MINISIGN, ['-Vm', sums, '-p', keys.publicKey])
  })
})
