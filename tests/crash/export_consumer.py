"""A consumer of exported log rows that may be killed at any moment.

export_consumer.py TARGET FILE SEED [SOURCE]: follows the log for ever and appends to FILE one JSON line
for each batch: the rows, and the cursor after them. A line is there as a whole or not at all. Without a
source it goes on from the last cursor in FILE; with one it starts where it last acknowledged, and notes
in FILE what it acknowledged.
"""

import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import live_server  # noqa: E402

live_server.use_client()

import passerelle  # noqa: E402

RETRY_SECONDS = 600.0


def read_lines(path: pathlib.Path) -> list[dict]:
    """The whole lines of FILE; a line that was being written when the process died does not count."""
    whole, _, _ = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def repair(path: pathlib.Path) -> None:
    if path.exists():
        data = path.read_bytes()
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def main() -> None:
    target, path, seed, source = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
    repair(path)
    cursors = [line["cursor"] for line in read_lines(path) if "cursor" in line]
    choice = random.Random(seed)
    from traffic import content

    with passerelle.connect(target) as client, open(path, "ab", buffering=0) as out:
        where = {"consumer": "default"} if source else {"cursor": cursors[-1] if cursors else ""}
        out.write(b'{"started": true}\n')
        for batch in client.export_logs(
            source[0] if source else "",
            follow=True,
            max_batch_rows=choice.randint(20, 500),
            retry_for=RETRY_SECONDS,
            **where,
        ):
            rows = [[row.sequence, content(row).hex()] for row in batch.rows]
            line = json.dumps({"cursor": batch.cursor, "sequence": batch.sequence, "rows": rows})
            out.write(line.encode() + b"\n")
            if source and rows:
                batch.acknowledge()
                out.write(json.dumps({"acknowledged": batch.sequence}).encode() + b"\n")


if __name__ == "__main__":
    main()
