import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readListeners, writeListeners } from '../../../src/app/roles/listeners.ts'
import { tempFolder } from '../../support/temp.ts'

const http = { http: { port: 80, transport: 'tcp' } } as const

describe('the file of listeners', () => {
  it('is written although a power cut emptied the part of another role', async (t) => {
    const state = await tempFolder(t)
    await mkdir(join(state, 'run', 'swarm'), { recursive: true })
    await writeFile(join(state, 'run', 'swarm', 'listeners.json'), '')
    await writeListeners(state, 'web', http)
    assert.deepEqual(await readListeners(state), http)
    const file = await readFile(join(state, 'run', 'listeners.json'), 'utf8')
    assert.deepEqual(JSON.parse(file), http)
  })

  it('leaves no half-made file where it cannot be written', async (t) => {
    const state = await tempFolder(t)
    await mkdir(join(state, 'run', 'web', 'listeners.json'), { recursive: true })
    await assert.rejects(writeListeners(state, 'web', http))
    assert.deepEqual(await readdir(join(state, 'run', 'web')), ['listeners.json'])
  })
})
