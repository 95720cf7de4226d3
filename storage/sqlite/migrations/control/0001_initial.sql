-- The control file: which instances there are, and who may call. Nothing of the instances' contents.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

-- A row is written after the instance's files are in place, and removed after they are gone.
CREATE TABLE instance (
  id             TEXT PRIMARY KEY,
  display_name   TEXT NOT NULL,
  time_zone      TEXT NOT NULL,             -- IANA name
  default_region TEXT NOT NULL,             -- ISO 3166-1 alpha-2, for phone numbers; empty: none
  state          INTEGER NOT NULL,          -- 1 active, 2 being deleted
  create_us      INTEGER NOT NULL,          -- microseconds since 1970, UTC
  update_us      INTEGER NOT NULL,
  revision       INTEGER NOT NULL           -- the sequence of the last change; the etag is made of it
) STRICT, WITHOUT ROWID;

-- Administrative writes by their request id, answered again for 72 hours.
CREATE TABLE request (
  id           TEXT PRIMARY KEY,
  method       TEXT NOT NULL,
  payload_hash BLOB NOT NULL,
  response     BLOB NOT NULL,
  create_us    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_age ON request (create_us);

-- Who may call. Of a key's secret only the SHA-256 is here.
CREATE TABLE credential (
  id                TEXT PRIMARY KEY,
  display_name      TEXT NOT NULL,
  kind              INTEGER NOT NULL,       -- 1 key 2 certificate
  certificate_name  TEXT,                   -- of a certificate
  roles             TEXT NOT NULL,          -- JSON list of ids
  instances         TEXT NOT NULL,          -- JSON list of ids; empty: all
  expire_us         INTEGER NOT NULL,       -- 0: never
  calls_per_second  INTEGER NOT NULL,       -- 0: as the server is set
  secret_hash       BLOB NOT NULL,          -- of a key; empty otherwise
  previous_hash     BLOB NOT NULL,          -- the one before, taken until previous_until_us
  previous_until_us INTEGER NOT NULL,
  create_us         INTEGER NOT NULL,
  update_us         INTEGER NOT NULL,
  rotate_us         INTEGER NOT NULL,
  revoke_us         INTEGER NOT NULL,       -- 0: it is not
  revision          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX credential_certificate ON credential (certificate_name);

-- Roles that people made; built-in ones are the server's.
CREATE TABLE role (
  id           TEXT PRIMARY KEY,
  display_name TEXT NOT NULL,
  scopes       TEXT NOT NULL,               -- JSON list of names: profiles.read
  create_us    INTEGER NOT NULL,
  update_us    INTEGER NOT NULL,
  revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what here: a row per call and transaction, written in that transaction. Rows are never changed or deleted.
-- mac authenticates the row and the mac of the one before, under a subkey of the master key `key`. The end of the
-- chain is in meta, audit_end: number of the last row, sequence of the last transaction, key, mac of the last row and a
-- mac of these, separated by spaces.
CREATE TABLE audit (
  number         INTEGER PRIMARY KEY,       -- from 1 without gaps
  commit_us      INTEGER NOT NULL,
  seq            INTEGER NOT NULL,          -- the last one of the transaction
  kind           INTEGER NOT NULL,          -- 1 write 2 export begun 3 export ended
  caller         TEXT NOT NULL,             -- id of a credential; empty: anybody
  method         TEXT NOT NULL,
  call_id        TEXT NOT NULL,
  resource       TEXT NOT NULL,             -- the first one that the request names
  more_resources INTEGER NOT NULL,          -- how many others it names
  counts         TEXT,                      -- {"11":5}: outcomes to rows; null: it wrote no rows
  exported_rows  INTEGER NOT NULL,
  key            INTEGER NOT NULL,
  mac            BLOB NOT NULL
) STRICT;
