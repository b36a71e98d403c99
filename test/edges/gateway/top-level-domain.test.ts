import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startGateway } from './fixture.ts'

const INFO_HASH = 'faeb1cb84ceba1f569c8312228cc4e7054b16eca'
const KEY = '3bkn7umqo2g90xy96r2wpyrlu5j7n6s8ii3eoz4ra5nv45hh6m'

describe('the top-level domain', () => {
  it('is the configured one, and the default then means nothing (A02)', async (t) => {
    const box = await startGateway(t, { btlink: { tld: 'bt2' } })
    assert.equal((await box.ask('bt2', '/')).status, 200)
    assert.equal((await box.ask('nothing.bt2', '/')).status, 400)
    assert.equal((await box.ask('btlink', '/')).status, 404)
    assert.equal((await box.ask(`${INFO_HASH}-ih.btlink`, '/')).status, 404)
  })

  it('takes over names of the former one only when told to (A03)', async (t) => {
    const off = await startGateway(t)
    assert.equal((await off.ask(`${INFO_HASH}.ih.bt`, '/a?b')).status, 404)
    const on = await startGateway(t, { btlink: { redirect_bt: true } })
    const torrent = await on.ask(`${INFO_HASH}.ih.bt`, '/a?b')
    assert.equal(torrent.status, 307)
    assert.equal(torrent.headers['location'], `http://${INFO_HASH}-ih.btlink/a?b`)
    const site = await on.ask(`s.${KEY}.pk.bt`, '/')
    assert.equal(site.headers['location'], `http://s.${KEY}-pk.btlink/`)
  })
})
