import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { missing, run } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'
import { env, LAUNCH } from './state-at-rest.ts'

const PYTHON = '/usr/bin/python3'

/** Runs a program at a terminal, and once it asks does what is said: sends a signal, or hangs up. */
const AT_A_TERMINAL = `
import os, pty, signal, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
asked = b''
while b'Type yes' not in asked:
    asked += os.read(fd, 4096)
if sys.argv[1] == 'hangup':
    os.close(fd)
elif sys.argv[1] == 'ctrl-c':
    os.write(fd, b'\\x03')
else:
    os.kill(pid, getattr(signal, sys.argv[1]))
os.waitpid(pid, 0)
`
const DAEMON = `
import { createRunFolder } from '${ROOT}/src/app/run-folder.ts'
await createRunFolder(process.argv[1], 'web', 0).start(AbortSignal.timeout(5000))
console.log('holds')
setInterval(() => {}, 1000)
`

for (const how of ['hangup', 'ctrl-c', 'SIGHUP', 'SIGTERM']) {
  const title = `a reset that is given up by ${how} starts the daemon that it stopped (R20)`
  it(title, { skip: missing(PYTHON) }, async (t) => {
    const home = await tempFolder(t)
    const state = join(home, 'state')
    await mkdir(state)
    const daemon = spawn(process.execPath, ['--input-type=module', '-e', DAEMON, state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => daemon.kill('SIGKILL'))
    await once(daemon.stdout, 'data')
    const asked = join(home, 'asked')
    const program = join(home, 'systemctl')
    const stop = `[ "$1" = stop ] && kill ${daemon.pid}`
    await writeFile(program, `#!/bin/sh\necho "$1" >> ${asked}\n${stop}\nexit 0\n`)
    await chmod(program, 0o755)
    const verb = [LAUNCH, 'reset', '--factory', '--stop', '--state', state]
    await run(PYTHON, ['-c', AT_A_TERMINAL, how, process.execPath, ...verb], {
      env: { ...env, PATH: `${home}:${process.env['PATH']}` },
    })
    assert.deepEqual((await readFile(asked, 'utf8')).trim().split('\n'), [
      'is-active',
      'stop',
      'start',
    ])
  })
}
