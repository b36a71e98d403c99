/** What a house notices of a box whose parts die, and of an internet that is gone: as little as can be. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { DIG } from '../support/dns-servers.ts'
import { INTERNET, withoutHouse } from '../support/house.ts'
import { ORDINARY } from '../support/house-internet.ts'
import { untilTheEnd, WELCOME_TITLE, type WholeHouse, wholeHouse } from '../support/house-whole.ts'
import { missing, run } from '../support/processes.ts'
import { until } from '../support/until.ts'

describe('a house in trouble', { skip: withoutHouse() || missing(DIG) }, () => {
  const all = untilTheEnd()
  let home: WholeHouse
  /** What a device learns within a second of asking once, with the server and times that it got. */
  const ask = async (name: string): Promise<string> => {
    const args = ['+tries=1', '+time=1', '+short', name, 'A']
    const { stdout } = await run(DIG, args, { netns: home.house.laptops[0].netns })
    return stdout.trim()
  }
  const page = async (url: string) =>
    curl(url, { netns: home.house.laptops[0].netns, maxSeconds: 5 })
  const killed = async (role: string): Promise<number> => {
    const pid = await home.box.rolePid(role)
    assert.ok(pid)
    process.kill(pid, 'SIGKILL')
    return pid
  }
  const back = async (role: string, former: number) =>
    until(`the ${role} role`, async () => {
      const pid = await home.box.rolePid(role)
      return pid !== undefined && pid !== former
    })

  before(async () => {
    home = await wholeHouse(all)
  })

  it('has names again right after the resolver was killed', async (t) => {
    assert.equal(await ask(ORDINARY), INTERNET.web)
    const former = await killed('dns')
    const startedAt = performance.now()
    // A question that meets nobody waits for its second to end: others are asked meanwhile.
    const asked: Promise<void>[] = []
    let isBack = false
    await until(
      'names',
      () => {
        const one = ask(home.welcome).then((address) => {
          isBack ||= address === home.house.box.address
        })
        asked.push(one)
        return isBack
      },
      { timeoutMs: 10_000 },
    )
    t.diagnostic(`names were back after ${Math.round(performance.now() - startedAt)} ms`)
    await Promise.all(asked)
    assert.equal(await ask(ORDINARY), INTERNET.web)
    await back('dns', former)
    const through = await page(`http://${ORDINARY}/`)
    assert.equal(through.status, 200)
  })

  it('goes on with names and known pages while the swarm is dead', async () => {
    const { welcome, house } = home
    const former = await killed('swarm')
    for (let round = 0; round < 5; round++) {
      assert.equal(await ask(welcome), house.box.address)
      assert.equal(await ask(ORDINARY), INTERNET.web)
      const answer = await page(`http://${welcome}/`)
      assert.ok(answer.text().includes(WELCOME_TITLE), `${round}: ${answer.status}`)
    }
    await back('swarm', former)
  })

  it('goes on with names and the internet while the gateway is dead, and has it back', async () => {
    const { welcome, house } = home
    const former = await killed('web')
    assert.equal(await ask(welcome), house.box.address)
    const ordinary = await page(`http://${ORDINARY}/`)
    assert.equal(ordinary.status, 200)
    await back('web', former)
    const answer = await until('the gateway', async () => page(`http://${welcome}/`))
    assert.ok(answer.text().includes(WELCOME_TITLE), String(answer.status))
  })
})
