/** The hours in which the box may start anew by itself. */

const MINUTES_A_DAY = 24 * 60

const minutes = (clock: string): number => {
  const [hours = 0, rest = 0] = clock.split(':').map(Number)
  return hours * 60 + rest
}

const sinceMidnight = (time: Date): number => time.getHours() * 60 + time.getMinutes()

function bounds(window: string): [from: number, length: number] {
  const [from = '', to = ''] = window.split('-')
  const start = minutes(from)
  // Over midnight, and all day where both ends are the same.
  return [start, (minutes(to) - start + MINUTES_A_DAY) % MINUTES_A_DAY || MINUTES_A_DAY]
}

/** @param window `02:00-05:00`, in the time zone of `time` */
export function isNight(time: Date, window: string): boolean {
  const [from, length] = bounds(window)
  return (sinceMidnight(time) - from + MINUTES_A_DAY) % MINUTES_A_DAY < length
}

/** The next time that the window opens: `time` itself within it. */
export function nextNight(time: Date, window: string): Date {
  if (isNight(time, window)) return time
  const [from] = bounds(window)
  const next = new Date(time)
  next.setHours(Math.floor(from / 60), from % 60, 0, 0)
  if (next <= time) next.setDate(next.getDate() + 1)
  return next
}
