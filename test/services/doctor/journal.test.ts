/** What systemd's journal keeps of our lines: the real one, which keeps it in a folder of its own. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createLog, type LogOptions } from '../../../src/app/log-lines.ts'
import { withoutNetns } from '../../support/household.ts'
import { missing, run, start } from '../../support/processes.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { createPatient } from './patient.ts'

const JOURNALD = '/lib/systemd/systemd-journald'
const JOURNALCTL = '/usr/bin/journalctl'
const UNSHARE = '/usr/bin/unshare'
const UNIT = 'btlinkd-web.service'

const MARK = 'systemd/journald.conf.d/99-test.conf'
const ALONE = `mount -t tmpfs -o size=64m btl-journal /run
mkdir -p /run/log/journal /run/systemd/journal /run/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nReadKMsg=no\n' > /run/${MARK}
exec ${JOURNALD}`

/** A journal of its own; gives the script that asks it, and how a unit of ours writes into it. */
async function journal(t: TestContext) {
  const { pid } = start(t, UNSHARE, ['-m', 'sh', '-ec', ALONE])
  const root = `/proc/${pid}/root/run`
  const asked = [JOURNALCTL, '-D', `${root}/log/journal`]
  const at = `${root}/systemd/journal/stdout`
  const open = () => {
    // journald has nothing to say, and closes its side at once.
    const stream = connect({ path: at, allowHalfOpen: true })
    // As PID 1 opens it: name, unit, priority, "lines begin with one", to be passed on to nobody.
    stream.write(`btlinkd\n${UNIT}\n6\n1\n0\n0\n0\n`)
    return new Promise<typeof stream>((resolve, reject) => {
      stream.once('connect', () => resolve(stream))
      stream.once('error', reject)
    })
  }
  // Before, its root is that of this machine.
  await until('a journal of its own', () => existsSync(`${root}/${MARK}`))
  const stream = await until('journald', () => open().catch(() => undefined))
  finallyDo(t, () => void stream.destroy())
  const [program = '', ...given] = asked
  const has = async (text: string) =>
    (await run(program, [...given, '-q', '-o', 'cat'])).stdout.includes(text)
  return {
    journalctl: `exec ${asked.join(' ')} "$@"`,
    /** Lines of a role; there once it resolves. */
    async write(format: LogOptions['format'], lines: (log: ReturnType<typeof createLog>) => void) {
      const to = (line: string) => void stream.write(line)
      const log = createLog('web', { level: 'debug', format }, to, true)
      lines(log)
      const last = `last of ${format}`
      log.info({}, last)
      await until(last, () => has(last))
    },
  }
}

const times = (count: number, work: () => void) => Array.from({ length: count }, work)

describe('the log, as the journal has it', {
  skip: withoutNetns() || missing(JOURNALD, JOURNALCTL, UNSHARE),
  concurrency: 2,
}, () => {
  for (const format of ['text', 'json'] as const) {
    it(`counts faults in lines of ${format}, and nothing else`, async (t) => {
      const own = await journal(t)
      const { journalctl } = own
      const { look } = await createPatient(t, { programs: { journalctl } })
      await own.write(format, (log) => {
        times(40, () => log.warn({ host: 'error' }, 'is slow, level="error": error web: so'))
        log.error({}, 'is away')
      })
      const quiet = await look('log-errors')
      assert.deepEqual([quiet.state, quiet.line], ['ok', '1 faults in the last hour'])
      await own.write(format, (log) => {
        times(35, () => log.error({}, 'is away'))
        // More lines than are read do not hide them.
        times(600, () => log.debug({}, 'goes on'))
      })
      const loud = await look('log-errors')
      assert.equal(loud.state, 'warning', loud.line)
      assert.match(loud.line, /^36 faults in an hour, the last: .*web/)
    })
  }
})
