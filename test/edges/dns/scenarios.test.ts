/** The house's questions, asked of each way to run its resolver by dig, with the internet as witness. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { DIG, withoutServers } from '../../support/dns-servers.ts'
import { missing } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import {
  FAKETIME,
  IN_1970,
  type Internet,
  type Setup,
  startInternet,
  startSetup,
} from './front-setups.ts'
import { dig } from './house.ts'
import type { Engine, Expected, Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** What an engine must say, or undefined where it has no such rule. */
function expectedOf(scenario: Scenario, engine: Engine): Expected | undefined {
  const except = scenario.except?.[engine]
  return except === null ? undefined : { ...scenario, ...except }
}

interface Answer {
  status: string
  flags: string[]
  answers: string[]
  hasSoa: boolean
}

async function askDig(port: number, { name, type, options = [] }: Scenario): Promise<Answer> {
  const text = await dig(port, '+nocookie', '+noidnin', '+noidnout', ...options, name, type)
  const section = (title: string) => {
    const [, after = ''] = text.split(`;; ${title} SECTION:\n`)
    return (after.split('\n\n')[0] ?? '').split('\n').filter((line) => line !== '')
  }
  return {
    status: /status: (\w+)/.exec(text)?.[1] ?? text,
    flags: (/;; flags: ([a-z ]*);/.exec(text)?.[1] ?? '').split(' '),
    // Name, TTL, class and type come before the data.
    answers: section('ANSWER').map((line) => line.split(/\s+/).slice(4).join(' ')),
    hasSoa: section('AUTHORITY').some((line) => /\sSOA\s/.test(line)),
  }
}

async function check(
  { port, box4, box6 }: Setup,
  scenario: Scenario,
  expected: Expected,
): Promise<void> {
  const { status, flags, answers, hasSoa } = await askDig(port, scenario)
  assert.equal(status, expected.status)
  if (expected.answers !== undefined) {
    const wanted = expected.answers.map((text) =>
      text.replace('<box4>', box4).replace('<box6>', box6),
    )
    assert.deepEqual(answers.toSorted(), wanted.toSorted())
  }
  if (expected.soa !== undefined) assert.equal(hasSoa, expected.soa, 'SOA')
  for (const flag of expected.flags ?? []) assert.ok(flags.includes(flag), `flag ${flag}`)
}

async function checkAll(
  t: TestContext,
  engine: Engine,
  setup: Setup,
  internet: Internet,
  isOffline: boolean,
): Promise<void> {
  for (const scenario of scenarios) {
    const expected = expectedOf(scenario, engine)
    if (expected === undefined || (isOffline && expected.leaves !== false)) continue
    await t.test(`${scenario.title} (${scenario.name.slice(0, 24)} ${scenario.type})`, async () => {
      await check(setup, scenario, expected)
      const name = scenario.name.toLowerCase().replace(/\.$/, '')
      if (expected.leaves !== undefined) {
        assert.equal(internet.heard().has(name), expected.leaves, 'the internet heard of it')
      }
    })
  }
  await t.test('no name of content left the house', () => {
    assert.deepEqual(
      [...internet.heard()].filter((name) => /(^|\.)btlink$/.test(name)),
      [],
    )
  })
}

const skip = withoutServers() || missing(DIG, FAKETIME)

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
