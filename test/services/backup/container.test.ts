import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { seal, unseal } from '../../../src/services/backup/age.ts'
import { readTar } from '../../../src/services/backup/tar-reader.ts'
import { type TarFile, writeTar } from '../../../src/services/backup/tar-writer.ts'
import { missing, run } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'

const AGE = '/usr/bin/age'
const PYTHON = '/usr/bin/python3'
/** Quick to open. */
const QUICK = 4
const PASSPHRASE = 'correct horse battery staple'

/** Types the passphrase at the terminal that age insists on. */
const AT_A_TERMINAL = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
asked = b''
left = sys.argv[1].encode() + b'\\n'
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    asked += got
    if asked.rstrip().endswith(b':'):
        os.write(fd, left)
        asked = b''
sys.stdout.write(asked.decode('utf8', 'replace'))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

async function* inPieces(bytes: Uint8Array, most: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += most) yield bytes.subarray(at, at + most)
}

async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(Uint8Array.from(piece))
  return Buffer.concat(pieces)
}

const age = (...args: string[]) => run(PYTHON, ['-c', AT_A_TERMINAL, PASSPHRASE, AGE, ...args])

describe('a locked stream', () => {
  for (const length of [0, 65_536, 200_001]) {
    it(`of ${length} bytes opens with its passphrase`, async () => {
      const plain = randomBytes(length)
      const sealed = await gather(seal(inPieces(plain, 7777), PASSPHRASE))
      assert.deepEqual(await gather(unseal(inPieces(sealed, 1000), PASSPHRASE)), plain)
      await assert.rejects(gather(unseal(inPieces(sealed, 1000), `${PASSPHRASE}.`)), {
        code: 'BTL_ERR_BACKUP_BAD_PASSPHRASE',
      })
    })
  }

  it('is opened by the age program, and opens what that has locked', {
    skip: missing(AGE, PYTHON),
  }, async (t) => {
    const folder = await tempFolder(t)
    const plain = randomBytes(150_000)
    const [ours, theirs, out] = ['ours', 'theirs', 'out'].map((name) => join(folder, name))
    assert.ok(ours !== undefined && theirs !== undefined && out !== undefined)
    await writeFile(ours, await gather(seal(inPieces(plain, 4096), PASSPHRASE)))
    const opened = await age('-d', '-o', out, ours)
    assert.equal(opened.code, 0, opened.stdout + opened.stderr)
    assert.deepEqual(await readFile(out), plain)
    const locked = await age('-p', '-o', theirs, out)
    assert.equal(locked.code, 0, locked.stdout + locked.stderr)
    const back = await gather(unseal(inPieces(await readFile(theirs), 4096), PASSPHRASE))
    assert.deepEqual(back, plain)
  })

  it('refuses every change to a byte, every cut, and everything after its end', async () => {
    const sealed = await gather(seal(inPieces(randomBytes(70_000), 4096), PASSPHRASE, QUICK))
    const refused = async (bytes: Uint8Array, what: string) =>
      assert.rejects(
        gather(unseal(inPieces(bytes, 65_536), PASSPHRASE)),
        (error: { code?: string }) => {
          assert.match(String(error.code), /^BTL_ERR_BACKUP_(DAMAGED|NOT_A_BACKUP|BAD_PASSPHRASE)$/)
          return true
        },
        what,
      )
    for (const at of [
      0,
      5,
      21,
      30,
      40,
      52,
      60,
      100,
      140,
      160,
      200,
      30_000,
      66_000,
      sealed.length - 1,
    ]) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      await refused(changed, `byte ${at}`)
    }
    for (const length of [0, 10, 21, 80, 150, 170, 30_000, 65_900, sealed.length - 1]) {
      await refused(sealed.subarray(0, length), `cut at ${length}`)
    }
    await refused(Buffer.concat([sealed, Buffer.from('x')]), 'a byte more')
    await refused(Buffer.concat([sealed, sealed]), 'twice')
    const costly = Buffer.from(sealed.toString('latin1').replace(/ 4\n/, ' 30\n'), 'latin1')
    await refused(costly, 'a cost of 128 GiB')
  })
})

const tarFile = (name: string, content: Uint8Array): TarFile => ({
  name,
  size: content.length,
  mtime: 1_700_000_000,
  content: inPieces(content, 1000),
})

