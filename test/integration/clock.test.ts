import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { publish } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { createWrongClock, withoutWrongClocks } from '../support/wrong-clock.ts'

describe('a box whose clock is set', {
  skip: withoutWrongClocks() || missing('/usr/bin/curl'),
}, () => {
  it('goes on as before: a day back, and from 1970 to now', async (t) => {
    const { env, set } = await createWrongClock(t, '@1970-01-02 00:00:20')
    const box = await createTestDaemon(t, { env })
    const site = join(await tempFolder(t, 'clock'), 'site')
    const changes = {
      back: '@1970-01-01 00:00:20',
      forth: '@2026-06-01 00:00:00',
      again: '@2026-05-31 00:00:00',
    }
    await writeSite(site, { 'index.html': 'first' })
    const { host } = await publish(box, site, 'home')
    assert.equal((await box.get(host)).text(), 'first')
    for (const [text, to] of Object.entries(changes)) {
      await set(to)
      await writeSite(site, { 'index.html': text })
      await publish(box, site, 'home')
      await until(`the page of "${text}"`, async () => (await box.get(host)).text() === text)
    }
    const { uptimeSeconds } = await box.json('status')
    assert.ok(Number(uptimeSeconds) < 3600, `up ${String(uptimeSeconds)} s`)
  })
})
