/** Whether what is wrong is this version's fault, or of what is around it: only the first is mended by another version. */

/** What one check found wrong, in one line, and what of the surroundings it comes from where it is that. */
export interface Fault {
  check: string
  detail: string
  /** A full disk, settings of people: an older version would find the same. */
  isSurroundings: boolean
}

export type Verdict = 'healthy' | 'surroundings' | 'slot'

export interface Judgement {
  verdict: Verdict
  reasons: string[]
}

const lineOf = ({ check, detail }: Fault): string => `${check}: ${detail}`

/**
 * Bad surroundings excuse what fails beside them: a daemon without a disk to write on, or with settings
 * that it refuses, is none that an older version would do better.
 */
export function judge(faults: readonly Fault[]): Judgement {
  if (faults.length === 0) return { verdict: 'healthy', reasons: [] }
  const around = faults.filter(({ isSurroundings }) => isSurroundings)
  const rest = faults.filter(({ isSurroundings }) => !isSurroundings)
  return {
    verdict: around.length > 0 ? 'surroundings' : 'slot',
    reasons: [...around, ...rest].map(lineOf),
  }
}

/** Codes of a disk that an update does not mend: errno(3). */
const DISK_CODES = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EUCLEAN', 'ENODEV', 'ENXIO'])

/** @param code of the failed write */
export const diskFault = (folder: string, code: string): Fault => ({
  check: 'state',
  detail: `cannot write to ${folder}: ${code}`,
  isSurroundings: DISK_CODES.has(code),
})

/** What the last healthy boot ran. */
export interface GoodBoot {
  version: string
  /** Digest of its configuration. */
  config: string
}

/** Settings that are refused are people's mistake, unless another version ran well on the very same ones. */
export function configFaults(
  mistakes: readonly string[],
  now: GoodBoot,
  good: GoodBoot | undefined,
): Fault[] {
  if (mistakes.length === 0) return []
  const ranOnThese = good?.config === now.config
  const [first = ''] = mistakes
  const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more)` : ''
  const detail = ranOnThese
    ? `version ${good.version} ran on these settings, and they are refused: ${first}${more}`
    : `${first}${more}`
  return [{ check: 'settings', detail, isSurroundings: !ranOnThese }]
}
