/** The configuration of the resolver in front: what is there, and what should be. */
export const FRONT_FILE = '/etc/unbound/unbound.conf.d/btlinkd.conf'

/**
 * The networks of the provider that the house had when the file was made. They change by day and by
 * device, and the image's file was made before it had any: no reason to make it anew.
 */
const OF_THE_DAY = /^ *access-control: ([23][0-9a-f]{3}:[0-9a-f:]*\/(?:64|128)) allow\n/gm

const networksIn = (text: string): string[] =>
  [...text.matchAll(OF_THE_DAY)].flatMap(([, network]) => network ?? [])

export interface Compared {
  /** But for networks of the day. */
  isAsAsked: boolean
  /** Networks of the house now, from which nobody is answered. */
  unanswered: string[]
}

export function compareFront(written: string, asked: string): Compared {
  const known = new Set(networksIn(written))
  return {
    isAsAsked: written.replaceAll(OF_THE_DAY, '') === asked.replaceAll(OF_THE_DAY, ''),
    unanswered: networksIn(asked).filter((network) => !known.has(network)),
  }
}
