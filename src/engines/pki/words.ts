/**
 * Fingerprints to read aloud: a word for each byte. The 256 words are ours, of four to six letters, and
 * no two begin with the same three, so that one heard only in part can still be told.
 */
const LIST = `
  abbey admit after album angle apple ashes atlas avenue axle bacon bagel
  balm barn beach bench birch blade block border bottle bridge bucket bundle
  cactus camel carpet castle cello cherry cider circle clay clock cobra comet
  cotton coyote crown cube dagger dawn debut deer delta depot dinner diver
  donkey dragon duck eagle early echo edge egret elbow elder empty engine
  epic essay ether exact fable family farm ferry field finch flag fleet
  floor foam focus fossil frame frost galaxy garden giant ginger glue golden
  goose grill group gypsum hammer harbor heart hedge hermit hill hockey honey
  horse house icicle idea image inch infant iris island ivory jacket jelly
  jewel jockey judge jungle kernel kettle kite label ladder lamp lapel laurel
  lawn leaf lemon letter lily lion liquid llama lobby logic lotus lunar
  magnet mango marble mask meadow melon menu midday milk mint mitten moat
  molar monkey mosaic mouse mural mystic narrow nectar nephew nest night noble
  north novel number oasis ocean offer olive opal orange orbit osprey otter
  oven oyster paddle panda paper pasta pebble pencil petal piano pigeon pine
  pirate planet plum poem pond poppy prism puddle puppet quail queen quota
  rabbit raft rain raven relic rhyme rice river rocket rose ruby saddle
  salmon saturn school seal seven shell silver sketch sled small snow solar
  spider spoon stable straw summit swan syrup talent tango tempo tennis timber
  topaz tower treaty tropic tunnel twig uncle urban usher vapor velvet verb
  vine violin vivid wagon walnut weasel wheat window wolf wonder yacht year
  yogurt zenith zigzag zone
`
  .trim()
  .split(/\s+/)

// 80 bits: nobody makes that many keys to find a root that reads the same.
const BYTES = 10

/** @param hash in bytes, of which the first ten are said */
export const fingerprintWords = (hash: Uint8Array): string[] =>
  [...hash.subarray(0, BYTES)].map((byte) => LIST[byte] ?? '')
