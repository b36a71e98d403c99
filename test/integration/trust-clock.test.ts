import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { certificatesOf, firstOf } from '../engines/pki/open-pki.ts'
import { OPENSSL, rootFileOf, sClient, site } from '../support/box-trust.ts'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { missing } from '../support/processes.ts'
import { createWrongClock, withoutWrongClocks } from '../support/wrong-clock.ts'

const DAY = 86_400_000

/** How a client with the right time finds it. */
async function verdict(box: TestDaemon, host: string, rootFile: string): Promise<string> {
  const { stdout } = await sClient(box, '-servername', host, '-CAfile', rootFile, '-showcerts')
  for (const one of certificatesOf(stdout)) {
    assert.ok(Date.parse(one.validFrom) < Date.now(), `${one.subject} begins ${one.validFrom}`)
    assert.ok(Date.parse(one.validTo) > Date.now() + DAY, `${one.subject} ends ${one.validTo}`)
  }
  return /Verify return code: (.*)/.exec(stdout)?.[1] ?? stdout
}

describe('a box that starts for the first time with a wrong clock (E08, E09)', {
  skip: withoutWrongClocks() || missing(OPENSSL),
}, () => {
  for (const [what, day] of [
    ['in 1970', '1970-01-02 00:00:20'],
    ['decades ahead', '2070-01-02 00:00:20'],
  ] as const) {
    it(`${what} opens https for devices whose clocks are right, then and after it was set`, async (t) => {
      const { env, set } = await createWrongClock(t, `@${day}`)
      const box = await createTestDaemon(t, { env })
      const rootFile = await rootFileOf(t, box)
      assert.equal(await verdict(box, site(1), rootFile), '0 (ok)')
      const pki = async () => {
        const { components } = (await box.api('/api/health')).json() as {
          components: Record<string, { status: string; detail?: string }>
        }
        return components['pki']
      }
      assert.match((await pki())?.detail ?? '', /the clock cannot be right/)

      await set('+0')
      assert.equal(await verdict(box, site(1), rootFile), '0 (ok)')
      const leaf = firstOf((await sClient(box, '-servername', site(2))).stdout)
      const from = Date.parse(leaf.validFrom)
      assert.ok(Math.abs(Date.now() - from - 25 * 3_600_000) < 600_000, leaf.validFrom)
      assert.equal((await pki())?.status, 'ok')
    })
  }
})
