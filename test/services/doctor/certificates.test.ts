import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createPki } from '../../../src/engines/pki/index.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { run } from '../../support/processes.ts'
import { createPatient } from './patient.ts'

const DAY_MS = 86_400_000
const NEVER = AbortSignal.timeout(600_000)

describe('certificates', () => {
  async function withAuthority(state: string): Promise<string> {
    const pki = createPki(
      { log: silentLog, clock: { now: Date.now }, folder: join(state, 'pki') },
      {
        leaf_lifetime: 90 * DAY_MS,
        max_leaves: 10,
        leaves_per_second: 10,
        leaf_burst: 10,
        box_names: [],
        link_domains: [],
        tld: 'btlink',
        reserved_hosts: [],
      },
    )
    await pki.start(NEVER)
    await pki.root('names', NEVER)
    await pki.stop()
    return join(state, 'pki', 'names', 'btlink', '1')
  }

  it('are told when a key, then all, then the root can no longer be used (E01)', async (t) => {
    const { state, look } = await createPatient(t)
    assert.equal((await look('authority')).state, 'unknown')
    const folder = await withAuthority(state)
    assert.equal((await look('authority')).state, 'ok')
    await writeFile(join(folder, 'intermediate-1.key'), 'rust')
    assert.equal((await look('authority')).state, 'warning')
    for (const i of [2, 3]) await rm(join(folder, `intermediate-${i}.key`))
    assert.equal((await look('authority')).state, 'failed')
    await writeFile(join(folder, 'root.pem'), 'rust')
    assert.match((await look('authority')).line, /root certificate .* cannot be read/)
  })

  it('are told before the root ends, and after', async (t) => {
    let now = Date.now()
    const { state, look } = await createPatient(t, { now: () => now })
    await withAuthority(state)
    assert.equal((await look('authority-end')).state, 'ok')
    const pem = await readFile(join(state, 'pki', 'names', 'btlink', '1', 'root.pem'))
    const end = Date.parse(new X509Certificate(pem).validTo)
    now = end - 20 * DAY_MS
    assert.equal((await look('authority-end')).state, 'warning')
    now = end + 20 * DAY_MS
    assert.equal((await look('authority-end')).state, 'failed')
    now = 0
    assert.equal((await look('authority-end')).state, 'unknown')
  })

  it('of public hosts are left in their place while nobody has confirmed the clock', async (t) => {
    let state = 'floor'
    const ask = async (path: string) =>
      path === '/api/status' ? { clock: { state }, health: { components: {} } } : undefined
    const patient = await createPatient(t, { facts: { acme: true }, box: { ask } })
    const folder = join(patient.state, 'acme', 'ca')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'seems-ended.pem'), 'rust')
    await assert.rejects(patient.mend('certificates'), /no time server has confirmed the clock/)
    assert.deepEqual(await readdir(folder), ['seems-ended.pem'])
    state = 'synced'
    assert.match(await patient.mend('certificates'), /^put 1 aside/)
  })

  it('of public hosts that ended are put aside, to be ordered anew', async (t) => {
    const { state, look, mend } = await createPatient(t, { facts: { acme: true } })
    const folder = join(state, 'acme', 'ca')
    await mkdir(folder, { recursive: true })
    for (const [name, days] of [
      ['good', '30'],
      ['ended', '1'],
    ] as const) {
      const made = await run('/usr/bin/openssl', [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        '/dev/null',
        '-subj',
        `/CN=${name}`,
        '-days',
        days,
        '-out',
        join(folder, `${name}.pem`),
      ])
      assert.equal(made.code, 0, made.stderr)
    }
    assert.equal((await look('public-certificates')).state, 'ok')
    await writeFile(join(folder, 'ended.pem'), 'rust')
    assert.equal((await look('public-certificates')).state, 'failed')
    assert.match(await mend('certificates'), /^put 1 aside/)
    assert.equal((await look('public-certificates')).state, 'ok')
    assert.deepEqual((await readdir(folder)).sort(), ['ended.pem.ended', 'good.pem'])
  })
})
