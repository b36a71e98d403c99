/** The house's questions, asked of a box whose clock nobody has set. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DIG, withoutServers } from '../../support/dns-servers.ts'
import { missing } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { withoutWrongClocks } from '../../support/wrong-clock.ts'
import { IN_1970, startInternet, startSetup } from './front-setups.ts'
import { dig } from './house.ts'
import { checkAll } from './scenario-runner.ts'

const skip = withoutServers() || missing(DIG) || withoutWrongClocks()

for (const engine of ['embedded', 'unbound'] as const) {
  describe(`the house with ${engine} in 1970`, { skip }, () => {
    it('is told all that is its own, without an internet', async (t) => {
      const internet = await startInternet(t)
      await internet.stop()
      const setup = await startSetup(t, engine, { internet, env: IN_1970 })
      await checkAll(t, engine, setup, internet, true)
      // Unbound drops what took it too long; who asks again is told.
      await until('a failure', async () =>
        /status: SERVFAIL/.test(await dig(setup.port, '+time=1', 'web.example.net', 'A')),
      )
    })

    it('is told of the internet where there is one', async (t) => {
      const internet = await startInternet(t)
      const setup = await startSetup(t, engine, { internet, env: IN_1970 })
      assert.match(await dig(setup.port, '+short', 'web.example.net', 'A'), /198\.18\.0\.80/)
    })
  })
}
