/** Verbs that change what the box keeps: all of them name a site and say nothing else. */
import { ask } from './admin-client.ts'
import { argument, type Verb } from './verb.ts'

function keeping(verb: string, done: string, help: string): Verb {
  return {
    usage: [`${verb} NAME`],
    help,
    options: {},
    takes: [1, 1],
    async run(input) {
      const name = argument(input, 0)
      const path = `/api/sites/${encodeURIComponent(name)}/${verb}`
      await ask(await input.stateDir(), 'POST', path)
      input.print(`${done} ${name}`, { done: true, name })
    },
  }
}

export const unpublishVerb = keeping(
  'unpublish',
  'no longer announced:',
  'Stops announcing and watching a site of this box. Its key and its versions stay.',
)
export const pinVerb = keeping(
  'pin',
  'pinned',
  'Keeps a site or torrent whole on this box, and its record alive in the DHT.',
)
export const unpinVerb = keeping('unpin', 'unpinned', 'Keeps a pinned site or torrent no longer.')
