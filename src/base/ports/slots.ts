/** The slots of an image: two roots on one disk, of which one runs and the other takes the update. */

export type SlotRole = 'root' | 'verity' | 'kernel'

export interface ImageFacts {
  /** Of the running root. */
  version: string
  /** As Debian writes it. */
  architecture: string
  /** `pc`, `arm64`, `rpi`; undefined where the image does not say. */
  flavour?: string
}

export interface Slot {
  version: string
  isRunning: boolean
  /**
   * `good` was blessed; `trying` has tries left; `bad` used them up or was given up by hand;
   * `incomplete` has not all of its files and cannot boot.
   */
  boot: 'good' | 'trying' | 'bad' | 'incomplete'
  /** Of `trying`. */
  triesLeft?: number
}

export interface Slots {
  /** @throws NotAnImage where this machine has no slots */
  image(): Promise<ImageFacts>
  /** Newest first, at most one a version. */
  slots(signal: AbortSignal): Promise<Slot[]>
  /** Where the file of a role of a version can be read; undefined where that version is not here. */
  fileOf(role: SlotRole, version: string): Promise<string | undefined>
  /**
   * Installs the version whose files lie in the folder that was agreed on, into the slot that does not
   * run, and has it boot next. Cut at any moment, the running slot still boots.
   * @throws NoRoomOnEsp, InstallFailed
   */
  install(version: string, signal: AbortSignal): Promise<void>
  /**
   * Has a version that is here boot next, and given up what would boot before it.
   * @throws NoSuchSlot where it is not here or not whole
   */
  select(version: string, signal: AbortSignal): Promise<void>
  /** Restarts the machine, now or at a time. */
  reboot(at: Date | undefined, signal: AbortSignal): Promise<void>
}
