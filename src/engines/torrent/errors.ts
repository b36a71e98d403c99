/** What the torrent engine throws at its callers; faults of strangers are counted, never thrown. */
import { declareError } from '../../base/errors.ts'

export const TorrentNotRunning = declareError(
  'BTL_ERR_TORRENT_NOT_RUNNING',
  'the torrent engine is stopped',
  503,
)
export const TorrentBindFailed = declareError(
  'BTL_ERR_TORRENT_BIND',
  'cannot listen on port %s for peers: %s',
  503,
)
export const TorrentUnknown = declareError(
  'BTL_ERR_TORRENT_UNKNOWN',
  'no torrent %s in the engine',
  404,
)
export const TorrentBadFile = declareError(
  'BTL_ERR_TORRENT_BAD_FILE',
  'torrent %s has no file %s',
  404,
)
export const TorrentBadRange = declareError(
  'BTL_ERR_TORRENT_BAD_RANGE',
  'range %s-%s lies outside file %s',
  416,
)
export const TorrentDropped = declareError(
  'BTL_ERR_TORRENT_DROPPED',
  'torrent %s was dropped while it was wanted',
  503,
)
export const TorrentDisk = declareError(
  'BTL_ERR_TORRENT_DISK',
  'cannot keep pieces of torrent %s: %s',
  507,
)
export const TorrentFull = declareError(
  'BTL_ERR_TORRENT_FULL',
  'all %s places for active torrents are taken',
  503,
)
export const TorrentUnsafeUrl = declareError(
  'BTL_ERR_TORRENT_UNSAFE_URL',
  'refused to ask %s: %s',
  403,
)
export const TorrentBadReply = declareError(
  'BTL_ERR_TORRENT_BAD_REPLY',
  'unusable reply of %s: %s',
  502,
)
