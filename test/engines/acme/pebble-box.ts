/** A gateway and Pebble, whose first orders have ended. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Pebble, type PebbleOptions, startPebble } from '../../support/pebble.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type Door, type OpenAcme, openAcme, type OpenOptions, startDoor } from './open-acme.ts'

export interface Box extends OpenAcme {
  door: Door
  pebble: Pebble
}

export interface BoxOptions extends OpenOptions {
  pebble?: Partial<PebbleOptions>
  /** Put something in the way of certificates once the orders have begun. */
  spoil?: boolean
}

async function spoilFolder(folder: string): Promise<void> {
  const [authority = ''] = await until('the folder', () => readdir(folder))
  await writeFile(join(folder, authority, 'certificates'), 'in the way')
}

export async function openBox(
  t: Cleanup,
  { pebble: more, spoil = false, ...options }: BoxOptions,
): Promise<Box> {
  const door = await startDoor(t)
  const pebble = await startPebble(t, { httpPort: door.port, ...more })
  const { directory, ca: authority_ca } = pebble
  const opened = await openAcme(t, { asleep: true, directory, authority_ca, ...options })
  door.acme = opened.acme
  await opened.acme.start(new AbortController().signal)
  if (spoil) await spoilFolder(opened.folder)
  await opened.acme.renewDue()
  return { ...opened, door, pebble }
}
