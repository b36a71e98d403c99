import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { messageOf } from '../../../src/base/errors.ts'
import { FIREFOX, firefoxWindow, type FirefoxWindow } from '../../support/marionette.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { compare, type TrustCase, trustCases, type Verdict } from './trust-cases.ts'

const CERTUTIL = '/usr/bin/certutil'

function needsMount(): string | false {
  try {
    execFileSync('/usr/bin/unshare', ['--mount', '/usr/bin/true'], { stdio: 'ignore' })
    return false
  } catch {
    const what = 'needs root and the right to a mount namespace'
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(what)
    return what
  }
}

async function visit(window: FirefoxWindow, { host, port, title }: TrustCase): Promise<Verdict> {
  try {
    await window.open(`https://${host}:${port}/`)
    return { taken: (await window.title()) === title, reason: await window.title() }
  } catch (error) {
    const reason = messageOf(error)
    assert.match(reason, /insecure certificate|SEC_ERROR|SSL_ERROR|MOZILLA_PKIX/, reason)
    return { taken: false, reason }
  }
}

describe('Firefox', { skip: missing(FIREFOX, CERTUTIL) }, () => {
  it('takes the sites of this box and refuses the rest, with the root in its profile', async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const profile = await tempFolder(t, 'firefox')
    const database = ['-d', `sql:${profile}`]
    await output(CERTUTIL, ['-N', ...database, '--empty-password'])
    await output(CERTUTIL, ['-A', ...database, '-n', 'btlink', '-t', 'C,,', '-i', rootFile])
    const window = await firefoxWindow(t, profile)
    await compare(cases, (one) => visit(window, one))
  })

  it('takes a site and refuses a foreign domain, with the root from the policy of an administrator', {
    skip: needsMount(),
  }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const policies = await tempFolder(t, 'policies')
    const policy = { policies: { Certificates: { Install: [rootFile] } } }
    await writeFile(join(policies, 'policies.json'), JSON.stringify(policy))
    const window = await firefoxWindow(t, await tempFolder(t, 'firefox'), { policies })
    const few = cases.filter(({ title }) =>
      ['a torrent', 'a salt of a key', 'a foreign domain', 'an address'].includes(title),
    )
    assert.equal(few.length, 4)
    await compare(few, (one) => visit(window, one))
  })

  it('refuses every site while nobody gave it the root', async (t) => {
    const { cases } = await trustCases(t)
    const window = await firefoxWindow(t, await tempFolder(t, 'firefox'))
    const few = cases.slice(0, 2).map((one) => ({ ...one, isGood: false }))
    await compare(few, (one) => visit(window, one))
  })
})
