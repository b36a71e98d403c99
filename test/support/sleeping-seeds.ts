/** Seeds as an earlier run of the engine left them: whole on the disk, noted, and in nobody's memory. */
import { createPieceSet, fullBits } from '../../src/engines/torrent/pieces/piece-set.ts'
import { saveResume } from '../../src/engines/torrent/pieces/resume.ts'
import { saveSeedMark, type SeedMark } from '../../src/engines/torrent/seeds/seed-mark.ts'
import type { StoreLayout } from '../../src/base/layout.ts'
import { decodeInfo } from '../../src/base/metainfo/decode.ts'
import { layDown, type MadeTorrent } from './torrents.ts'

export async function leaveSleeping(
  layout: StoreLayout,
  made: MadeTorrent,
  mark: Partial<SeedMark> = {},
): Promise<void> {
  const { pieceCount, totalLength } = decodeInfo(made.info)
  await layDown(layout.torrents, made)
  const bits = createPieceSet(pieceCount, fullBits(pieceCount)).bytes()
  await saveResume(layout, made.infoHash, bits, Date.now())
  await saveSeedMark(layout, made.infoHash, {
    announceDht: true,
    own: false,
    isPrivate: false,
    wholeBytes: totalLength,
    since: Date.now(),
    downloaded: 0,
    uploaded: 0,
    given: 0,
    hints: {},
    ...mark,
  })
}