async function* each<Item>(...items: Item[]): AsyncGenerator<Item> {
  yield* items
}

const tarOf = (...files: TarFile[]): Promise<Buffer> => gather(writeTar(each(...files)))

async function filesIn(tar: Uint8Array): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const { name, content } of readTar(inPieces(tar, 999))) {
    found.push([
      name,
      createHash('sha256')
        .update(await gather(content))
        .digest('hex'),
    ])
  }
  return found
}

const LONG = `state/acme/authority/certificates/${'long-name.'.repeat(15)}pem`

describe('a tar', () => {
  it('gives back what was put in, and GNU tar reads it', async (t) => {
    const contents: [string, Buffer][] = [
      ['backup.json', Buffer.from('{}')],
      ['state/keys/empty.key', Buffer.alloc(0)],
      [LONG, randomBytes(5000)],
      ['sites/blobs/block', randomBytes(512)],
    ]
    const tar = await tarOf(...contents.map(([name, bytes]) => tarFile(name, bytes)))
    const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    assert.deepEqual(
      await filesIn(tar),
      contents.map(([name, bytes]) => [name, sum(bytes)]),
    )
    const folder = await tempFolder(t)
    await writeFile(join(folder, 'a.tar'), tar)
    const { code, stderr } = await run('/usr/bin/tar', ['-xf', 'a.tar'], { cwd: folder })
    assert.equal(code, 0, stderr)
    for (const [name, bytes] of contents)
      assert.deepEqual(await readFile(join(folder, name)), bytes)
  })

  it('skips what nobody read', async () => {
    const tar = await tarOf(tarFile('a', randomBytes(70_000)), tarFile('b', Buffer.from('b')))
    const names: string[] = []
    for await (const { name } of readTar(inPieces(tar, 4096))) names.push(name)
    assert.deepEqual(names, ['a', 'b'])
  })

  it('refuses links, folders, devices, foreign forms and bytes where none belong', async () => {
    const sound = await tarOf(tarFile('a', Buffer.from('text')))
    const mend = (tar: Buffer): Buffer => {
      tar.write('        ', 148, 'latin1')
      const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
      tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
      return tar
    }
    const changed = (change: (tar: Buffer) => void): Buffer => {
      const tar = Buffer.from(sound)
      change(tar)
      return mend(tar)
    }
    const broken: [string, Buffer][] = [
      ...Array.from('123456DKLSg\0', (type): [string, Buffer] => [
        `type ${type}`,
        changed((tar) => void tar.write(type, 156, 'latin1')),
      ]),
      ['a link name', changed((tar) => void tar.write('/etc/shadow', 157))],
      ['a prefix', changed((tar) => void tar.write('../..', 345))],
      ['an old form', changed((tar) => void tar.write('ustar  \0', 257, 'latin1'))],
      ['a size in base 256', changed((tar) => void tar.writeUInt8(0x80, 124))],
      ['a size beyond its end', changed((tar) => void tar.write('77777777777', 124))],
      ['a name with a zero in it', changed((tar) => void tar.write('a\0b', 0, 'latin1'))],
      ['a name of no letter', changed((tar) => void tar.write('\x01', 0, 'latin1'))],
      ['no name', changed((tar) => tar.fill(0, 0, 100))],
      ['a wrong sum', Buffer.from(sound).fill(0x37, 149, 150)],
      ['bytes in the padding', Buffer.from(sound).fill(1, 1000, 1001)],
      ['one block at its end', sound.subarray(0, sound.length - 512)],
      ['bytes after its end', Buffer.concat([sound, Buffer.alloc(512)])],
      ['half a head', sound.subarray(0, 300)],
      ['half a file', sound.subarray(0, 514)],
      ['nothing', Buffer.alloc(0)],
    ]
    for (const [what, tar] of broken) {
      await assert.rejects(filesIn(tar), { code: 'BTL_ERR_BACKUP_DAMAGED' }, what)
    }
  })

  it('never throws anything else, whatever the bytes', async () => {
    const sound = await tarOf(tarFile(LONG, randomBytes(600)), tarFile('b', Buffer.from('b')))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(sound.length),
        async (changes, length) => {
          const tar = Buffer.from(sound)
          for (const [at, byte] of changes) tar[at] = byte
          try {
            await filesIn(tar.subarray(0, length))
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'BTL_ERR_BACKUP_DAMAGED', String(error))
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
