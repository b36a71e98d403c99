import { serve } from '../serve.ts'
import { ROLES } from '../serve-args.ts'
import type { Verb } from './verb.ts'

/** Only `serve --help` comes this way; see main.ts. */
export const serveVerb: Verb = {
  usage: [`serve [--config FILE] [--state DIR] [--role ${ROLES.join('|')}]`],
  help: 'Runs the daemon: all roles under a supervisor, or one role for a systemd unit.',
  options: { role: { type: 'string' } },
  takes: [0, 0],
  run: async () => void (await serve([])),
}
