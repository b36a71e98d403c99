/** A household of a box for the room, one for a browser, and one that both take for the world. */
import { type Box, household } from '../../support/household.ts'
import { output } from '../../support/processes.ts'
import type { Cleanup } from '../../support/temp.ts'

export interface RoomAndTab {
  box: Box
  tab: Box
  world: Box
}

export async function roomAndTab(t: Cleanup): Promise<RoomAndTab> {
  const [box, tab, world] = await household(t, 'box', 'tab', 'world')
  if (!box || !tab || !world) throw new Error('the household is not complete')
  for (const { netns } of [box, tab]) {
    // Browsers gather candidates only on the interface that leads to the world.
    const route = ['route', 'add', 'default', 'via', world.address]
    await output('/usr/sbin/ip', ['-n', netns, ...route])
  }
  return { box, tab, world }
}
