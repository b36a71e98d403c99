/** Asks a house's questions with dig, and the internet what it heard of them. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Internet, Setup } from './front-setups.ts'
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

/** Asks them all; `isOffline`: those that nobody else hears of. */
export async function checkAll(
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
