import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { it } from 'node:test'
import { run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

it('a daemon one of whose roles cannot start says why and ends without waiting for the other', async (t) => {
  const folder = await tempFolder(t, 'cannot-start')
  const config = join(folder, 'btlinkd.yaml')
  const free = { port: 0 }
  await writeFile(
    config,
    // YAML reads JSON.
    JSON.stringify({
      gateway: free,
      proxy: { http_port: 0, https_port: 0 },
      blossom_server: free,
      tracker: { udp_port: 0 },
      dns: free,
      dht: { port: 0, bootstrap_nodes: [] },
      swarm: { port: 0, lsd: false },
      webrtc: { stun_servers: ['nonsense!!'] },
    }),
  )
  const launch = join(ROOT, 'src/app/launch.mjs')
  const args = [launch, 'serve', '--config', config, '--state', join(folder, 'state')]
  const env = { ...process.env, BTL_RUN_SOURCES: '1' }
  const { code, stdout, stderr } = await run(execPath, args, { env })
  const said = stdout + stderr
  assert.equal(code, 1, said)
  assert.match(said, /swarm: cannot start .*stun_servers has an entry that is not host:port/)
  assert.doesNotMatch(said, /did not stop in time/)
})
