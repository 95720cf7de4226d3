-- The profiles file of an instance: who there is, which audiences they are in, what may change them.
-- Times end in _us: microseconds since 1970, UTC. Sequences end in _seq: this file's own counter.

-- Keys of the core, and: schema_revision (the sequence of the last change of attributes or namespaces),
-- next_namespace (the next namespace number; never used twice), next_profile (the next profile id; never used twice), log_applied_seq (the last
-- sequence of the logs file whose opt-outs are in here), pending_revisited (pending opt-outs with a greater number have
-- not been looked at since a consent attribute was created; absent: all have), suppressed_searched (profiles with
-- a greater id have not been looked at since hashes were put on the suppression list; absent: all have),
-- unsuppressed_searched (those kept out with a greater id have not since hashes were taken off; absent: all have),
-- suppressed_again and unsuppressed_again (another such lap is ordered), suppressed_laps and unsuppressed_laps (how many
-- ended), suppressed_unhashed (profiles changed while a key of the suppression list was missing, and no lap ended since),
-- history_swept_us
-- (when all memberships were last looked at by retention), retention_us (to where the time of retention came, to a
-- day; absent: to the first commit), journal and journal_lines (which erasure journal this file has seen, and how
-- much of it).
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

-- One row per transaction: which moment a sequence belongs to. The first one is the first moment that can be read:
-- what ended before it is deleted by retention.
CREATE TABLE commit_log (
  last_seq  INTEGER PRIMARY KEY,
  commit_us INTEGER NOT NULL
) STRICT;

-- Attribute n is column a<n> of the table for its group of 64: profile (1-64), profile_2 (65-128)...
CREATE TABLE attribute (
  number             INTEGER PRIMARY KEY,
  id                 TEXT NOT NULL,
  display_name       TEXT NOT NULL,
  type               INTEGER NOT NULL,      -- 1 string 2 int64 3 double 4 bool 5 timestamp 6 date 7 list
  personal           INTEGER NOT NULL,
  read_only_for_sync INTEGER NOT NULL,
  channel            TEXT,                  -- consent attributes only
  purpose            TEXT,
  opt_in_required    INTEGER NOT NULL,
  deleted            INTEGER NOT NULL,      -- 1: gone; number and column are never used again
  create_us          INTEGER NOT NULL,
  update_us          INTEGER NOT NULL,
  revision           INTEGER NOT NULL       -- sequence of the last change; the etag is made of it
) STRICT;
CREATE UNIQUE INDEX attribute_id ON attribute (id) WHERE deleted = 0;

CREATE TABLE identity_namespace (
  number        INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  display_name  TEXT NOT NULL,
  kind          INTEGER NOT NULL,           -- 1 person 2 device
  normalization INTEGER NOT NULL,           -- 1 none 2 trim 3 trim and lower 4 e-mail 5 phone 6 SHA-256
  derived_from  INTEGER,                    -- number of the clear namespace
  built_in      INTEGER NOT NULL,
  create_us     INTEGER NOT NULL,
  revision      INTEGER NOT NULL
) STRICT;

-- Attribute columns a1, a2 ... are added as attributes are created: no CHECK and no NOT NULL, so that adding
-- one does not touch a row.
CREATE TABLE profile (
  id        INTEGER PRIMARY KEY,
  create_us INTEGER NOT NULL,
  update_us INTEGER NOT NULL,
  known     INTEGER NOT NULL,               -- 1: has an identity of a person
  times     BLOB                            -- event times by attribute, and who set consents; packed, see profile_times.h
) STRICT;

CREATE TABLE identity (
  namespace INTEGER NOT NULL,
  value     TEXT NOT NULL,                  -- normalised
  profile   INTEGER NOT NULL,
  derived   INTEGER NOT NULL,               -- 1: the hash of a clear one, kept by the server
  PRIMARY KEY (namespace, value)
) STRICT, WITHOUT ROWID;
-- Covers the list of a profile's identities: the value is in it as part of the key.
CREATE INDEX identity_profile ON identity (profile, namespace, derived);

