/** The daemon as machines run it: compiled, with its packages and its Node, on a disk of its own. */
import { statSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { basename, dirname, extname, join, relative } from 'node:path'
import { output, run } from './processes.ts'
import { ROOT } from './sources.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { diskFolder, MKFS } from './uml.ts'

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
const GUEST = join(ROOT, 'test/support/guest')
/** Where the guest finds it; no program of the system needs that folder. */
export const APP = '/srv'
export const GUEST_NODE = `${APP}/bin/node`
export const GUEST_STATE = '/mnt/state'
/** To be mounted there, read-only, as a flashed box has it. */
export const mountApp = (device: string): string => `mount -t ext4 -o ro,noload ${device} ${APP}\n`

async function copySources(to: string): Promise<void> {
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(to, 'dist')]
  // Whether the types are right is another check; here it only has to run.
  const { stdout } = await run(process.execPath, args, { timeoutMs: 120_000 })
  if (stdout.includes('error TS5')) throw new Error(stdout)
  for (const file of await readdir(join(ROOT, 'src'), { recursive: true })) {
    if (!/\.(?:css|html|mjs|sql)$/.test(file)) continue
    await mkdir(dirname(join(to, 'dist', file)), { recursive: true })
    await cp(join(ROOT, 'src', file), join(to, 'dist', file))
  }
  await cp(join(ROOT, 'package.json'), join(to, 'package.json'))
}

const LOADED = new Set(['.js', '.cjs', '.mjs', '.json', '.node'])

async function copyPackages(to: string): Promise<void> {
  const args = ['ls', '--all', '--omit=dev', '--parseable']
  // It complains about what is not installed and optional, and lists the rest all the same.
  const { stdout } = await run('npm', args, { cwd: ROOT, timeoutMs: 60_000 })
  const folders = stdout.split('\n').filter((path) => path.startsWith(join(ROOT, 'node_modules/')))
  const seen = new Set<string>()
  for (const folder of folders.sort()) {
    if (folder.includes('node-linux-')) continue
    // A package below one that was copied is there already.
    if ([...seen].some((parent) => folder.startsWith(`${parent}/`))) continue
    seen.add(folder)
    await cp(folder, join(to, relative(ROOT, folder)), {
      recursive: true,
      // What is loaded, and not what it was made from.
      filter: (path) => !extname(path) || LOADED.has(extname(path)) || statSync(path).isDirectory(),
    })
  }
  await mkdir(join(to, 'bin'))
  await cp(process.execPath, join(to, 'bin/node'), { dereference: true })
}

/** Programs of the tests that run in a guest; types go, nothing else has to. */
async function copyGuests(to: string): Promise<void> {
  await mkdir(join(to, 'guest'))
  const files = (await readdir(GUEST)).map((name) => join(GUEST, name))
  for (const path of [...files, join(GUEST, '../log-writes.ts')]) {
    const text = stripTypeScriptTypes(await readFile(path, 'utf8'))
    await writeFile(
      join(to, 'guest', basename(path, '.ts').concat('.js')),
      text.replaceAll(/from '\.\.?\/([a-z-]+)\.ts'/g, "from './$1.js'"),
    )
  }
}

/** Read here: in a guest the schema alone would take seconds of every start. */
async function writeConfig(to: string): Promise<void> {
  const wanted = {
    log: { level: 'warn' },
    dns: { port: 53 },
    proxy: { http_port: 80, https_port: 443 },
    dht: { allow_local: true, bootstrap_nodes: ['127.0.0.1:7001'] },
    swarm: { lsd: false, allow_local: true },
    storage: { min_free: '1MB' },
    publish: { put_timeout: '3s' },
    state_dir: GUEST_STATE,
  }
  const file = join(to, 'btlinkd.json')
  await writeFile(file, JSON.stringify(wanted))
  const args = [join(to, 'dist/app/main.js'), 'config', 'print', '--config', file, '--json']
  await writeFile(join(to, 'config.json'), await output(process.execPath, args))
}

/** @returns the image file; made anew for every test file, since the sources may have changed */
export async function makeAppDisk(t: Cleanup): Promise<string> {
  const tree = await tempFolder(t, 'uml-app')
  await copySources(tree)
  await copyPackages(tree)
  await copyGuests(tree)
  await writeConfig(tree)
  const image = join(await diskFolder(t), 'app.img')
  await output('/usr/bin/truncate', ['-s', '512M', image])
  await output(MKFS, ['-q', '-F', '-m', '0', '-O', '^has_journal', '-d', tree, image])
  return image
}
