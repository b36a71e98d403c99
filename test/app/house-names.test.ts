/** What the web role learns of DNS is what the house's resolver says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLASS, RCODE, TYPE } from '../../src/base/dns/codes.ts'
import { readTxt } from '../../src/base/dns/record-data.ts'
import { utf8Text } from '../../src/base/bytes.ts'
import { askHouse, createLookup } from '../../src/app/house-names.ts'
import { startHouse } from '../edges/dns/house.ts'
import { named } from '../support/dns-zone.ts'

const signal = new AbortController().signal

describe('names as the web role asks for them', () => {
  it('have the addresses that the household wrote, IPv4 first', async (t) => {
    const records = ['nas.lan=fd00::5', 'nas.lan=192.168.1.5']
    const { dns, upstream } = await startHouse(t, { records })
    const lookup = createLookup(askHouse(dns))
    assert.deepEqual(await lookup('nas.lan', signal), ['192.168.1.5', 'fd00::5'])
    assert.deepEqual(await lookup('NAS.lan.', signal), ['192.168.1.5', 'fd00::5'])
    assert.deepEqual(upstream.asked, [])
  })

  it('have no address where there is none, and say so when nobody could be asked', async (t) => {
    const { dns, upstream } = await startHouse(t)
    const lookup = createLookup(askHouse(dns))
    assert.deepEqual(await lookup('no-such-name.lan', signal), [])
    assert.deepEqual(await lookup('not a name '.repeat(40), signal), [])
    upstream.script = () => ({ rcode: RCODE.SERVFAIL })
    await assert.rejects(lookup('broken.example.test', signal), {
      code: 'BTL_ERR_APP_NO_DNS_ANSWER',
    })
  })

  it('have the texts of their records, as long as a message may be', async (t) => {
    const long = 'x'.repeat(180)
    const records = Array.from({ length: 20 }, (_, i) => `many.lan=TXT ${i} ${long}`)
    const { dns } = await startHouse(t, { records })
    const question = { name: named('many.lan'), type: TYPE.TXT, class: CLASS.IN }
    const { message } = await askHouse(dns).ask(question, signal)
    const texts = message.answers.map(({ data }) => readTxt(data).map((part) => utf8Text(part)))
    assert.equal(texts.length, 20)
    assert.ok(texts.some(([text]) => text === `7 ${long}`))
  })

  it('are an error where the resolver is silent', async () => {
    const silent = askHouse({ answer: async () => undefined })
    const question = { name: named('a.example'), type: TYPE.A, class: CLASS.IN }
    await assert.rejects(silent.ask(question, signal), { code: 'BTL_ERR_APP_NO_DNS_ANSWER' })
    const broken = askHouse({ answer: async () => Uint8Array.of(1, 2, 3) })
    await assert.rejects(broken.ask(question, signal), { code: 'BTL_ERR_APP_NO_DNS_ANSWER' })
  })
})
