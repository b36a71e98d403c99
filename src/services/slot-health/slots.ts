/** The versions that the boot loader can start, and whether this one is on trial. */

/** The Boot Loader Specification, "Boot counting": `name+LEFT-DONE.efi`. */
const ENTRY = /^([a-z0-9-]+)_([0-9][A-Za-z0-9.~^]*?)(?:\+(\d+)(?:-(\d+))?)?\.efi$/

export interface Slots {
  /** This version has not been found healthy yet: restarts of it are counted. */
  onTrial: boolean
  /** There is another version that the boot loader would start once this one has no tries left. */
  hasOther: boolean
}

/** @param entries names in the folder of the boot loader's entries */
export function readSlots(entries: readonly string[], id: string, version: string): Slots {
  const ours = entries.flatMap((entry) => {
    const match = ENTRY.exec(entry)
    return match?.[1] === id ? [{ version: match[2], left: match[3] }] : []
  })
  return {
    onTrial: ours.some((one) => one.version === version && one.left !== undefined),
    // Without tries left it is known to be bad.
    hasOther: ours.some((one) => one.version !== version && Number(one.left ?? 1) > 0),
  }
}

/** os-release(5). */
export function readRelease(text: string): { id: string; version: string } | undefined {
  const valueOf = (key: string): string | undefined =>
    new RegExp(`^${key}=["']?([^"'\\n]*)["']?$`, 'm').exec(text)?.[1]
  const id = valueOf('IMAGE_ID')
  const version = valueOf('IMAGE_VERSION')
  return id === undefined || version === undefined ? undefined : { id, version }
}
