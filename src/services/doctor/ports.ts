/** What the checks look through: the machine, the running daemon, and what the configuration says. */
import type { Clock } from '../../base/ports/clock.ts'
import type { DoctorConfig } from './config.ts'

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

export interface Machine {
  readonly isRoot: boolean
  /** The path as it is on this machine: what is below `/proc`, `/sys`, `/etc`, `/run` may be elsewhere in a test. */
  path(absolute: string): string
  /** Text of a file of the system, at most 1 MB; undefined where there is none or it is not ours to read. */
  read(absolute: string): Promise<string | undefined>
  /** Entries of a folder of the system in order; none where there is no such folder. */
  list(absolute: string): Promise<string[]>
  /** Runs a program to its end; undefined where it is not installed. At most 1 MB of output. */
  run(program: string, args: readonly string[], signal: AbortSignal): Promise<Ran | undefined>
}

/** The database of the store: in the hands of the daemon while it runs, else a file. */
export interface DatabaseCare {
  /** Faults that `quick_check` names; undefined where there is no database yet. */
  check(
    signal: AbortSignal,
  ): Promise<{ faults: string[]; bytes: number; freeBytes: number } | undefined>
  /** Gives unused pages back to the disk; resolves to how many bytes. */
  compact(signal: AbortSignal): Promise<number>
}

export interface Box {
  isRunning(): Promise<boolean>
  /** Roles of this configuration, and whether a living process holds each. */
  roles(): Promise<Record<string, boolean>>
  /** Ports in use. */
  listeners(): Promise<Record<string, { port: number; transport: string }>>
  /** JSON of the API over the admin socket, asked once a run; undefined while nobody answers there. */
  ask(path: string): Promise<unknown>
  /** The text of `/metrics` as numbers. */
  metrics(): Promise<ReadonlyMap<string, number> | undefined>
  /** Puts the records of all own sites into the DHT again. */
  announce(signal: AbortSignal): Promise<number>
  database: DatabaseCare | undefined
}

export interface WantedPort {
  /** Key of the configuration. */
  key: string
  /** As in listeners.json. */
  listener: string
  /** 0 where any will do. */
  port: number
  transports: readonly ('tcp' | 'udp')[]
}

export interface Facts {
  stateDir: string
  /** The file that was read. */
  configFile: string | undefined
  /** What is wrong with it. */
  mistakes: readonly string[]
  tld: string
  /** Of this mode, in start order. */
  roles: readonly string[]
  ports: readonly WantedPort[]
  blobs: string
  torrents: string
  database: string
  keys: string
  /** `health.disk_low` */
  diskLow: number
  dns: {
    enabled: boolean
    wpad: boolean
    blockPrivate: boolean
    front: readonly string[]
    listen: readonly string[]
  }
  /** `upstream.servers` as addresses and ports; names and `system` stay as they are. */
  upstreams: readonly { text: string; address: string | undefined; port: number }[]
  dht: { enabled: boolean; isAlone: boolean }
  /** `swarm.map_port`: the router is asked to lead the peer port here. */
  mapsPort: boolean
  acme: boolean
  /**
   * Text of the configuration that unbound in front should have; undefined where there is no front.
   * Addresses and folder are those of the file that was `written`.
   */
  front: ((written?: string) => Promise<string>) | undefined
  /** Whether the file is a valid configuration. */
  isValidConfig(file: string): Promise<boolean>
}

export interface Ports {
  machine: Machine
  box: Box
  facts: Facts
  clock: Clock
  config: DoctorConfig
}
