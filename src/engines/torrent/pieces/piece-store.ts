/** Pieces of one torrent in plain files: file i of the torrent is `<folder>/<i>`, pad files are nowhere. */
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { type StoreLayout, torrentFilePath, torrentFolder } from '../../../base/layout.ts'
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import type { FilePool } from './file-pool.ts'
import type { PieceMap } from './piece-map.ts'

export interface PieceStore {
  readonly folder: string
  /** @throws where a file is missing or too short */
  read(piece: number, offset: number, length: number): Promise<Uint8Array>
  write(piece: number, bytes: Uint8Array): Promise<void>
  /** Makes the folder and the files that have no bytes. */
  prepare(): Promise<void>
}

export function createPieceStore(
  layout: StoreLayout,
  pool: FilePool,
  metainfo: Metainfo,
  map: PieceMap,
): PieceStore {
  const folder = torrentFolder(layout, metainfo.infoHash)
  const pathOf = (fileIndex: number) => torrentFilePath(layout, metainfo.infoHash, fileIndex)
  const isPad = (fileIndex: number) => metainfo.files[fileIndex]?.isPad === true

  return {
    folder,
    async read(piece, offset, length) {
      const bytes = new Uint8Array(length)
      for (const slice of map.slices(piece, offset, length)) {
        if (isPad(slice.fileIndex)) continue
        const { bytesRead } = await pool.read(pathOf(slice.fileIndex), async (file) =>
          file.read(bytes, slice.at, slice.length, slice.fileOffset),
        )
        if (bytesRead !== slice.length)
          throw new Error(`file ${slice.fileIndex} of ${metainfo.infoHash} is too short`)
      }
      return bytes
    },
    async write(piece, bytes) {
      for (const slice of map.slices(piece, 0, bytes.length)) {
        if (isPad(slice.fileIndex)) continue
        await pool.write(pathOf(slice.fileIndex), async (file) => {
          let written = 0
          while (written < slice.length) {
            const { bytesWritten } = await file.write(
              bytes,
              slice.at + written,
              slice.length - written,
              slice.fileOffset + written,
            )
            written += bytesWritten
          }
        })
      }
    },
    async prepare() {
      await mkdir(folder, { recursive: true, mode: 0o750 })
      for (const file of metainfo.files) {
        if (file.length > 0 || file.isPad) continue
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW
        await (await open(pathOf(file.index), flags, 0o640)).close()
      }
    },
  }
}
