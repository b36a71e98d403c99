import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { flushPoints } from '../support/flush-points.ts'
import { withoutUml } from '../support/uml.ts'
import { makeAppDisk } from '../support/uml-app.ts'

const STATES = Number(process.env['BTL_STATES'] ?? 48)
const RUNS = Number(process.env['BTL_RUNS'] ?? 1)
const PUBLICATIONS = Number(process.env['BTL_PUBLICATIONS'] ?? 6)

describe('a disk as it is at any flush', { skip: withoutUml() }, () => {
  it(`R21 is mounted, opened and has all that was acknowledged, at up to ${STATES} points`, async (t) => {
    const app = await makeAppDisk(t)
    let states = 0
    const bad: string[] = []
    for (let run = 0; run < RUNS; run++) {
      const outcome = await flushPoints(t, app, { publications: PUBLICATIONS, most: STATES })
      states += outcome.states
      bad.push(...outcome.bad)
      t.diagnostic(
        `${outcome.entries} writes, ${outcome.points} points (${outcome.marks} marks): ${outcome.states} states, ${outcome.bad.length} bad`,
      )
    }
    assert.deepEqual(bad, [])
    assert.ok(states >= 40, `only ${states} states`)
  })
})