CREATE TABLE audience (
  number           INTEGER PRIMARY KEY,
  id               TEXT NOT NULL,
  display_name     TEXT NOT NULL,
  kind             INTEGER NOT NULL,        -- 1 list 2 rule 3 composition
  generation       INTEGER NOT NULL,        -- the present one; the first is 1
  next_generation  INTEGER NOT NULL,        -- for the next replace; abandoned ones are not used again
  max_qualified_us INTEGER NOT NULL,        -- the latest qualification time ever pushed
  deleted          INTEGER NOT NULL,        -- 1: gone for readers, rows go in chunks
  create_us        INTEGER NOT NULL,
  update_us        INTEGER NOT NULL,
  revision         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX audience_id ON audience (id) WHERE deleted = 0;

-- A generation is what a replace published. It is the audience at S when from_seq <= S < to_seq.
CREATE TABLE audience_generation (
  audience   INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  from_seq   INTEGER NOT NULL,
  to_seq     INTEGER NOT NULL,              -- 9223372036854775807: still
  as_of_us   INTEGER NOT NULL,              -- pushes before it are stale; the least integer: none are
  PRIMARY KEY (audience, generation)
) STRICT, WITHOUT ROWID;

-- Intervals: a profile has this status in this generation at S when from_seq <= S < to_seq. An empty interval
-- (from_seq = to_seq) is a push that was stale, or was overtaken within its commit; it is kept for its history.
-- Staged rows of a replace are rows of a generation that is not published yet: its own records begin at 0,
-- those of pushes that win over them at the sequence of the push.
CREATE TABLE membership (
  audience     INTEGER NOT NULL,
  generation   INTEGER NOT NULL,
  profile      INTEGER NOT NULL,
  from_seq     INTEGER NOT NULL,
  to_seq       INTEGER NOT NULL,
  status       INTEGER NOT NULL,            -- 1 realized 2 exited
  qualified_us INTEGER NOT NULL,
  PRIMARY KEY (audience, generation, profile, from_seq)
) STRICT, WITHOUT ROWID;

-- A replace that is being staged; one per audience.
CREATE TABLE audience_replace (
  audience            INTEGER PRIMARY KEY,
  stream              TEXT NOT NULL UNIQUE,
  generation          INTEGER NOT NULL,     -- the staged one
  as_of_us            INTEGER NOT NULL,
  max_refused_percent REAL NOT NULL,
  staged              INTEGER NOT NULL,     -- records staged
  carried_profile     INTEGER NOT NULL,     -- newer rows of the present generation are carried up to here
  update_us           INTEGER NOT NULL
) STRICT;

-- Everything that changed, in order: history, feeds and incrementals read it.
CREATE TABLE change (
  seq      INTEGER PRIMARY KEY,
  kind     INTEGER NOT NULL,                -- 1 created 2 attributes 3 realized 4 exited 5 generation 6 deleted
                                            -- 7 identities 8 reach_block
  profile  INTEGER,                         -- null for a generation
  audience INTEGER,                         -- 3, 4, 5 only
  mask     BLOB                             -- 1, 2: bit n-1 (little-endian) is attribute n
) STRICT;

-- Addresses that must not be reached; only their keyed hashes.
CREATE TABLE suppression (
  key       INTEGER NOT NULL,               -- id of the master key that the hash was made with
  hash      BLOB NOT NULL CHECK (length(hash) = 32),  -- HMAC-SHA256 of namespace and value
  channel   TEXT NOT NULL,                  -- empty: every one
  reason    TEXT NOT NULL,
  create_us INTEGER NOT NULL,
  PRIMARY KEY (key, hash, channel)
) STRICT, WITHOUT ROWID;

-- Addresses that bounce, written by the follower of the log.
CREATE TABLE quarantine (
  number         INTEGER PRIMARY KEY,
  namespace      INTEGER NOT NULL,
  value          TEXT NOT NULL,             -- normalised
  channel        TEXT NOT NULL,
  errors         INTEGER NOT NULL,          -- that counted
  counted_us     INTEGER NOT NULL,          -- event time of the last one that counted
  last_us        INTEGER NOT NULL,          -- event time of the latest one
  quarantine_us  INTEGER,                   -- since when; null: not in quarantine yet
  failure_type   INTEGER NOT NULL,          -- of the last one that counted
  failure_reason INTEGER NOT NULL,
  UNIQUE (namespace, value, channel)
) STRICT;

-- Profiles that must not be reached.
CREATE TABLE denylist (
  profile   INTEGER NOT NULL,
  channel   TEXT NOT NULL,                  -- empty: every one
  reason    TEXT NOT NULL,
  create_us INTEGER NOT NULL,
  PRIMARY KEY (profile, channel)
) STRICT, WITHOUT ROWID;

-- What the three above mean for profiles, so that outputs need not look there: kept by whoever changes a list or
-- the identities of a profile, in the same transaction.
CREATE TABLE reach_block (
  profile INTEGER NOT NULL,
  channel TEXT NOT NULL,                    -- empty: every one
  reasons INTEGER NOT NULL,                 -- 1 suppressed + 2 in quarantine + 4 on the denylist
  PRIMARY KEY (profile, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE destination (
  number          INTEGER PRIMARY KEY,
  id              TEXT NOT NULL UNIQUE,
  display_name    TEXT NOT NULL,
  target          INTEGER NOT NULL,         -- 1 recipients 2 visitors
  sync_type       INTEGER NOT NULL,         -- 1 audience sync 2 profile sync
  namespace_order TEXT NOT NULL,            -- JSON list of namespace numbers
  on_conflict     INTEGER NOT NULL,         -- 1 ambiguous 2 first match
  on_unknown      INTEGER NOT NULL,         -- 1 report 2 create 3 keep as unknown
  on_unmap        INTEGER NOT NULL,         -- 1 exit 2 keep
  record_applied  INTEGER NOT NULL,         -- 1: the ledger keeps every row of its streams
  state           INTEGER NOT NULL,         -- 1 active 2 paused
  mapping_revision INTEGER NOT NULL,        -- sequence of the last change that ends open streams
  create_us       INTEGER NOT NULL,
  update_us       INTEGER NOT NULL,
  revision        INTEGER NOT NULL
) STRICT;

CREATE TABLE destination_audience (
  destination INTEGER NOT NULL,
  source_id   TEXT NOT NULL,
  position    INTEGER NOT NULL,
  audience    INTEGER NOT NULL,
  PRIMARY KEY (destination, source_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE field_mapping (
  destination  INTEGER NOT NULL,
  source_field TEXT NOT NULL,
  position     INTEGER NOT NULL,
  attribute    INTEGER,                     -- one of the two
  namespace    INTEGER,
  transform    INTEGER NOT NULL,            -- 1 none 2 trim 3 lower 4 SHA-256
  mandatory    INTEGER NOT NULL,
  merge_policy INTEGER NOT NULL,            -- 0 set 1 set if empty 2 ignore null 3 clear
  PRIMARY KEY (destination, source_field)
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
  number       INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  schema       INTEGER NOT NULL,            -- 1 delivery log 2 tracking log
  dataset      TEXT NOT NULL,
  fields       TEXT NOT NULL,               -- JSON list of [field, rename]
  deliveries   TEXT NOT NULL,               -- JSON list of ids
  audiences    TEXT NOT NULL,               -- JSON list of ids
  start_us     INTEGER,
  end_us       INTEGER,
  state        INTEGER NOT NULL,
  create_us    INTEGER NOT NULL,
  update_us    INTEGER NOT NULL,
  revision     INTEGER NOT NULL
) STRICT;

-- Opt-outs that found no profile, or no consent attribute; applied when a profile is given the identity or a
-- consent attribute is created.
CREATE TABLE pending_opt_out (
  number     INTEGER PRIMARY KEY,
  namespace  INTEGER NOT NULL,
  value      TEXT NOT NULL,
  channel    TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  opt_out_us INTEGER NOT NULL,
  profile    INTEGER NOT NULL,              -- whose it is if the identity leads to nobody; 0: nobody known
  UNIQUE (namespace, value, channel, purpose)
) STRICT;

-- What people asked for (storage/privacy_store.h). Done in the background, in the order of number.
CREATE TABLE privacy_request (
  number            INTEGER PRIMARY KEY,    -- the sequence of its creation
  id                TEXT NOT NULL UNIQUE,
  kind              INTEGER NOT NULL,       -- 1 access 2 erase
  state             INTEGER NOT NULL,       -- 1 running 2 succeeded 3 failed
  step              INTEGER NOT NULL,       -- 0 none 1 profile 2 ledger 3 logs 4 empty logs 5 scan
  rows_done         INTEGER NOT NULL,
  rows_total        INTEGER NOT NULL,
  key               INTEGER NOT NULL,       -- id of the master key that privacy_hash was made with
  profile           INTEGER,                -- who; null: nobody, or forgotten
  tombstones        INTEGER NOT NULL,
  failure           TEXT NOT NULL,
  archive_bytes     INTEGER NOT NULL,
  archive_expire_us INTEGER NOT NULL,       -- 0: there is none
  statement         TEXT NOT NULL,          -- of an erasure that succeeded: JSON
  signature         BLOB NOT NULL,
  public_key        BLOB NOT NULL,
  signing_key       INTEGER NOT NULL,
  create_us         INTEGER NOT NULL,
  end_us            INTEGER NOT NULL,       -- 0: it runs
  revision          INTEGER NOT NULL
) STRICT;
CREATE INDEX privacy_request_running ON privacy_request (number) WHERE state = 1;

-- Whom a request is about, as long as it runs or has an archive.
CREATE TABLE privacy_hash (
  request INTEGER NOT NULL,
  usage   INTEGER NOT NULL,                 -- what for: 1 suppression 2 tombstone
  key     INTEGER NOT NULL,
  hash    BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (request, usage, key, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE privacy_profile (
  request INTEGER NOT NULL,
  profile INTEGER NOT NULL,                 -- the person is, or was, this one
  PRIMARY KEY (request, profile)
) STRICT, WITHOUT ROWID;

CREATE TABLE privacy_count (
  request INTEGER NOT NULL,
  name    TEXT NOT NULL,                    -- of the table, with its file: profiles.identity
  rows    INTEGER NOT NULL,
  PRIMARY KEY (request, name)
) STRICT, WITHOUT ROWID;

-- The archive of an access request: JSON lines, cut into chunks of one size, each sealed by itself.
CREATE TABLE privacy_archive (
  request INTEGER NOT NULL,
  chunk   INTEGER NOT NULL,                 -- from 0
  sealed  BLOB NOT NULL,
  PRIMARY KEY (request, chunk)
) STRICT;

-- Identities of people who were erased; only their keyed hashes. For ever.
CREATE TABLE tombstone (
  key       INTEGER NOT NULL,               -- id of the master key that the hash was made with
  hash      BLOB NOT NULL CHECK (length(hash) = 32),  -- HMAC-SHA256 of namespace and value
  create_us INTEGER NOT NULL,
  PRIMARY KEY (key, hash)
) STRICT, WITHOUT ROWID;

-- Names of all write streams of the instance, also of those in the logs file.
CREATE TABLE stream_name (
  id   TEXT PRIMARY KEY,
  file TEXT NOT NULL                        -- p: here, l: logs
) STRICT, WITHOUT ROWID;

CREATE TABLE write_stream (
  id               TEXT PRIMARY KEY,
  kind             INTEGER NOT NULL,        -- 1 import 2 sync 3 push 4 replace 5 append
  target           TEXT NOT NULL,           -- destination id, or empty
  next_offset      INTEGER NOT NULL,        -- records accepted
  epoch            INTEGER NOT NULL,        -- grows with every open
  source_token     BLOB NOT NULL,           -- the caller's own position
  totals           TEXT NOT NULL,           -- JSON object: outcome number to rows
  finished         INTEGER NOT NULL,
  clear_record_keys INTEGER NOT NULL,
  create_us        INTEGER NOT NULL,
  update_us        INTEGER NOT NULL,
  expired_us       INTEGER NOT NULL         -- 0: it is not; else its hashes and outcomes are gone, its name is not free
) STRICT, WITHOUT ROWID;

-- What a stream of kind 4 replaces; kept after it was published, unlike its staging.
CREATE TABLE stream_replace (
  stream              TEXT PRIMARY KEY,
  audience            TEXT NOT NULL,        -- id
  as_of_us            INTEGER NOT NULL,
  max_refused_percent REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Content hashes of the records of each committed batch, 4 bytes each, for comparing what is sent again.
CREATE TABLE stream_batch (
  stream       TEXT NOT NULL,
  first_offset INTEGER NOT NULL,
  hashes       BLOB NOT NULL,
  PRIMARY KEY (stream, first_offset)
) STRICT, WITHOUT ROWID;

-- The ledger: rows that were refused or have listed fields, and all rows of destinations that ask for it.
CREATE TABLE row_outcome (
  stream     TEXT NOT NULL,
  row_offset INTEGER NOT NULL,
  record_key BLOB NOT NULL,                 -- hashed by the server unless the stream says it is not personal
  outcome    INTEGER NOT NULL,
  reason     INTEGER NOT NULL,
  field      TEXT NOT NULL,
  flags      INTEGER NOT NULL,              -- 1 created 2 membership 4 attributes 8 profile unknown
  stale      TEXT,                          -- JSON list of field names
  out_of_scope TEXT,                        -- JSON list of field names
  create_us  INTEGER NOT NULL,
  profile    INTEGER,                       -- whose row it was, where that is known
  PRIMARY KEY (stream, row_offset)
) STRICT, WITHOUT ROWID;
CREATE INDEX row_outcome_profile ON row_outcome (profile, create_us) WHERE profile IS NOT NULL;

-- Unary writes by their request id, answered again for 72 hours.
CREATE TABLE request (
  id           TEXT PRIMARY KEY,
  method       TEXT NOT NULL,
  payload_hash BLOB NOT NULL,
  response     BLOB NOT NULL,
  create_us    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_age ON request (create_us);

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
