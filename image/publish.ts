import type { FlavourFacts } from './flavours.ts'
import type { SigningKeys } from './keys.ts'
export async function publish(_options: {
  facts: FlavourFacts
  version: string
  folder: string
  disk: string
  epoch: number
  keys: SigningKeys
  say: (line: string) => void
}): Promise<void> {}
