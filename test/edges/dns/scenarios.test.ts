/** The house's questions, asked of each way to run its resolver by dig, with the internet as witness. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DIG, withoutServers } from '../../support/dns-servers.ts'
import { missing } from '../../support/processes.ts'
import { withoutWrongClocks } from '../../support/wrong-clock.ts'
import { startInternet, startSetup } from './front-setups.ts'
import { dig } from './house.ts'
import { checkAll } from './scenario-runner.ts'

const skip = withoutServers() || missing(DIG) || withoutWrongClocks()

for (const engine of ['embedded', 'unbound', 'dnsmasq'] as const) {
  describe(`the house with ${engine}`, { skip }, () => {
    it('is told what it must be told', async (t) => {
      const internet = await startInternet(t)
      const setup = await startSetup(t, engine, { internet })
      await checkAll(t, engine, setup, internet, false)
    })

    it('is told what was known when the internet is gone', async (t) => {
      const internet = await startInternet(t)
      const setup = await startSetup(t, engine, { internet })
      const stale = ['+noall', '+answer', 'stale.example.net']
      assert.match(await dig(setup.port, ...stale), /198\.18\.0\.81/)
      await internet.stop()
      await new Promise((done) => setTimeout(done, 1200))
      assert.match(
        await dig(setup.port, ...stale),
        /stale\.example\.net\.\s+\d{1,2}\s.*198\.18\.0\.81/,
      )
      assert.match(await dig(setup.port, 'btlink', 'A'), /ANSWER: 1/)
    })
  })
}
