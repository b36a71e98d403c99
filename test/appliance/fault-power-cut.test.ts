import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CutOutcome, pullPlugs } from '../support/power-cuts.ts'
import { withoutUml } from '../support/uml.ts'
import { makeAppDisk } from '../support/uml-app.ts'

const CUTS = Number(process.env['BTL_CUTS'] ?? 20)
/** Machines that run beside each other. */
const SIDE_BY_SIDE = 2

describe('a box whose plug is pulled', { skip: withoutUml() }, () => {
  it(`R21 loses nothing it acknowledged in ${CUTS} cuts, and starts after each`, async (t) => {
    const app = await makeAppDisk(t)
    const each = Math.ceil(CUTS / SIDE_BY_SIDE)
    const outcomes = await Promise.all(
      Array.from({ length: SIDE_BY_SIDE }, async (_, index) =>
        pullPlugs(t, app, Math.min(each, CUTS - index * each), (text) =>
          t.diagnostic(`machine ${index + 1}: ${text}`),
        ),
      ),
    )
    const sum = (of: (outcome: CutOutcome) => number): number =>
      outcomes.reduce((total, one) => total + of(one), 0)
    t.diagnostic(
      `${sum((one) => one.cuts)} cuts, ${sum((one) => one.boots)} boots, ${sum((one) => one.acks)} acknowledged, ${sum((one) => one.lost.length)} lost`,
    )
    for (const { lost, reused, unbootable } of outcomes) {
      assert.deepEqual(unbootable, [])
      assert.deepEqual(lost, [])
      assert.deepEqual(reused, [])
    }
    assert.ok(sum((one) => one.acks) > CUTS * 3, 'too little was written to mean anything')
  })
})
