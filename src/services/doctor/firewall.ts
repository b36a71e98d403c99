/** What `nft list ruleset` says of who may come in. */

export type Family = 'IPv4' | 'IPv6'

const FAMILIES: Partial<Record<string, readonly Family[]>> = {
  inet: ['IPv4', 'IPv6'],
  ip: ['IPv4'],
  ip6: ['IPv6'],
}
/** Of every packet: what is counted or told on the way asks nothing of it. */
const OF_ALL =
  /^(?:counter packets \d+ bytes \d+ |log (?:(?:prefix "[^"]*"|level \w+|flags [\w ]+) )*)*(accept|drop|reject(?: with icmp\S* .*)?)(?: comment "[^"]*")?$/

/** Whether the last word of a chain is a refusal: the first rule that asks nothing, else its policy. */
function refuses(lines: readonly string[]): boolean {
  if (!lines.some((line) => line.startsWith('type filter hook input '))) return false
  const [verdict] = lines.flatMap((line) => OF_ALL.exec(line)?.[1] ?? [])
  if (verdict !== undefined) return verdict !== 'accept'
  return lines.some((line) => /^type .*policy drop;/.test(line))
}

/** Protocols of which nothing comes in that no rule names, by chains that see all of it. */
export function closedFamilies(ruleset: string): Set<Family> {
  const closed = new Set<Family>()
  const tables = ruleset.matchAll(/^table (\w+) .*\{\n([\s\S]*?)^\}/gm)
  for (const [, family = '', body = ''] of tables) {
    for (const [, rules = ''] of body.matchAll(/^\tchain .*\{\n([\s\S]*?)^\t\}/gm)) {
      if (!refuses(rules.split('\n').map((line) => line.trim()))) continue
      for (const one of FAMILIES[family] ?? []) closed.add(one)
    }
  }
  return closed
}
