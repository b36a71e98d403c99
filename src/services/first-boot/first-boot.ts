/** Takes what people put on the card before they put the card into the box. */
import { codeOf, messageOf } from '../../base/errors.ts'
import { bootEntries, readBootFile } from './boot-file.ts'
import { Unwritable } from './errors.ts'
import { createMachine, KEYS_NAME, PRESEED_NAME } from './machine.ts'
import { PLACES, type Places } from './places.ts'
import { tellOnCard, type Told, writeReport } from './report.ts'
import { CONFIG_NAME, createSettings, type SettingsDeps } from './settings.ts'

export interface FirstBootDeps extends Omit<SettingsDeps, 'places'> {
  /** The FAT partition, mounted. */
  folder: string
  places?: Partial<Places>
  setHostname: (name: string) => Promise<void>
}

/** Files of other first-boot mechanisms: left where they are, and told. */
const OTHERS: Readonly<Record<string, string>> = {
  'firstrun.sh': 'scripts are not run here; it may hold a password, so take it off the card',
  'user-data': 'cloud-init is not here',
  'network-config': 'cloud-init is not here',
  'userconf.txt': 'there are no users and no passwords on this box',
  userconf: 'there are no users and no passwords on this box',
  ssh: `ssh needs a key in ${KEYS_NAME}, and is off without`,
  'wpa_supplicant.conf': `wireless networks are read from ${PRESEED_NAME}`,
}

export interface FirstBoot {
  /**
   * Takes each file that is not as it was when it was last taken. What is wrong with them is told and
   * not thrown: the box starts on what it has.
   * @throws Unwritable where the box cannot keep what it was given
   */
  run(): Promise<Told>
}

export function createFirstBoot(deps: FirstBootDeps): FirstBoot {
  const places: Places = { ...PLACES, ...deps.places }
  const settings = createSettings({ ...deps, places })
  const machine = createMachine({ ...deps, places })

  async function takeAll(told: Told): Promise<void> {
    const entries = await bootEntries(deps.folder)
    const file = (name: string) => readBootFile(deps.folder, entries, name)
    await settings.begin(told)
    const config = await file(CONFIG_NAME)
    if (config) await settings.take(config, told)
    await machine.take(await file(PRESEED_NAME), await file(KEYS_NAME), told)
    for (const entry of entries) {
      const why = Object.hasOwn(OTHERS, entry) ? OTHERS[entry] : undefined
      if (why !== undefined) told.notes.push(`${entry}: ${why}`)
    }
  }

  return {
    async run() {
      const told: Told = { taken: [], faults: [], notes: [] }
      let failure: Error | undefined
      try {
        await takeAll(told)
      } catch (error) {
        const why = codeOf(error) ?? messageOf(error)
        failure = new Unwritable(`what is on the card in ${places.etc}`, why, { cause: error })
        told.faults.push(`the box ${messageOf(failure)}`)
      }
      await tellOnCard(deps.folder, told)
      // Where not even this can be written, the log has it.
      await writeReport(places.report, told).catch(() => undefined)
      if (failure) throw failure
      return told
    },
  }
}
