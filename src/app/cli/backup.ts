import { BadUsage, type Verb, type VerbInput } from './verb.ts'

interface Part {
  takes: number
  load(): Promise<(input: VerbInput) => Promise<void>>
}

const parts: Record<string, Part> = {
  create: { takes: 1, load: async () => (await import('./backup-create.ts')).createBackup },
  verify: { takes: 1, load: async () => (await import('./backup-restore.ts')).verify },
  restore: { takes: 1, load: async () => (await import('./backup-restore.ts')).restore },
  resume: { takes: 0, load: async () => (await import('./backup-restore.ts')).resume },
}

export const backupVerb: Verb = {
  usage: [
    'backup create FILE [--include-sites] [--passphrase-file FILE]',
    'backup verify FILE [--passphrase-file FILE]',
    'backup restore FILE [--passphrase-file FILE] [--stop] [--yes]',
    'backup resume [--stop]',
  ],
  help: `Everything that makes this box itself, in one file: publishing keys and the numbers they gave out,
the roots that devices trust, sites, pins, and the configuration; --include-sites adds the content of
published sites. A passphrase from --passphrase-file, the credential btlinkd.backup-passphrase, stdin
or the terminal locks it; \`age -d FILE | tar x\` opens it without btlinkd. Create works while the
daemon runs. Verify reads all of it and says what a restore would bring. Restore wants the daemon
stopped (--stop has systemd do that, and start it again), is all or nothing, and keeps the former
state beside. Resume carries a restore through that was cut short. See docs/backup.md.`,
  options: {
    'include-sites': { type: 'boolean' },
    'passphrase-file': { type: 'string' },
    stop: { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  takes: [1, 2],
  async run(input) {
    const name = input.positionals[0] ?? ''
    const part = parts[name]
    if (!part) {
      throw new BadUsage(`backup has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`)
    }
    const given = input.positionals.length - 1
    if (given < part.takes) throw new BadUsage(`name the file: backup ${name} FILE`)
    if (given > part.takes)
      throw new BadUsage(`backup ${name} takes no "${input.positionals[part.takes + 1]}"`)
    await (await part.load())(input)
  },
}
