/** The web role of `mode: proxy-only`: the door of a house whose names another box answers for. */
import { join } from 'node:path'
import { steadyClock, systemClock } from '../base/ports/clock.ts'
import { createHouseClock } from '../engines/clock/index.ts'
import { createLinks } from '../services/links/index.ts'
import type { Config } from './config/schema.ts'
import { composeDoor } from './door.ts'
import { composeNames, linksOptions } from './house-names.ts'
import { createLog } from './log-lines.ts'
import type { ComposedRole } from './roles/composed-role.ts'
import type { GivenSockets } from './roles/given-sockets.ts'
import { createRunFolder } from './run-folder.ts'
import { packageFile } from './version.ts'

export function composeProxy(config: Config, given: GivenSockets): ComposedRole {
  const log = createLog('web', config.log)
  const names = composeNames(config, log)
  const links = createLinks({ upstream: names, clock: steadyClock, log }, linksOptions(config))
  const clock = createHouseClock({
    clock: systemClock,
    log,
    file: join(config.state_dir, 'clock'),
    builtFile: packageFile,
  })
  const { acme, pki, proxy, ...door } = composeDoor(
    {
      log,
      clock: clock.time,
      names,
      links,
      dns: () => names.endpoints(),
      // The proxy asks the other box instead.
      serve: (_req, res) => res.destroy(),
    },
    config,
    given,
  )

  return {
    components: [
      createRunFolder(config.state_dir, 'web'),
      clock,
      ...names.components,
      links,
      pki,
      proxy,
      acme,
    ],
    listeners: async () => door.listeners(),
    ask: (signal) => door.ask(signal),
    status: () => door.status(),
    async afterStart() {
      return [
        'btlinkd is a proxy:',
        `  names are answered by  ${config.proxy.gateway}`,
        `  set browsers up with   http://127.0.0.1:${proxy.httpPort}/.btlink/proxy.pac`,
      ].join('\n')
    },
  }
}
