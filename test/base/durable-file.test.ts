import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeDurably } from '../../src/base/durable-file.ts'
import { missing, output, run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

const FIU = '/usr/bin/fiu-run'
const MODULE = join(ROOT, 'src/base/durable-file.ts')

/** Writes `text` in a process whose disk fails at `point`; prints `done`, or the code of the failure. */
const PROGRAM = (path: string): string => `
import { writeDurably } from ${JSON.stringify(MODULE)}
await writeDurably(${JSON.stringify(path)}, 'new', { mode: 0o600 })
  .then(() => console.log('done'), (error) => console.log(error.code))
`
const failing = async (point: string, path: string): Promise<string> => {
  const spec = `enable name=${point},failinfo=5`
  const node = [process.execPath, '--input-type=module', '-e', PROGRAM(path)]
  return (await output(FIU, ['-x', '-c', spec, ...node])).trim()
}

describe('a durable file', () => {
  it('is replaced whole, with its mode, and leaves nothing beside it', async (t) => {
    const folder = await tempFolder(t)
    const path = join(folder, 'list')
    await writeDurably(path, 'one', { mode: 0o600 })
    await writeDurably(path, new TextEncoder().encode('two'), { mode: 0o600 })
    assert.equal(await readFile(path, 'utf8'), 'two')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(folder), ['list'])
  })

  it('is as it was where it cannot be written', async (t) => {
    const folder = await tempFolder(t)
    const path = join(folder, 'list')
    await mkdir(path)
    await assert.rejects(writeDurably(path, 'x', { mode: 0o600 }), { code: 'EISDIR' })
    assert.deepEqual(await readdir(folder), ['list'])
    const nowhere = join(folder, 'none', 'list')
    await assert.rejects(writeDurably(nowhere, 'x', { mode: 0o600 }), { code: 'ENOENT' })
  })

  for (const point of ['posix/io/sync/fsync', 'posix/io/dir/rename']) {
    const skip = missing(FIU)
    it(`is not acknowledged where ${point} fails, and the old one stays`, {
      skip,
    }, async (t) => {
      const folder = await tempFolder(t)
      const path = join(folder, 'list')
      await writeFile(path, 'old')
      const said = await failing(point, path)
      assert.equal(said, 'EIO')
      assert.equal(await readFile(path, 'utf8'), 'old')
    })
  }

  it('is synced under either name, and its folder after it', {
    skip: missing('/usr/bin/strace'),
  }, async (t) => {
    const path = join(await tempFolder(t), 'list')
    const args = ['-f', '-e', 'trace=fsync,rename', process.execPath, '--input-type=module', '-e']
    // Node's own writing is not ours.
    const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }
    const { stderr } = await run('/usr/bin/strace', [...args, PROGRAM(path)], { env })
    const calls = [...stderr.matchAll(/\b(fsync|rename)\(/g)].map(([, name]) => name)
    assert.deepEqual(calls, ['fsync', 'rename', 'fsync', 'fsync'])
  })
})
