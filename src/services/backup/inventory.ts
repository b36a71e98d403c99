/**
 * Everything that lies in the state folder, kind by kind: what a backup takes along, and what goes when
 * the box forgets. A test fails on a file that no kind here knows: whoever adds one decides.
 */

/**
 * - `kept`: in every backup.
 * - `content`: of published sites, where it is asked for; the swarm gives it back.
 * - `left`: made anew, or worth nothing on another day.
 */
export type Fate = 'kept' | 'content' | 'left'

export interface Kind {
  /** Of the path below the state folder. */
  is: RegExp
  fate: Fate
  /** Goes with `reset --soft`. */
  isForgotten?: true
  why: string
}

// The letters of host names, file names of ours and of certificate authorities.
const PART = String.raw`[A-Za-z0-9][A-Za-z0-9._@-]{0,254}`
const HIDDEN = String.raw`\.[a-z]+-[\w-]{6,20}`

const kind = (pattern: string, fate: Fate, why: string): Kind => ({
  is: new RegExp(`^${pattern}$`),
  fate,
  why,
})
const forgotten = (pattern: string, why: string): Kind => ({
  ...kind(pattern, 'left', why),
  isForgotten: true,
})

export const KINDS: readonly Kind[] = [
  kind(`keys/[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}\\.key`, 'kept', 'a lost key is a lost site'),
  kind(`pki/names/${PART}/[1-9]\\d{0,8}/${PART}`, 'kept', 'devices trust this root'),
  kind(`pki/links/[1-9]\\d{0,8}/${PART}`, 'kept', 'devices trust this root'),
  kind('pki/link-domains', 'kept', 'what the owner said'),
  kind(`acme/${PART}/(?:account\\.key|ledger\\.json)`, 'kept', 'a public authority counts orders'),
  kind(`acme/${PART}/certificates/${PART}\\.pem`, 'kept', 'a public authority counts orders'),
  kind('state\\.db', 'kept', 'sites, their history, and the numbers given out'),
  kind('state\\.db-(?:wal|shm|journal)', 'left', 'part of the database, and read into its copy'),
  kind(
    'state\\.db\\.(?:snapshot|new|snapshot\\.new|restoring)(?:-wal|-shm|-journal)?',
    'left',
    'copies of it',
  ),
  forgotten('state\\.db\\.damaged-[\\w-]+', 'what a copy was put in the place of'),
  kind(`store/(?:blobs|torrents)/.+`, 'content', 'by their hashes, from the swarm'),
  kind('dht/nodes\\.benc(?:\\.tmp)?', 'left', 'the network is found again'),
  forgotten('dht/items\\.benc(?:\\.tmp)?', 'records of others, and our own put again'),
  forgotten('tracker/.+', 'peers announce themselves again'),
  kind('clock|\\.clock\\.[0-9a-f]{8}', 'left', 'of this machine and this day'),
  forgotten('doctor-address', 'of this machine and this network'),
  forgotten('backup-made', 'when the last backup was made'),
  forgotten('config\\.good\\.yaml', 'the last valid configuration, which a backup has as it is'),
  forgotten('damaged/.+', 'files with changed bits that the doctor put aside'),
  forgotten('update/.+', 'releases are fetched again; what failed of them, root knows elsewhere'),
  kind('run/.+', 'left', 'sockets and ports of the processes that run'),
  kind(`(?:.+/)?${HIDDEN}(?:/.+)?`, 'left', 'half done when a process was killed'),
  kind('before-restore-[\\w-]+/.+', 'left', 'what a restore put aside'),
  kind('configuration-from-backup\\.yaml', 'left', 'for its owner to read'),
  kind('swap\\.(?:new|ready|done)/.+', 'left', 'a restore or reset under way'),
]

export const kindOf = (path: string): Kind | undefined => KINDS.find(({ is }) => is.test(path))

/** Names at the top of the state folder that are ours: nothing else there is ever touched. */
export const OURS =
  /^(?:keys|pki|acme|store|dht|tracker|update|run|clock|doctor-address|backup-made|config\.good\.yaml|damaged|state\.db(?:[-.].*)?|before-restore-[\w-]+|configuration-from-backup\.yaml|\.[a-z]+-[\w-]{6,20}|\.clock\.[0-9a-f]{8})$/

/** What a restore takes away and puts in place: the identity of the box. */
export const IDENTITY: readonly string[] = ['keys', 'pki', 'acme']

/** Files of the database, after its name: they go where it goes. */
export const DATABASE_SUFFIXES: readonly string[] = ['', '-wal', '-shm', '-journal', '.snapshot']
