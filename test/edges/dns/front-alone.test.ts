/** Our process dies behind unbound: the house's DNS stays up, and what we told it stays told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withoutServers } from '../../support/dns-servers.ts'
import { until } from '../../support/until.ts'
import { withoutWrongClocks } from '../../support/wrong-clock.ts'
import { IN_1970, startInternet, startSetup } from './front-setups.ts'
import { dig } from './house.ts'
import { HOUSE_CONFIG, MAGNET } from './scenario.ts'

const short = async (port: number, name: string, type = 'A', ...more: string[]) =>
  (await dig(port, '+short', ...more, name, type)).trim()

const content = (digit: string) => `${digit.repeat(40)}-ih.btlink`

describe('unbound whose btlinkd is gone', {
  skip: withoutServers() || withoutWrongClocks(),
}, () => {
  it('answers the internet and the household, and names of content when it is back', async (t) => {
    const internet = await startInternet(t)
    const house = await startSetup(t, 'unbound', { internet })
    assert.equal(await short(house.port, content('a')), '192.168.77.1')
    await house.kill()
    assert.equal(await short(house.port, 'web.example.net'), '198.18.0.80')
    assert.equal(await short(house.port, 'nas.lan'), '192.168.1.5')
    assert.equal(await short(house.port, '_btlink.chromecast.link', 'TXT'), `"${MAGNET}"`)
    assert.equal(await short(house.port, 'wpad'), '192.168.77.1')
    assert.match(await dig(house.port, 'printer.lan'), /status: NXDOMAIN/)
    // What was asked lately is remembered; the rest waits for us, and does not leave the house.
    assert.equal(await short(house.port, content('a')), '192.168.77.1')
    assert.match(await short(house.port, content('b'), 'A', '+time=2'), /timed out/)
    await house.revive()
    const fresh = 'cdef0123456789'.split('')
    await until('names of content', async () => {
      const answer = await short(house.port, content(fresh.shift() ?? '0'), 'A', '+time=2')
      return answer === '192.168.77.1'
    })
    assert.deepEqual(
      [...internet.heard()].filter((name) => name.endsWith('btlink')),
      [],
    )
  })

  it('takes over what the household changed meanwhile, also from a btlinkd in 1970', async (t) => {
    const internet = await startInternet(t)
    const house = await startSetup(t, 'unbound', { internet })
    assert.equal(await short(house.port, 'nas.lan'), '192.168.1.5')
    for (const [last, env] of [
      ['7', process.env],
      ['8', IN_1970],
      ['9', IN_1970],
    ] as const) {
      await house.kill()
      const records = [...HOUSE_CONFIG.records.slice(1), `nas.lan=192.168.1.${last}`]
      await house.revive({ records }, env)
      await until(
        'the new record',
        async () => (await short(house.port, 'nas.lan')) === `192.168.1.${last}`,
      )
    }
  })

  it('starts with what it copied, before we do', async (t) => {
    const internet = await startInternet(t)
    const house = await startSetup(t, 'unbound', { internet })
    await house.kill()
    await house.restartFront()
    assert.equal(await short(house.port, '_btlink.chromecast.link', 'TXT'), `"${MAGNET}"`)
    assert.equal(await short(house.port, 'web.example.net'), '198.18.0.80')
    assert.equal(internet.heard().has('_btlink.chromecast.link'), false)
  })

  it('keeps its copy when its clock leaps from 1970 to today', async (t) => {
    const internet = await startInternet(t)
    const house = await startSetup(t, 'unbound', { internet, env: IN_1970 })
    await house.kill()
    await house.restartFront(process.env)
    assert.equal(await short(house.port, '_btlink.chromecast.link', 'TXT'), `"${MAGNET}"`)
  })
})
