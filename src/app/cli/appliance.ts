/** What the units of the image run: each does one thing and ends. */
import { argument, BadUsage, type Verb, type VerbInput } from './verb.ts'

type Part = (input: VerbInput) => Promise<void>

const parts: Record<string, () => Promise<Part>> = {
  'first-boot': async () => (await import('./appliance-first-boot.ts')).firstBoot,
  console: async () => (await import('./appliance-console.ts')).console,
  firewall: async () => (await import('./appliance-firewall.ts')).firewall,
  healthy: async () => (await import('./appliance-healthy.ts')).healthy,
}

export const applianceVerb: Verb = {
  usage: [
    'appliance first-boot [--boot DIR] [--root DIR]',
    'appliance console [--tty DEVICE,…] [--columns N] [--rows N]',
    'appliance firewall',
    'appliance healthy [--timeout 3m] [--units A,B] [--gate]',
  ],
  help: `First-boot takes btlinkd.yaml, rpi-preseed.toml and authorized_keys from the boot partition where they
changed since they were last taken; what was not taken, and why, is in btlinkd.errors.txt beside them.
Console shows name, addresses, a code for phones, fingerprint and health: on stdout, or on each terminal
of --tty that shows something else (auto: those of the kernel).
Firewall prints the ports of the configuration as nft takes them, for the sets of /etc/nftables.conf.
Healthy waits until DNS, pages and units are well. The exit code is 1 where this version is at fault; with
--gate only where a restart would lead to another one. See docs/first-boot.md.`,
  options: {
    boot: { type: 'string' },
    root: { type: 'string' },
    tty: { type: 'string' },
    columns: { type: 'string' },
    rows: { type: 'string' },
    timeout: { type: 'string' },
    units: { type: 'string' },
    gate: { type: 'boolean' },
  },
  takes: [1, 1],
  async run(input) {
    const name = argument(input, 0)
    const load = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (!load) {
      throw new BadUsage(
        `appliance has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`,
      )
    }
    const part = await load()
    await part(input)
  },
}
