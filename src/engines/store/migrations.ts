/** The steps that lead from an empty database to the present one, forward only; never edit one that was released. */

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE site (
     public_key BLOB NOT NULL CHECK (length(public_key) = 32),
     salt BLOB NOT NULL CHECK (length(salt) <= 64),
     key_name TEXT,
     title TEXT,
     folder TEXT,
     watched INTEGER NOT NULL DEFAULT 0,
     pinned INTEGER NOT NULL DEFAULT 0,
     last_visited_at INTEGER,
     PRIMARY KEY (public_key, salt)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX site_visited ON site (last_visited_at)
     WHERE key_name IS NULL AND pinned = 0 AND watched = 0;

   CREATE TABLE version (
     public_key BLOB NOT NULL CHECK (length(public_key) = 32),
     salt BLOB NOT NULL CHECK (length(salt) <= 64),
     seq INTEGER NOT NULL,
     info_hash BLOB NOT NULL CHECK (length(info_hash) = 20),
     value BLOB NOT NULL,
     signature BLOB NOT NULL CHECK (length(signature) = 64),
     first_seen_at INTEGER NOT NULL,
     confirmed_at INTEGER NOT NULL,
     PRIMARY KEY (public_key, salt, seq)
   ) STRICT, WITHOUT ROWID;

   -- Apart from site, so that a number given out stays given out when a site is removed.
   CREATE TABLE reserved_seq (
     public_key BLOB NOT NULL,
     salt BLOB NOT NULL,
     seq INTEGER NOT NULL,
     PRIMARY KEY (public_key, salt)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE pinned_torrent (
     info_hash BLOB PRIMARY KEY CHECK (length(info_hash) = 20),
     title TEXT,
     added_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
]
