import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { it } from 'node:test'
import { household, withoutNetns } from '../../support/household.ts'
import { missing, output } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'

const DAEMON = '/usr/sbin/avahi-daemon'
const UNSHARE = '/usr/bin/unshare'
const skip = missing(DAEMON, UNSHARE) || withoutNetns()

// The path of Avahi's socket is built into it: daemon and asker have a /run of their own.
const SCRIPT = `
mount -t tmpfs none /run && mkdir /run/avahi-daemon
"$1" --no-drop-root --no-rlimits --no-chroot -f "$2" &
daemon=$!
"$3" --input-type=module -e "$4"
kill $daemon
wait $daemon
`
/** Asks, then stays until the other has asked too: it is the other's daemon that answers. */
const ASK = (name: string, mine: string, other: string) => `
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { askAvahi } from '${join(ROOT, 'src/engines/webrtc/avahi.ts')}'
let found
for (let tries = 0; found === undefined && tries < 40; tries++) {
  found = await askAvahi('${name}')
  if (found === undefined) await sleep(250)
}
writeFileSync('${mine}', '')
for (let tries = 0; !existsSync('${other}') && tries < 200; tries++) await sleep(50)
console.log(found)
`

const configuration = (host: string) => `[server]
host-name=${host}
allow-interfaces=eth0
enable-dbus=no
use-ipv6=no
[wide-area]
enable-wide-area=no
`

it('asks a real Avahi for the name of another device', { skip }, async (t) => {
  const folder = await tempFolder(t, 'avahi')
  const [box, phone] = await household(t, 'box', 'phone')
  assert.ok(box && phone)
  const runs = [
    { ...box, host: 'box', other: 'phone' },
    { ...phone, host: 'phone', other: 'box' },
  ]
  const asked = await Promise.all(
    runs.map(async ({ netns, host, other }) => {
      const config = join(folder, `${host}.conf`)
      await writeFile(config, configuration(host))
      const ask = ASK(`${other}.local`, join(folder, host), join(folder, other))
      const script = ['-m', 'sh', '-c', SCRIPT, 'sh', DAEMON, config, execPath, ask]
      return output(UNSHARE, script, { netns, timeoutMs: 30_000 })
    }),
  )
  assert.deepEqual(
    asked.map((text) => text.trim()),
    [phone.address, box.address],
  )
})
