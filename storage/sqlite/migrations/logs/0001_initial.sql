-- The logs file of an instance: deliveries, their delivery and tracking logs, report numbers, consumers.
-- Times end in _us: microseconds since 1970, UTC. One sequence counts over both kinds of rows and everything
-- else that commits here; it is never used twice.

-- Keys of the core, and: log_purged_seq, log_purged_us (sequence and append time of the last row deleted by
-- retention; absent: none), log_purged_rows (how many were), log_keys_seq (keys of rows up to this sequence were
-- looked at by retention), retention_us (to where the time of retention came, to a day; absent: to the first commit).
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

-- One row per transaction: which moment a sequence belongs to; the append time of its log rows.
CREATE TABLE commit_log (
  last_seq  INTEGER PRIMARY KEY,
  commit_us INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery (
  number       INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  channel      TEXT NOT NULL,
  purpose      TEXT NOT NULL,
  campaign     TEXT NOT NULL,
  log_rows     INTEGER NOT NULL,            -- appended to it, both kinds
  create_us    INTEGER NOT NULL,
  update_us    INTEGER NOT NULL,
  revision     INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery_audience (
  delivery INTEGER NOT NULL,
  position INTEGER NOT NULL,
  audience TEXT NOT NULL,                   -- id
  PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_audience_audience ON delivery_audience (audience);

-- Both kinds of rows, in the order of their sequence, which is the order of their commits. No other index:
-- appending stays sequential.
CREATE TABLE log (
  seq             INTEGER PRIMARY KEY,
  kind            INTEGER NOT NULL,         -- 1 delivery 2 tracking
  delivery        INTEGER NOT NULL,
  broadlog_id     INTEGER NOT NULL,
  event_us        INTEGER NOT NULL,
  append_us       INTEGER NOT NULL,
  status          INTEGER,                  -- delivery: 1 sent 2 failed 6 pending 7 cancelled
  tracking_kind   INTEGER,                  -- tracking: 1 click 2 open 3 opt-out 4 web 5 transaction 6 mirror page
  tracking_log_id INTEGER,
  profile         INTEGER,                  -- as of the append; null: none
  namespace       TEXT,                     -- of the identity as given
  identity        TEXT,
  failure_type    INTEGER,                  -- 1 hard 2 soft 3 ignored
  failure_reason  INTEGER,
  flags           INTEGER,                  -- 1 quarantine 2 control group 4 seed 8 proof
  reason_message  TEXT,
  url             TEXT,
  url_category    TEXT
) STRICT;

-- What makes a row a duplicate. log_id is the broadlog id of delivery rows, the tracking log id of tracking
-- rows; state is the status or the tracking kind.
CREATE TABLE log_key (
  kind     INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  log_id   INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  event_us INTEGER NOT NULL,
  append_us INTEGER NOT NULL,
  PRIMARY KEY (kind, delivery, log_id, state, event_us)
) STRICT, WITHOUT ROWID;

-- The present status of each message: that of the latest event, then of the greatest sequence. Status 0: only
-- tracking rows so far; how many of them are in the report is kept in the early_ columns until the first
-- delivery row tells whether the message went to a seed or was a proof.
CREATE TABLE message (
  delivery       INTEGER NOT NULL,
  broadlog_id    INTEGER NOT NULL,
  status         INTEGER NOT NULL,
  failure_type   INTEGER NOT NULL,
  failure_reason INTEGER NOT NULL,
  apart          INTEGER NOT NULL,          -- 1: a seed or proof, as its first delivery row said
  event_us       INTEGER NOT NULL,
  seq            INTEGER NOT NULL,
  early_clicks   INTEGER NOT NULL,
  early_opens    INTEGER NOT NULL,
  early_opt_outs INTEGER NOT NULL,
  identity_seq   INTEGER,                   -- the delivery row whose identity counts; null: seq; 0: none has one yet;
                                            -- -1: of somebody who was erased, whoever else comes
  PRIMARY KEY (delivery, broadlog_id)
) STRICT, WITHOUT ROWID;

-- Opt-outs and bounces whose row has no identity: that of a delivery row of their message counts.
CREATE TABLE message_opt_out (
  seq          INTEGER PRIMARY KEY,         -- where the follower applies it: of the opt-out row or of the delivery
                                            -- row, whichever came later; of the row that bounced
  identity_seq INTEGER NOT NULL,            -- the delivery row
  opt_out_us   INTEGER                      -- null: a bounce
) STRICT;

-- The latest one of a message that has no delivery row with an identity yet.
CREATE TABLE nameless_opt_out (
  delivery    INTEGER NOT NULL,
  broadlog_id INTEGER NOT NULL,
  opt_out_us  INTEGER NOT NULL,
  PRIMARY KEY (delivery, broadlog_id)
) STRICT, WITHOUT ROWID;

-- Messages that went to whom a privacy request is about, as long as it is at work on the log, and how far it is.
CREATE TABLE privacy_message (
  request     INTEGER NOT NULL,             -- number of privacy_request
  delivery    INTEGER NOT NULL,
  broadlog_id INTEGER NOT NULL,
  PRIMARY KEY (request, delivery, broadlog_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE privacy_work (
  request      INTEGER PRIMARY KEY,
  searched_seq INTEGER NOT NULL,            -- messages of rows up to here are found
  cleared_seq  INTEGER NOT NULL,            -- rows of those messages up to here are cleared
  cleared_rows INTEGER NOT NULL
) STRICT;

-- Report numbers. measure 1: messages by status (key1), failure type and reason (key2 = type * 1000 + reason);
-- 2: messages that are seeds or proofs; 3: tracking rows by kind (key1); 4: distinct messages by measure of
-- report_set (key1). Seeds and proofs are in 2 only.
CREATE TABLE report_count (
  delivery INTEGER NOT NULL,
  measure  INTEGER NOT NULL,
  key1     INTEGER NOT NULL,
  key2     INTEGER NOT NULL,
  value    INTEGER NOT NULL,
  PRIMARY KEY (delivery, measure, key1, key2)
) STRICT, WITHOUT ROWID;

-- Distinct messages of a delivery: the low 16 bits of the broadlog ids as a Roaring bitmap (portable format).
CREATE TABLE report_set (
  delivery INTEGER NOT NULL,
  measure  INTEGER NOT NULL,                -- 1 any tracking row 2 click 3 opt-out
  high     INTEGER NOT NULL,                -- broadlog_id >> 16
  bitmap   BLOB NOT NULL,
  PRIMARY KEY (delivery, measure, high)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer (
  source           TEXT NOT NULL,
  id               TEXT NOT NULL,
  acknowledged_seq INTEGER NOT NULL,
  acknowledge_us   INTEGER,                 -- null: never acknowledged or moved
  seek_us          INTEGER,                 -- null: never moved by a seek
  max_pin_us       INTEGER,                 -- null: the server's; 9223372036854775807: for ever
  told             INTEGER NOT NULL,        -- 2 active 3 warning 4 critical 5 expired: the state last told to people
  expired_us       INTEGER,
  create_us        INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- What consumers have acknowledged, first_seq to last_seq, as few ranges as possible. What lies between two
-- ranges was moved over by a seek.
CREATE TABLE consumer_range (
  source    TEXT NOT NULL,
  id        TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  PRIMARY KEY (source, id, first_seq)
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

-- Content hashes of the records of each committed batch, 4 bytes each, for comparing what is sent again.
CREATE TABLE stream_batch (
  stream       TEXT NOT NULL,
  first_offset INTEGER NOT NULL,
  hashes       BLOB NOT NULL,
  PRIMARY KEY (stream, first_offset)
) STRICT, WITHOUT ROWID;

-- The ledger: rows that were refused or have listed fields.
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
  profile    INTEGER,                       -- not kept here: always null
  PRIMARY KEY (stream, row_offset)
) STRICT, WITHOUT ROWID;

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
