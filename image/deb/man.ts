/** btlinkd(1), written from the table of verbs: what `--help` says, as roff. */
import type { Verb } from '../../src/app/cli/verb.ts'
import { verbs } from '../../src/app/cli/verbs.ts'

/** Text as it is: no line is taken for a request, no hyphen for a dash, no quote for another one. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('"', '\\(dq')
    .replaceAll('…', '...')
    .replace(/^\./gm, '\\&.')
}

/** Words in capitals stand for values. */
const form = (usage: string): string =>
  `.B btlinkd\n${roff(usage).replace(/\b([A-Z][A-Z0-9|]+)\b/g, '\\fI$1\\fR')}`

function verbPart(name: string, summary: string, verb: Verb): string {
  const forms = verb.usage.map((usage, index) => `${index === 0 ? '' : '.br\n'}${form(usage)}`)
  const help = verb.help.split('\n').map((line) => line.trim())
  return [
    `.SS ${name}`,
    `${roff(summary.replace(/^./, (letter) => letter.toUpperCase()))}.`,
    '.PP',
    ...forms,
    '.PP',
    roff(help.join('\n')).replace(/\n{2,}/g, '\n.PP\n'),
  ].join('\n')
}

/** @param date of the page, `2026-11-21`. */
export async function manPage(version: string, date: string): Promise<string> {
  const parts: string[] = []
  for (const entry of verbs) parts.push(verbPart(entry.name, entry.summary, await entry.load()))
  const head = [
    `.TH BTLINKD 1 ${date} "btlinkd ${version}" "User Commands"`,
    '.SH NAME',
    'btlinkd \\- household door to the peer\\-to\\-peer web',
    '.SH SYNOPSIS',
    '.B btlinkd',
    '.I VERB',
    '[\\fIARGUMENTS\\fR] [\\fB\\-\\-json\\fR] [\\fB\\-\\-state\\fR \\fIDIR\\fR] [\\fB\\-\\-config\\fR \\fIFILE\\fR]',
    '.SH DESCRIPTION',
    'Names come from the BitTorrent DHT, content comes from the swarm, and every browser in the house opens it as an ordinary website.',
    'The daemon is started by systemd; the other verbs ask it, or need none.',
    '.PP',
    'Every verb takes',
    '.BR \\-\\-json ,',
    '.BR \\-\\-state ,',
    '.B \\-\\-config',
    'and',
    '.BR \\-\\-help .',
    '.SH VERBS',
  ]
  const foot = [
    '.SH EXIT STATUS',
    '0 done, 1 failed, 2 wrong arguments, 78 a mistake in the configuration.',
    '.SH ENVIRONMENT',
    '.TP\n.B BTLINKD_CONFIG\nThe configuration file; without it /etc/btlinkd/btlinkd.yaml.',
    '.TP\n.B BTLINKD_STATE_DIR\nThe state folder, in place of what the configuration says.',
    '.SH FILES',
    '.TP\n.I /etc/btlinkd/btlinkd.yaml\nThe configuration.',
    '.TP\n.I /var/lib/btlinkd\nEverything that the daemon remembers: keys, certificates, sites.',
    '.TP\n.I /usr/share/doc/btlinkd\nManuals, and every key of the configuration with its default.',
    '.SH SEE ALSO',
    '.BR systemctl (1),',
    '.BR journalctl (1)',
  ]
  return `${[...head, ...parts, ...foot].join('\n')}\n`
}

/** For bash-completion: the verbs, and file names after them. */
export function bashCompletion(): string {
  return `# Made from the table of verbs.
_btlinkd() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '${verbs.map(({ name }) => name).join(' ')} help' -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--help --json --state --config' -- "$current")
  fi
}
complete -o default -F _btlinkd btlinkd
`
}
