export type { UpdateConfig } from './config.ts'
export { BadKey, Unreachable } from './errors.ts'
export { parsePublicKey } from './minisign.ts'
export { isNight, nextNight } from './night.ts'
export { type Notes, readNotes } from './notebook.ts'
export { type Machine, openRelease } from './open-release.ts'
export {
  encodeEnd,
  encodeHeader,
  encodeStep,
  MAX_DATA_BYTES,
  type Step,
} from './pack-format.ts'
export { parseRelease, type Release, type Role } from './release.ts'
export type { ReleaseSource } from './source.ts'
export { folderSource, pathSource } from './source-file.ts'
export { channelSource, siteSource } from './source-web.ts'
export { isPackFailure, NOTES } from './stage.ts'
export { type ApplyOptions, createUpdater, type SourceReport, type Updater } from './updater.ts'
export { compareVersions } from './version.ts'
