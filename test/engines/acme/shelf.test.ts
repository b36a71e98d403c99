import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'node:test'
import { silentLog } from '../../../src/base/ports/log.ts'
import { readChain } from '../../../src/engines/acme/chain.ts'
import { createShelf, type Shelf } from '../../../src/engines/acme/shelf.ts'
import { type Certificate, createCertificate } from '../../support/certificates.ts'
import { missing, start } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { openAcme } from './open-acme.ts'
import { DIRECTORY, HOST } from './shelf-place.ts'

const CHILD = fileURLToPath(new URL('writer-child.ts', import.meta.url))

interface Open {
  shelf: Shelf
  folder: string
  certificate: Certificate
}

/** A shelf with one certificate in it. */
async function openShelf(t: Cleanup): Promise<Open> {
  const folder = await tempFolder(t, 'acme')
  const certificate = await createCertificate(t, [HOST], [])
  const shelf = createShelf(folder, DIRECTORY, silentLog)
  const key = createPrivateKey(await readFile(certificate.key))
  const pem = await readFile(certificate.certificate, 'latin1')
  await shelf.save(HOST, readChain(pem, key, [HOST], Date.now()))
  return { shelf, folder, certificate }
}

const pemOf = (shelf: Shelf) => shelf.accountKey().then((key) => key.export({ format: 'jwk' }).d)

describe('what is kept of an authority', { skip: missing('/usr/bin/openssl') }, () => {
  it('is the same account and the same certificate at the next start', async (t) => {
    const { shelf, folder } = await openShelf(t)
    const account = await pemOf(shelf)
    const again = createShelf(folder, DIRECTORY, silentLog)
    assert.equal(await pemOf(again), account)
    assert.deepEqual(await again.load(Date.now()), await shelf.load(Date.now()))
    assert.deepEqual([...(await again.load(Date.now())).keys()], [HOST])
  })

  it('is kept apart for each authority', async (t) => {
    const { folder, shelf } = await openShelf(t)
    const other = createShelf(folder, 'https://acme.example.org/staging', silentLog)
    assert.notEqual(await pemOf(other), await pemOf(shelf))
    assert.equal((await other.load(Date.now())).size, 0)
  })

  it('is whole whenever the process is killed', async (t) => {
    const { shelf, folder, certificate } = await openShelf(t)
    const account = await pemOf(shelf)
    for (let round = 0; round < 6; round++) {
      const child = start(t, execPath, [CHILD, folder, certificate.key, certificate.certificate])
      await child.line((line) => line === 'began')
      await sleep(round * 7)
      child.kill('SIGKILL')
      await child.exited
      assert.equal((await shelf.load(Date.now())).size, 1)
      assert.equal(await pemOf(shelf), account)
      assert.ok(Array.isArray((JSON.parse((await shelf.ledger()) ?? '') as { orders: [] }).orders))
      const left = await readdir(shelf.folder, { recursive: true })
      const files = ['account.key', 'certificates', `certificates/${HOST}.pem`, 'ledger.json']
      assert.deepEqual(left.toSorted(), files)
    }
  })

  it('is closed again where somebody opened it to others', async (t) => {
    const { shelf } = await openShelf(t)
    const file = join(shelf.folder, 'certificates', `${HOST}.pem`)
    await chmod(file, 0o644)
    await shelf.load(Date.now())
    assert.equal((await stat(file)).mode & 0o777, 0o600)
  })

  it('is removed where it is damaged, has ended, or is no certificate of ours', async (t) => {
    const { shelf } = await openShelf(t)
    const place = join(shelf.folder, 'certificates')
    const whole = await readFile(join(place, `${HOST}.pem`), 'utf8')
    await writeFile(join(place, 'half.example.pem'), whole.slice(0, 300))
    await writeFile(join(place, 'other.example.pem'), whole)
    await writeFile(join(place, 'huge.example.pem'), Buffer.alloc(300_000, 'x'))
    await mkdir(join(place, 'folder.example.pem'))
    await writeFile(join(place, 'notes.txt'), 'left alone')
    assert.deepEqual([...(await shelf.load(Date.now())).keys()], [HOST])
    const left = (await readdir(place)).toSorted()
    assert.deepEqual(
      left,
      [`${HOST}.pem`, 'folder.example.pem', 'huge.example.pem', 'notes.txt'].toSorted(),
    )
    assert.equal((await shelf.load(Date.now() + 400 * 86_400_000)).size, 0)
  })

  for (const [what, text] of [
    ['damaged', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['empty', ''],
    [
      'of another kind',
      generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    ],
  ] as const) {
    it(`is another account where the key of the one before is ${what}`, async (t) => {
      const { shelf } = await openShelf(t)
      const before = await pemOf(shelf)
      await writeFile(join(shelf.folder, 'account.key'), text)
      const after = await pemOf(shelf)
      assert.notEqual(after, before)
      assert.equal(await pemOf(shelf), after)
    })
  }

  it('costs the certificates, not the start, where it cannot be written', async (t) => {
    const folder = join(await tempFolder(t), 'file')
    await writeFile(folder, 'in the way')
    const { acme } = await openAcme(t, { directory: DIRECTORY, hosts: ['gw.example.org'], folder })
    assert.equal(acme.leaf('gw.example.org'), undefined)
    await acme.renewDue()
    const { status, detail = '' } = await acme.health()
    assert.equal(status, 'degraded')
    assert.match(detail, /cannot keep certificates in .*\(ENOTDIR\)/)
  })
})
