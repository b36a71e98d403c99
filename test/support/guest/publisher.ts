/**
 * A household that writes without a pause: starts the daemon on the disk, checks what earlier boots
 * acknowledged (argv[2]: a file with that), then publishes, makes keys, pins, and changes the list of
 * link domains until the plug is pulled, or as often as argv[4] says. Every acknowledgement is a line on
 * the console, and a mark in the log of the device argv[5], where one is named.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as StoreRoom from '../../../src/engines/store/index.ts'
import { publishPage, createBox, tell } from './box.ts'
import { inOrder, lostOf, type Promises, type TrustView } from './promises.ts'
import { startWitness } from './witness.ts'

const { createKeyStore } = (await import(
  join(import.meta.dirname, '../dist/engines/store/index.js')
)) as typeof StoreRoom

const [, , promisesFile = '', roundText = '0', endAfter = '0', device = ''] = process.argv
const promises = JSON.parse(readFileSync(promisesFile, 'utf8')) as Promises
const round = Number(roundText)

startWitness(7001)
const box = createBox()
await box.start()
tell('ready')
const lost = await lostOf(box, promises)
for (const line of lost) tell('LOST', line)
tell('checked', lost.length)

const { json: trust } = await box.ask<TrustView>('GET', '/api/trust')
const keys = createKeyStore(join(box.state, 'keys'), {
  debug() {},
  info() {},
  warn() {},
  error() {},
})
let domains = trust.linkDomains.stated.toSorted(inOrder)
/** Into the log of the disk itself, where there is one: at that place in it this was acknowledged. */
const mark = (...words: (string | number)[]): void => {
  if (device === '') return
  const line = ['message', device, '0', 'mark', words.join('_')]
  execFileSync('/usr/sbin/dmsetup', line, { stdio: 'ignore' })
}
const acked = (...words: (string | number)[]): void => {
  mark('acked', ...words)
  tell('acked', ...words)
}
acked('root', trust.names.sha256)
for (let n = round * 10_000, i = 0; Number(endAfter) === 0 || i < Number(endAfter); n++, i++) {
  const key = `site${n % 3}`
  const page = await publishPage(box, key, n, n % 4 === 0)
  acked('page', key, n, page.seq, page.infoHash, page.publicKey)
  if (i % 3 === 1) {
    const { status } = await box.ask<unknown>('POST', `/api/sites/${page.infoHash}-ih.btlink/pin`)
    if (status === 200) acked('pin', page.infoHash)
  }
  if (i % 2 === 0) acked('key', `k${n}`, await keys.create(`k${n}`))
  const domain = `d${n % 4}.example.org`
  const isThere = domains.includes(domain)
  const wanted = isThere
    ? domains.filter((one) => one !== domain)
    : [...domains, domain].toSorted(inOrder)
  mark('asked', 'links', wanted.join(','))
  tell('asked links', wanted.join(','))
  const path = '/api/trust/link-domains'
  const { status, json } = isThere
    ? await box.ask<unknown>('DELETE', `${path}?domain=${domain}`)
    : await box.ask<unknown>('POST', path, { domains: [domain] })
  if (status !== 200) tell('refused', status, JSON.stringify(json))
  else {
    domains = wanted
    acked('links', wanted.join(','))
  }
}
await box.stop()
tell('published')
process.exit(0)
