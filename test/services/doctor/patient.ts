/** A box for the doctor to look at: a real state folder, and what a test says of the rest. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  createDoctor,
  createMachine,
  type Facts,
  type Ports,
  type Result,
} from '../../../src/services/doctor/index.ts'
import { createRestingCare } from '../../../src/engines/store/index.ts'
import { output } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export interface Patient {
  state: string
  facts: Facts
  ports: Ports
  /** What one check finds now. */
  look: (id: string) => Promise<Result>
  /** Lets a fix work; gives its line. */
  mend: (id: string) => Promise<string>
}

export interface PatientOptions {
  state?: string
  facts?: Partial<Facts>
  box?: Partial<Ports['box']>
  config?: Partial<Ports['config']>
  now?: () => number
  /** What stands for `/proc`, `/sys`, `/etc` and `/run`: text by path. */
  system?: Record<string, string>
  /** Programs that stand in: a script by name. */
  programs?: Record<string, string>
}

const NO_SIGNAL = AbortSignal.timeout(600_000)

export async function writeTree(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

/** A file system of its own that is as small as a test wants it. */
export async function smallDisk(t: Cleanup, options: string): Promise<string> {
  const folder = await tempFolder(t, 'btl-disk')
  await output('/usr/bin/mount', ['-t', 'tmpfs', '-o', options, 'btl-doctor', folder])
  finallyDo(t, () => output('/usr/bin/umount', ['-l', folder]).then(() => undefined))
  return folder
}

export async function createPatient(t: Cleanup, options: PatientOptions = {}): Promise<Patient> {
  const state = options.state ?? (await tempFolder(t, 'btl-patient'))
  const root = options.system ? await tempFolder(t, 'btl-system') : ''
  if (options.system) await writeTree(root, options.system)
  const path = options.programs ? await tempFolder(t, 'btl-programs') : ''
  for (const [name, script] of Object.entries(options.programs ?? {})) {
    await writeFile(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  const facts: Facts = {
    stateDir: state,
    configFile: undefined,
    mistakes: [],
    isValidConfig: async () => true,
    tld: 'btlink',
    roles: ['dns', 'swarm', 'web'],
    ports: [],
    blobs: join(state, 'store', 'blobs'),
    torrents: join(state, 'store', 'torrents'),
    database: join(state, 'state.db'),
    keys: join(state, 'keys'),
    diskLow: 1024 * 1024,
    dns: { enabled: true, wpad: false, blockPrivate: true, front: [], listen: ['auto'] },
    upstreams: [],
    dht: { enabled: true, isAlone: false },
    mapsPort: false,
    acme: false,
    front: undefined,
    ...options.facts,
  }
  const ports: Ports = {
    machine: createMachine({ root, path }),
    box: {
      isRunning: async () => false,
      roles: async () => ({ dns: false, swarm: false, web: false }),
      listeners: async () => ({}),
      ask: async () => undefined,
      metrics: async () => undefined,
      announce: async () => 0,
      database: createRestingCare(facts.database),
      ...options.box,
    },
    facts,
    clock: { now: options.now ?? Date.now },
    config: {
      every: 0,
      check_timeout: 5000,
      at_once: 4,
      sample: 100,
      backup_age: 30 * 86_400_000,
      ...options.config,
    },
  }
  const doctor = createDoctor(async () => ports, ports.config)
  return {
    state,
    facts,
    ports,
    look: async (id) => {
      const { results } = await doctor.report([id], NO_SIGNAL)
      const [found] = results
      if (!found) throw new Error(`no result of ${id}`)
      return found
    },
    mend: async (id) => (await doctor.fix(id, NO_SIGNAL)).done,
  }
}
