/** Keeps what is the daemon's own out of what is published: its keys, its database, its sockets. */
import { realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { BadFolder } from './errors.ts'

const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep)

/** The same folder under the name that links do not change; itself where there is none yet. */
const placeOf = (folder: string): Promise<string> => realpath(folder).catch(() => folder)

/**
 * @param own folders of the daemon
 * @throws BTL_ERR_PUBLISH_BAD_FOLDER where one of them is in the folder, or around it
 */
export async function refuseOwn(folder: string, own: readonly string[]): Promise<void> {
  const place = await placeOf(folder)
  for (const each of own) {
    const ownPlace = await placeOf(each)
    if (isWithin(ownPlace, place) || isWithin(place, ownPlace)) {
      throw new BadFolder(folder, `btlinkd keeps its keys and database in ${each}`)
    }
  }
}
