/** The images that can be built, and what tells them apart. */

export type Flavour = 'pc' | 'arm64' | 'rpi'

export interface FlavourFacts {
  flavour: Flavour
  /** For people: which machines it is for. */
  title: string
  /** As mkosi says it. */
  architecture: 'x86-64' | 'arm64'
  /** As Debian and our package say it. */
  debian: 'amd64' | 'arm64'
  /** As Node and npm say it. */
  node: 'x64' | 'arm64'
  profiles: string[]
  /** First FAT partition has to be in an MBR for the boot code of a Pi before the 5. */
  hybridMbr: boolean
}

export const FLAVOURS: Record<Flavour, FlavourFacts> = {
  pc: {
    flavour: 'pc',
    title: 'PCs and virtual machines with UEFI, x86-64',
    architecture: 'x86-64',
    debian: 'amd64',
    node: 'x64',
    profiles: [],
    hybridMbr: false,
  },
  arm64: {
    flavour: 'arm64',
    title: 'machines with UEFI, arm64',
    architecture: 'arm64',
    debian: 'arm64',
    node: 'arm64',
    profiles: [],
    hybridMbr: false,
  },
  rpi: {
    flavour: 'rpi',
    title: 'Raspberry Pi 3, 4, 5 and Zero 2 W',
    architecture: 'arm64',
    debian: 'arm64',
    node: 'arm64',
    profiles: ['rpi'],
    hybridMbr: true,
  },
}

export function flavourNamed(name: string | undefined): FlavourFacts | undefined {
  return Object.values(FLAVOURS).find((facts) => facts.flavour === name)
}
