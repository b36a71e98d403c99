/** Units as systemd sees them: systemctl(1), `show`. */
import type { Fault } from './verdict.ts'

export interface UnitState {
  id: string
  load: string
  active: string
  sub: string
  restarts: number
}

/** What is asked of systemctl, in `--property`. */
export const UNIT_PROPERTIES = 'Id,LoadState,ActiveState,SubState,NRestarts'

/** @param text blocks of `Key=value` lines, an empty line between two units */
export function readUnits(text: string): UnitState[] {
  return text
    .split(/\n\s*\n/)
    .map(
      (block) =>
        new Map(
          block.split('\n').map((line) => {
            const at = line.indexOf('=')
            return [line.slice(0, at), line.slice(at + 1).trim()] as const
          }),
        ),
    )
    .filter((block) => block.has('Id'))
    .map((block) => ({
      id: block.get('Id') ?? '',
      load: block.get('LoadState') ?? '',
      active: block.get('ActiveState') ?? '',
      sub: block.get('SubState') ?? '',
      restarts: Number(block.get('NRestarts') ?? 0) || 0,
    }))
}

/** A role may fall once or twice over what is not up yet; more is a loop, and so is any while we look. */
const MOST_RESTARTS = 4

/** @param before of the same units, a while ago */
export function unitFaults(
  wanted: readonly string[],
  now: readonly UnitState[],
  before: readonly UnitState[] | undefined,
): Fault[] {
  return wanted.flatMap((id) => {
    const fault = (detail: string): Fault[] => [{ check: id, detail, isSurroundings: false }]
    const unit = now.find((one) => one.id === id)
    if (!unit || unit.load === 'not-found') return fault('there is no such unit')
    if (unit.active !== 'active') return fault(`is ${unit.active} (${unit.sub})`)
    const former = before?.find((one) => one.id === id)?.restarts ?? unit.restarts
    if (unit.restarts > MOST_RESTARTS) return fault(`was restarted ${unit.restarts} times`)
    return unit.restarts !== former ? fault('was restarted while we looked') : []
  })
}
