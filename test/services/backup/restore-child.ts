/** Restores a backup into a state folder, after it said that it begins: to be killed. */
import { readFile } from 'node:fs/promises'
import { restoreInto } from './box.ts'

const [state = '', file = ''] = process.argv.slice(2)
const backup = await readFile(file)
process.stdout.write('begin\n')
await restoreInto(state, backup)
