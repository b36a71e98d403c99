/** Hours of the day with limits of their own, read off the local clock: a change of summer time moves them with everybody's day. */

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const MINUTES_OF_DAY = 24 * 60

/** `HH:MM` local time; of the same minute, the whole day. Past midnight it belongs to the day it began on. */
export interface LimitedHours {
  from: string
  to: string
  /** None are all. */
  days: readonly string[]
  /** Bytes a second, 0 for no limit. */
  download_limit: number
  upload_limit: number
}

function minuteOf(text: string): number {
  const [hours = '', minutes = ''] = text.split(':')
  return Number(hours) * 60 + Number(minutes)
}

/** The first of the list that holds now. */
export function hoursAt(list: readonly LimitedHours[], now: Date): LimitedHours | undefined {
  const minute = now.getHours() * 60 + now.getMinutes()
  const today = now.getDay()
  const beginsOn = (hours: LimitedHours, day: number) =>
    hours.days.length === 0 || hours.days.includes(DAYS[(day + 7) % 7] ?? '')
  return list.find((hours) => {
    const from = minuteOf(hours.from)
    const length = (minuteOf(hours.to) - from + MINUTES_OF_DAY) % MINUTES_OF_DAY || MINUTES_OF_DAY
    const sinceToday = minute - from
    if (sinceToday >= 0 && sinceToday < length) return beginsOn(hours, today)
    return sinceToday + MINUTES_OF_DAY < length && beginsOn(hours, today - 1)
  })
}
