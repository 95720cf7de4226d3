-- The control file: which instances there are. Nothing of their contents.

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
