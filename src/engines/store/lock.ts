/** One at a time, in the order of asking. */
export type Lock = <Result>(work: () => Promise<Result>) => Promise<Result>

export function createLock(): Lock {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(work)
    // The next one starts whether or not this one fails; the failure is its caller's.
    last = turn.catch(() => {})
    return turn
  }
}
