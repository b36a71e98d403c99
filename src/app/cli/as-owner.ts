/** What root writes below a folder, the user of the daemon must be able to read. */
import { stat } from 'node:fs/promises'

type Run = <Result>(work: () => Promise<Result>) => Promise<Result>

interface User {
  uid: number
  gid: number
}

async function as<Result>(user: User, work: () => Promise<Result>): Promise<Result> {
  const before: User = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  // Only root may take another group, and only root comes back from another user.
  process.seteuid?.(0)
  process.setegid?.(user.gid)
  process.seteuid?.(user.uid)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(before.gid)
    process.seteuid?.(before.uid)
  }
}

/**
 * Runs `work` as the owner of `folder` where this process is root.
 * @param work gets a way to be root again for a while; one at a time, since it is the whole process
 */
export async function asOwner<Result>(
  folder: string,
  work: (asRoot: Run) => Promise<Result>,
): Promise<Result> {
  const { uid, gid } = await stat(folder)
  if (process.geteuid?.() !== 0 || uid === 0) return work((inner) => inner())
  const root: User = { uid: 0, gid: process.getegid?.() ?? 0 }
  return as({ uid, gid }, () => work((inner) => as(root, inner)))
}
