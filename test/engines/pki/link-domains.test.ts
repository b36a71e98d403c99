import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { tempFolder } from '../../support/temp.ts'
import { openPki, siteHost } from './open-pki.ts'

const CAST = 'chromecast.link'
const VIDEO = 'video.example'

describe('link domains that the owner names', () => {
  it('have no root before, and one of their own after (E03)', async (t) => {
    const { pki, folder } = await openPki(t)
    await assert.rejects(pki.root('links'), { code: 'BTL_ERR_PKI_NO_AUTHORITY' })
    await assert.rejects(pki.leaf(CAST), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    assert.equal(pki.vouchesFor(CAST), false)
    assert.deepEqual(await readdir(folder), ['names'])

    const root = await pki.addLinkDomains([CAST])
    assert.deepEqual(root.permitted, [CAST])
    assert.deepEqual((await pki.leaf(`www.${CAST}`)).hosts, [`www.${CAST}`])
    assert.equal(pki.vouchesFor(`www.${CAST}`), true)
    assert.equal(pki.vouchesFor(`other${CAST}`), false)
    assert.equal(pki.vouchesFor(siteHost(1)), true)
    assert.notEqual(root.sha256, (await pki.root()).sha256)
    assert.equal((await stat(join(folder, 'link-domains'))).mode & 0o777, 0o600)
  })

  it('stay after a restart, with the same root', async (t) => {
    const { pki, folder } = await openPki(t)
    const { sha256 } = await pki.addLinkDomains([CAST])
    const { pki: again } = await openPki(t, { folder })
    assert.equal((await again.root('links')).sha256, sha256)
    assert.deepEqual(await again.linkDomains(), { configured: [], stated: [CAST] })
    assert.equal((await again.health()).status, 'ok')
  })

  it('come on top of those of the configuration', async (t) => {
    const { pki } = await openPki(t, { link_domains: [VIDEO] })
    const first = await pki.root('links')
    const second = await pki.addLinkDomains([CAST, VIDEO])
    assert.deepEqual(await pki.linkDomains(), { configured: [VIDEO], stated: [CAST] })
    assert.deepEqual(second.permitted, [VIDEO, CAST])
    assert.deepEqual(
      (await pki.former('links')).map(({ sha256 }) => sha256),
      [first.sha256],
    )
    await assert.rejects(pki.removeLinkDomains(), { code: 'BTL_ERR_PKI_CONFIGURED_DOMAIN' })
    await pki.removeLinkDomains([CAST])
    assert.equal((await pki.root('links')).sha256, second.sha256)
    await assert.rejects(pki.leaf(CAST), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    await pki.leaf(VIDEO)
  })

  it('cost no new root where the one in force vouches for them', async (t) => {
    const { pki } = await openPki(t)
    const { sha256 } = await pki.addLinkDomains([CAST, VIDEO])
    await pki.removeLinkDomains([VIDEO])
    assert.equal((await pki.addLinkDomains([VIDEO])).sha256, sha256)
    assert.equal((await pki.addLinkDomains([`www.${CAST}`])).sha256, sha256)
    assert.deepEqual(await pki.former('links'), [])
    assert.equal((await pki.health()).status, 'ok')
  })

  it('leave neither root nor key nor cached leaf when the last one goes', async (t) => {
    const { pki, folder } = await openPki(t)
    await pki.addLinkDomains([CAST])
    await pki.addLinkDomains([VIDEO])
    await pki.leaf(CAST)
    await pki.removeLinkDomains()
    await assert.rejects(pki.leaf(CAST), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    await assert.rejects(pki.root('links'), { code: 'BTL_ERR_PKI_NO_AUTHORITY' })
    assert.deepEqual(await readdir(join(folder, 'links')), [])
    assert.equal(await readFile(join(folder, 'link-domains'), 'utf8'), '')
    assert.equal((await pki.health()).status, 'ok')
    // Another time it is another root.
    assert.deepEqual((await pki.addLinkDomains([CAST])).permitted, [CAST])
  })

  it('are refused where no root may vouch for them, and then nothing changes', async (t) => {
    const { pki } = await openPki(t)
    const bad = ['com', 'Chromecast.link', '127.0.0.1', siteHost(1), 'a..b', '', 'x.link\ny.link']
    for (const domain of bad) {
      await assert.rejects(
        pki.addLinkDomains([CAST, domain]),
        { code: 'BTL_ERR_PKI_BAD_SETTING' },
        domain,
      )
    }
    const many = Array.from({ length: 51 }, (_, i) => `d${i}.example`)
    await assert.rejects(pki.addLinkDomains(many), { code: 'BTL_ERR_PKI_TOO_MANY_DOMAINS' })
    await assert.rejects(pki.removeLinkDomains([CAST]), { code: 'BTL_ERR_PKI_NO_AUTHORITY' })
    assert.deepEqual(await pki.linkDomains(), { configured: [], stated: [] })
    await assert.rejects(pki.root('links'), { code: 'BTL_ERR_PKI_NO_AUTHORITY' })
  })

  it('are all there when they are named at the same moment', async (t) => {
    const { pki } = await openPki(t)
    await Promise.all(
      ['a.example', 'b.example', 'c.example'].map((one) => pki.addLinkDomains([one])),
    )
    assert.deepEqual((await pki.linkDomains()).stated, ['a.example', 'b.example', 'c.example'])
    assert.equal((await pki.root('links')).permitted.length, 3)
  })

  it('are read from a file in which somebody wrote nonsense', async (t) => {
    const folder = join(await tempFolder(t), 'pki')
    await mkdir(folder)
    await writeFile(
      join(folder, 'link-domains'),
      `com\n${CAST}\n\u0000\n*.x.example\n${'x'.repeat(9e4)}`,
    )
    const { pki, logged } = await openPki(t, { folder })
    assert.deepEqual((await pki.linkDomains()).stated, [CAST])
    assert.deepEqual((await pki.root('links')).permitted, [CAST])
    assert.equal(logged.filter((line) => line.includes('a link domain is left out')).length, 4)
  })

  it('are known again when the disk is, and until then health says why', async (t) => {
    const folder = join(await tempFolder(t), 'pki')
    // Nobody can read a folder as a file, not even root.
    await mkdir(join(folder, 'link-domains'), { recursive: true })
    const { pki, clock } = await openPki(t, { folder })
    await assert.rejects(pki.leaf(CAST), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    await pki.leaf(siteHost(1))
    const { status, detail } = await pki.health()
    assert.equal(status, 'degraded')
    assert.match(detail ?? '', /EISDIR/)
    await assert.rejects(pki.addLinkDomains([CAST]), { code: 'BTL_ERR_PKI_UNWRITABLE' })
    await rmdir(join(folder, 'link-domains'))
    clock.at += 6000
    await pki.addLinkDomains([CAST])
    await pki.leaf(CAST)
    assert.equal((await pki.health()).status, 'ok')
  })
})
