"""The server before a store that is damaged, mixed or not its own: it never starts, says exactly which file is wrong and
what to do, and changes nothing."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import live_server
import pytest

FOLDER = "store/instances/default"
PROFILES = f"{FOLDER}/profiles.db"
LOGS = f"{FOLDER}/logs.db"
CONTROL = "store/control.db"

LISTEN = ("--listen", "127.0.0.1:0", "--insecure-loopback")
RESTORE = "restore a backup (passerelled restore)"
DAMAGED = f"; put the sound file back, or {RESTORE}; passerelled doctor looks at all of the store"
MIXED = f"; put files of one store together again, or {RESTORE}"
FOREIGN = "; put the right file back in its place"
NEWER = "; start the version that wrote it, or a newer one"
AHEAD = (
    "; one of the instance's two files is older than the other: put back both of one moment, or "
    "restore a backup (passerelled restore)"
)
UNREADABLE = "; see that the user who runs the server may read and write it, and that the disk is sound"
SET = "[0-9a-f]{32}"


def make_store(data: pathlib.Path, people: int, kill: bool) -> None:
    """A store with profiles in it, closed in order or as a crash leaves it."""
    rows = data.parent / f"{data.name}.csv"
    rows.write_text("external_id,city\n" + "".join(f"{i},Paris\n" for i in range(people)))
    process = subprocess.Popen(
        [live_server.find_program("passerelled"), "--data", data, *LISTEN],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    address = json.loads(process.stdout.readline())["address"]
    subprocess.run(
        [live_server.find_program("passerelle"), "--server", address, "-q", "import", rows, "--create-attributes"],
        check=True, timeout=60, stdout=subprocess.DEVNULL,
    )
    process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """`clean` and `other`, closed in order, and `crashed`, whose logs hold what is not in its files yet."""
    folder = tmp_path_factory.mktemp("stores")
    for name, people, kill in (("clean", 300, False), ("other", 200, False), ("crashed", 400, True)):
        make_store(folder / name, people, kill)
    return folder


class Store:
    """A copy of the clean store, to be damaged."""

    def __init__(self, stores: pathlib.Path, folder: pathlib.Path):
        self.stores = stores
        self.data = folder / "data"
        self.key = folder / "data.key"
        self.journal = folder / "data.erasures"
        self.take("clean")

    def take(self, name: str) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.stores / name, self.data)
        shutil.copy2(self.stores / f"{name}.key", self.key)
        shutil.copy2(self.stores / f"{name}.erasures", self.journal)

    def path(self, name: str) -> pathlib.Path:
        return self.data / name

    def sql(self, name: str, *statements: str) -> None:
        db = sqlite3.connect(self.path(name))
        with db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def sql_in_log(self, name: str, statement: str) -> None:
        """The change is in the write-ahead log alone."""
        db = sqlite3.connect(self.path(name), isolation_level=None)
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute(statement)
        for part in ("", "-wal"):
            shutil.copy2(f"{self.path(name)}{part}", f"{self.path(name)}{part}.kept")
        db.close()
        for part in ("", "-wal"):
            os.replace(f"{self.path(name)}{part}.kept", f"{self.path(name)}{part}")

    def overwrite(self, name: str, at: int, data: bytes) -> None:
        with open(self.path(name), "r+b") as file:
            file.seek(at)
            file.write(data)

    def contents(self) -> dict:
        """What every file holds; SQLite's shared memory, empty logs and the lock are nobody's data."""
        found = {}
        for folder, _, names in os.walk(self.data.parent):
            for name in names:
                path = pathlib.Path(folder, name)
                if name.endswith("-shm") or name == "LOCK" or (name.endswith("-wal") and path.stat().st_size == 0):
                    continue
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def start(self, program: pathlib.Path | None = None, **how) -> subprocess.CompletedProcess:
        return subprocess.run(
            [program or live_server.find_program("passerelled"), "--data", self.data, *LISTEN],
            capture_output=True, text=True, timeout=30, **how,
        )

    def refusal(self, **how) -> str:
        """Starts the server and returns why it does not."""
        done = self.start(**how)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == "", "it never said that it serves"
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        return next(line["detail"] for line in lines if line["event"] == "start_failed")


@pytest.fixture
def store(stores, tmp_path):
    return Store(stores, tmp_path)


def replace(target: str, source: str):
    """Puts a file of this or another store (`other:PATH`) in the place of another."""

    def damage(store: Store) -> None:
        name, _, path = source.rpartition(":")
        shutil.copy2((store.stores / name if name else store.data) / path, store.path(target))

    return damage


def remove(name: str):
    def damage(store: Store) -> None:
        path = store.path(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def write(name: str, data: bytes):
    return lambda store: store.path(name).write_bytes(data)


def cut(name: str, to: float):
    def damage(store: Store) -> None:
        path = store.path(name)
        os.truncate(path, int(path.stat().st_size * to) if to < 1 else int(to))

    return damage


def sql(name: str, *statements: str):
    return lambda store: store.sql(name, *statements)


def log_of_another_store(store: Store) -> None:
    shutil.copy2(store.stores / f"crashed/{PROFILES}-wal", store.path(f"{PROFILES}-wal"))


def another_database(store: Store) -> None:
    store.path(PROFILES).unlink()
    store.sql(PROFILES, "CREATE TABLE photo(id INTEGER PRIMARY KEY)")


def renamed_instance(store: Store) -> None:
    store.path(FOLDER).rename(store.path("store/instances/two"))
    store.sql(CONTROL, "UPDATE instance SET id = 'two'")


def garbage_log(store: Store) -> None:
    store.take("crashed")
    store.overwrite(f"{PROFILES}-wal", 0, b"\x5a" * 32)


def damaged_page_of_a_crashed_store(store: Store) -> None:
    store.take("crashed")
    store.sql(PROFILES, "UPDATE meta SET value = value WHERE key = 'epoch'")  # puts the log into the file
    db = sqlite3.connect(store.path(PROFILES))
    (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'identity'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    store.overwrite(PROFILES, size * (page - 1), b"\x5a" * size)
    # A row that stays as it is would not be written.
    store.sql_in_log(PROFILES, "UPDATE meta SET value = value + 1 WHERE key = 'next_seq'")


def interrupted_restore(store: Store) -> None:
    store.path("store").rename(store.path(".restoring"))


# Name, damage, the words of the refusal as a regular expression: {profiles}, {logs}, ... are paths.
MATRIX = [
    # Files of different stores, instances or moments.
    ("logs-of-another-store", replace(LOGS, f"other:{LOGS}"),
     f"{{logs}}: belongs to set {SET}, this store is set {SET}{MIXED}"),
    ("control-of-another-store", replace(CONTROL, f"other:{CONTROL}"),
     f"{{profiles}}: belongs to set {SET}, this store is set {SET}{MIXED}"),
    ("write-ahead-log-of-another-store", log_of_another_store,
     f"{{profiles}}: belongs to set {SET}, this store is set {SET}{MIXED}"),
    ("instance-in-anothers-folder", renamed_instance,
     f"{{two}}/profiles.db: belongs to instance 'default', it lies in the folder of 'two'{MIXED}"),
    ("instance-unknown-to-the-registry", sql(CONTROL, "DELETE FROM instance"),
     f"{{folder}}: this store's control file does not know it{MIXED}"),
    ("follower-ahead-of-its-log",
     sql(PROFILES, "INSERT INTO meta VALUES ('log_applied_seq', 1000) ON CONFLICT DO UPDATE SET value = 1000"),
     f"{{profiles}}: has applied the log up to 1000, the log ends at \\d+{AHEAD}"),
    ("restore-that-was-interrupted", interrupted_restore,
     "{data}/.restoring: a restore was interrupted here; run it again, or remove this folder to begin an empty store"),
    # Files in each other's place, of other programs, of other versions.
    ("logs-in-the-place-of-profiles", replace(PROFILES, LOGS),
     f"{{profiles}}: application_id is 1347637836, a Passerelle profiles file has 1347637840{FOREIGN}"),
    ("another-programs-database", another_database,
     f"{{profiles}}: application_id is 0, a Passerelle profiles file has 1347637840{FOREIGN}"),
    ("another-application-id", sql(LOGS, "PRAGMA application_id=42"),
     f"{{logs}}: application_id is 42, a Passerelle logs file has 1347637836{FOREIGN}"),
    ("newer-schema", sql(LOGS, "PRAGMA user_version=999"),
     f"{{logs}}: schema 999, this version knows schemas up to \\d+{NEWER}"),
    ("newer-schema-in-the-log-alone", lambda store: store.sql_in_log(LOGS, "PRAGMA user_version=999"),
     f"{{logs}}: schema 999, this version knows schemas up to \\d+{NEWER}"),
    ("newer-control-file", sql(CONTROL, "PRAGMA user_version=999"),
     f"{{control}}: schema 999, this version knows schemas up to \\d+{NEWER}"),
    # Files that are missing or damaged.
    ("no-profiles", remove(PROFILES), f"{{profiles}}: the file is missing{DAMAGED}"),
    ("no-logs", remove(LOGS), f"{{logs}}: the file is missing{DAMAGED}"),
    ("no-instance", remove(FOLDER), f"{{profiles}}: the file is missing{DAMAGED}"),
    ("no-control-file", remove(CONTROL), f"{{control}}: missing, but other files of the store exist{DAMAGED}"),
    ("empty-file", write(PROFILES, b""), f"{{profiles}}: the file is empty{DAMAGED}"),
    ("half-a-header", cut(PROFILES, 50), f"{{profiles}}: the file is too short to be a database{DAMAGED}"),
    ("half-a-file", cut(LOGS, 0.5), f"{{logs}}: truncated: \\d+ bytes, expected \\d+{DAMAGED}"),
    ("half-a-control-file", cut(CONTROL, 0.5), f"{{control}}: truncated: \\d+ bytes, expected \\d+{DAMAGED}"),
    ("a-picture", write(PROFILES, b"\x89PNG\r\n\x1a\n" + bytes(8192)), f"{{profiles}}: not a database file{DAMAGED}"),
    ("no-meta-row", sql(LOGS, "DELETE FROM meta WHERE key = 'epoch'"), f"{{logs}}: meta has no epoch{DAMAGED}"),
    ("meta-of-another-kind", sql(LOGS, "UPDATE meta SET value = 'profiles' WHERE key = 'kind'"),
     f"{{logs}}: meta names another kind of file{DAMAGED}"),
    ("damaged-schema-page", lambda store: store.overwrite(PROFILES, 100, b"\x5a" * 3996),
     f"(reading meta|(checking|opening) {{profiles}}): database disk image is malformed .*{DAMAGED}"),
    ("damaged-page-after-a-crash", damaged_page_of_a_crashed_store,
     f"({{profiles}}: SQLite's quick_check finds damaged pages|.*malformed.*){DAMAGED}"),
    ("garbage-in-the-place-of-a-log", garbage_log,
     f"{{profiles}}-wal: not a write-ahead log, though it lies in the place of one{DAMAGED}"),
    # The master key.
    ("key-that-others-may-read", lambda store: store.key.chmod(0o644),
     r"key file {key}: mode 0644 lets others in, wanted 0600 \(chmod 600\)"),
    ("empty-key-file", lambda store: store.key.write_text(""),
     "key file {key}: no key in it, wanted one; put the master key file of this store back"),
    ("key-file-of-something-else", lambda store: store.key.write_text("-----BEGIN PRIVATE KEY-----\n"),
     "key file {key}: line 1: wanted: key, an id of 8 hex digits, 64 hex digits; "
     "put the master key file of this store back"),
    # The erasure journal.
    ("no-erasure-journal", lambda store: store.journal.unlink(),
     "erasure journal {journal} is missing: this store keeps one or was restored from a backup, and may hold people who "
     "were erased since. Put the file back; or start once with --no-erasure-journal, which begins a new one and lets "
     "those people stay"),
    ("erasure-journal-of-another-store", lambda store: shutil.copy2(store.stores / "other.erasures", store.journal),
     "erasure journal {journal}[: ].*"),
    ("half-an-erasure-journal", lambda store: os.truncate(store.journal, store.journal.stat().st_size // 2),
     "erasure journal {journal}[: ].*"),
    ("erasure-journal-without-its-key", lambda store: store.key.unlink(),
     "erasure journal {journal}: there is no master key to check it with; put the master key file of this store back. "
     "If it is lost, move the journal away and start once with --no-erasure-journal"),
    ("key-file-that-is-a-link", lambda store: (store.key.rename(f"{store.key}.real"),
                                               store.key.symlink_to(f"{store.key}.real")),
     "key file {key}: a symbolic link, wanted the file itself; name that with --key-file"),
]


@pytest.mark.parametrize("damage, words", [case[1:] for case in MATRIX], ids=[case[0] for case in MATRIX])
def test_is_refused_with_the_file_and_what_to_do_and_left_as_it_is(store, damage, words):
    damage(store)
    before = store.contents()
    places = {"data": store.data, "profiles": store.path(PROFILES), "logs": store.path(LOGS), "key": store.key,
              "journal": store.journal,
              "control": store.path(CONTROL), "folder": store.path(FOLDER), "two": store.path("store/instances/two")}
    wanted = re.sub(r"\{(data|profiles|logs|key|journal|control|folder|two)\}",
                    lambda place: re.escape(str(places[place[1]])), words)
    told = store.refusal()
    assert re.fullmatch(wanted.replace("(passerelled restore)", r"\(passerelled restore\)"), told), told
    assert store.contents() == before
    assert store.refusal() == told, "and again"


def test_a_sound_store_and_a_crashed_one_start(store):
    for name in ("clean", "crashed"):
        store.take(name)
        process = subprocess.Popen(
            [live_server.find_program("passerelled"), "--data", store.data, *LISTEN],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        assert json.loads(process.stdout.readline())["event"] == "serving"
        process.send_signal(signal.SIGTERM)
        assert "master_key_made" not in process.communicate(timeout=30)[1]
        assert process.returncode == 0


def test_a_second_server_is_refused_while_the_first_serves_on(store):
    first = subprocess.Popen(
        [live_server.find_program("passerelled"), "--data", store.data, *LISTEN],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    address = json.loads(first.stdout.readline())["address"]
    assert store.refusal() == (f"{store.path('store/LOCK')}: another server has this data directory open; "
                               "stop it or give another --data")
    asked = [live_server.find_program("passerelle"), "--server", address, "health"]
    subprocess.run(asked, check=True, timeout=30, stdout=subprocess.DEVNULL)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=30) == 0
    first.stdout.close()


def test_a_key_that_is_missing_beside_data_is_made_and_said(store):
    store.key.unlink()
    store.journal.unlink()
    process = subprocess.Popen(
        [live_server.find_program("passerelled"), "--data", store.data, "--no-erasure-journal", *LISTEN],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert json.loads(process.stdout.readline())["event"] == "serving"
    process.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in process.communicate(timeout=30)[1].splitlines()]
    detail = next(line["detail"] for line in lines if line["event"] == "master_key_made")
    assert str(store.key) in detail and "stop the server and put it there" in detail
    assert "no_erasure_journal" in {line["event"] for line in lines} and store.journal.exists()


def test_a_data_directory_that_is_a_file_is_refused(store):
    shutil.rmtree(store.data)
    store.data.write_text("not a folder")
    assert str(store.data) in store.refusal()
    assert store.data.read_text() == "not a folder"


class OfAnotherUser:
    """A store of a user whose rights count: root may read and write everything."""

    def __init__(self, stores: pathlib.Path):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="passerelle-rights-"))
        self.store = Store(stores, self.folder)
        self.how = {"program": self._copy_program(), "env": {**os.environ, "LD_LIBRARY_PATH": str(self.folder / "lib")}}
        if os.geteuid() == 0:
            self.how |= {"user": 65534, "group": 65534, "extra_groups": []}
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, 65534, 65534)

    def _copy_program(self) -> pathlib.Path:
        """The build may lie where another user may not go: the program and its libraries, where this one may."""
        program = pathlib.Path(shutil.copy2(live_server.find_program("passerelled"), self.folder))
        (self.folder / "lib").mkdir()
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"=> (/\S+)", needed):
            if not library.startswith(("/lib", "/usr/lib")):
                shutil.copy2(library, self.folder / "lib")
        return program

    def close(self) -> None:
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o700)
        shutil.rmtree(self.folder)


@pytest.fixture
def limited(stores):
    made = OfAnotherUser(stores)
    yield made
    made.close()


@pytest.mark.parametrize("name, mode, words", [
    (PROFILES, 0o000, "cannot open {path}: Permission denied"),
    (CONTROL, 0o000, "cannot open {path}: Permission denied"),
    (LOGS, 0o400, "opening {path}: unable to open database file"),
    (FOLDER, 0o500, "opening {path}/profiles.db: attempt to write a readonly database"),
    (FOLDER, 0o000, "cannot open {path}/profiles.db: Permission denied"),
    ("store/LOCK", 0o000, "cannot open {path}: Permission denied"),
], ids=["profiles-unreadable", "control-unreadable", "logs-read-only", "instance-not-writable", "instance-closed",
        "lock-unreadable"])
def test_rights_that_are_missing_are_named(limited, name, mode, words):
    for log in limited.folder.rglob("*.db-*"):
        log.unlink()  # where they are, SQLite needs to make nothing
    before = limited.store.contents()
    path = limited.store.path(name)
    path.chmod(mode)
    told = limited.store.refusal(**limited.how)
    path.chmod(0o700)
    assert words.replace("{path}", str(path)) in told and told.endswith(UNREADABLE), told
    assert limited.store.contents() == before
