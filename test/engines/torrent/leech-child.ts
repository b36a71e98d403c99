/** An engine in a process of its own, to be killed: downloads everything into a state folder. */
import { readFile } from 'node:fs/promises'
import { loopback, startEngine } from './support.ts'

const [state = '', infoFile = '', port = ''] = process.argv.slice(2)
const { engine } = await startEngine({ after() {} }, {}, { state })
const hash = await engine.add(await readFile(infoFile), { hints: loopback(Number(port)) })
const totalBytes = (await engine.status(hash))?.totalBytes ?? 0
await engine.want(hash, 0, { start: 0, end: totalBytes }, 'background')
