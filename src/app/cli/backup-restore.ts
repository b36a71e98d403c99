/** `backup verify` and `backup restore`. */
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { createContent, createDatabaseFiles, storePaths } from '../../engines/store/index.ts'
import {
  type Contents,
  finishSwap,
  type Losses,
  restoreBox,
  verifyBackup,
} from '../../services/backup/index.ts'
import { asOwner } from './as-owner.ts'
import { readBoxConfig, stageConfig } from './backup-config.ts'
import { contentsText, contentsView } from './backup-contents.ts'
import { openBackupFile } from './backup-file.ts'
import { backupPassphrase } from './backup-passphrase.ts'
import { requireFolder, withBoxAtRest } from './box-at-rest.ts'
import { untilGivenUp } from './given-up.ts'
import { confirm } from './secrets.ts'
import { argument, type VerbInput } from './verb.ts'

const FOLDER_MODE = 0o750

export async function verify(input: VerbInput): Promise<void> {
  const file = await openBackupFile(argument(input, 1))
  try {
    const passphrase = await backupPassphrase(input.flags, false)
    const sealed = { sealed: file.read(), passphrase }
    const contents = await untilGivenUp((signal) =>
      verifyBackup(createDatabaseFiles(), sealed, tmpdir(), signal),
    )
    const view = contentsView(contents, (await readBoxConfig(input.flags)).config.btlink.tld)
    input.print(`${contentsText(view)}\nIt is whole: a restore would bring all of this.`, view)
  } finally {
    await file.close()
  }
}

/** Keys that only this box has are worth a question: a lost key is a lost site. */
async function approve(
  input: VerbInput,
  contents: Contents,
  losses: Losses,
  signal: AbortSignal,
): Promise<void> {
  const warnings: string[] = []
  if (losses.keys.length > 0) {
    warnings.push(
      `Keys of this box that are not in the backup will only be in the folder of the former state: ${losses.keys.join(', ')}.`,
    )
  }
  if (contents.databaseBytes === 0)
    warnings.push('The backup has no database: its sites will be unknown.')
  if (warnings.length > 0) await confirm(input.flags, warnings.join(' '), signal)
}

export async function restore(input: VerbInput): Promise<void> {
  const stateDir = await input.stateDir()
  const here = await readBoxConfig(input.flags)
  const { storage, btlink } = here.config
  const file = await openBackupFile(argument(input, 1))
  try {
    const passphrase = await backupPassphrase(input.flags, false)
    await mkdir(stateDir, { recursive: true, mode: FOLDER_MODE })
    const places = { ...storage, stateDir }
    let keptConfig: string | undefined
    const done = await asOwner(stateDir, (asRoot) =>
      withBoxAtRest({ stateDir, mayStop: input.flags['stop'] === true, asRoot }, (signal) =>
        restoreBox(
          { databases: createDatabaseFiles(), content: createContent(places) },
          {
            stateDir,
            database: storePaths(places).database,
            config: here.file,
            open: file.read,
            passphrase,
            approve: (contents, losses) => approve(input, contents, losses, signal),
            stageConfig: async (text, former) => {
              const staged = await asRoot(() => stageConfig(text, here, former))
              if (typeof staged !== 'string') return staged
              keptConfig = staged
              return undefined
            },
            finish: (work) => asRoot(work),
          },
          signal,
        ),
      ),
    )
    const view = contentsView(done, btlink.tld)
    const lines = [
      contentsText(view),
      'Restored: start btlinkd, devices that trusted this root trust it again.',
    ]
    if (done.former !== undefined) {
      lines.push(`The former state is in ${done.former}: remove it once all is well.`)
    }
    if (keptConfig !== undefined) {
      lines.push(
        `The configuration of the backup is not in force (${keptConfig}): it is in ${stateDir}/configuration-from-backup.yaml, for you to read.`,
      )
    }
    input.print(lines.join('\n'), {
      ...view,
      former: done.former,
      configurationInForce: done.configPlaced,
    })
  } finally {
    await file.close()
  }
}

export async function resume(input: VerbInput): Promise<void> {
  const stateDir = await input.stateDir()
  await requireFolder(stateDir)
  const { config, file } = await readBoxConfig(input.flags)
  const places = { database: storePaths({ ...config.storage, stateDir }).database, config: file }
  const done = await asOwner(stateDir, (asRoot) =>
    withBoxAtRest({ stateDir, mayStop: input.flags['stop'] === true, asRoot }, () =>
      asRoot(() => finishSwap(stateDir, places)),
    ),
  )
  input.print(done ? 'what was cut short is done' : 'nothing was cut short', { done })
}
