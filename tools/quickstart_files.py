"""Writes the files that tools/quickstart feeds to the three flows.

    quickstart_files.py OUT [--data FILE.csv[.gz] [--id COLUMN] [--audience COLUMN]]

Without --data: 2,000 made-up customers, the same every time. With it: the rows of that file. Writes into OUT:
customers.csv (who there is), changes.csv (what the CDP wants changed, for customers that exist and some that do
not), sent.csv and clicks.csv (the logs of one delivery to the largest audience), and facts.json.
"""

import argparse
import collections
import csv
import gzip
import io
import json
import pathlib
import random
import re
import sys

ID = "customer_id"
CITIES = ("Paris", "Lyon", "Marseille", "Lille", "Nantes", 'Aix, "en Provence"')
SEGMENTS = ("Regulars", "Newcomers", "Sleepers")


def made_up(rows: int = 2_000) -> list[dict[str, str]]:
    dice = random.Random(2026)
    return [
        {
            ID: f"C{number:05}",
            "email": f"customer{number}@shop.example",
            "city": dice.choice(CITIES),
            "orders": str(dice.randint(0, 40)),
            "spent": f"{dice.lognormvariate(4, 1):.2f}",
            "segment": dice.choices(SEGMENTS, (5, 3, 2))[0],
        }
        for number in range(1, rows + 1)
    ]


def read(path: pathlib.Path, id_column: str | None) -> list[dict[str, str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text))
    if not reader.fieldnames:
        raise SystemExit(f"{path}: the first line must name the columns")
    if id_column is not None and id_column not in reader.fieldnames:
        raise SystemExit(f"--id: {path} has no column '{id_column}'; it has {', '.join(reader.fieldnames)}")
    names = {column: attribute_id(column) for column in reader.fieldnames if column != id_column}
    clash = [n for n, times in collections.Counter(names.values()).items() if times > 1 or n == ID]
    if clash:
        raise SystemExit(f"{path}: two columns would both be attribute '{clash[0]}': rename one")
    rows = []
    for number, row in enumerate(reader, 1):
        if None in row or None in row.values():
            raise SystemExit(f"{path}: data row {number} has another number of columns than the first line")
        identity = row[id_column] if id_column else str(number)
        rows.append({ID: identity, **{names[c]: row[c] for c in names}})
    if not rows:
        raise SystemExit(f"{path}: no rows")
    return rows


def attribute_id(column: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")[:60]
    return name if name[:1].isalpha() else f"c_{name}".rstrip("_")


def choose_audience_column(rows: list[dict[str, str]], wanted: str | None) -> str:
    """The column whose values become audiences: the one asked for, else the one that looks most like it."""
    columns = [c for c in rows[0] if c != ID]
    if wanted is not None:
        if attribute_id(wanted) not in columns:
            raise SystemExit(f"--audience: no column '{wanted}'; there are {', '.join(columns)}")
        return attribute_id(wanted)
    distinct = {c: len({row[c] for row in rows}) for c in columns}
    few = [c for c in columns if 2 <= distinct[c] <= 20]
    if not few:
        raise SystemExit("no column has 2 to 20 different values to make audiences of: name one with --audience")
    likely = [c for c in few if re.search("audience|segment|group|treatment|cohort", c)]
    return min(likely or few, key=lambda c: (any(ch.isdigit() for row in rows[:50] for ch in row[c]), distinct[c]))


def write(path: pathlib.Path, rows: list[dict[str, str]]) -> None:
    """A file that is the same already is left as it is: it keeps its time, and so its stream's name."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    data = text.getvalue().encode()
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def changes(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Every customer is to be gold; every hundredth also opts out of e-mail; a few are strangers."""
    known = [
        {ID: row[ID], "tier": "gold", "newsletter": "false" if i % 100 == 99 else ""}
        for i, row in enumerate(rows)
    ]
    strangers = [{ID: f"stranger-{i}", "tier": "gold", "newsletter": ""} for i in range(1, 11)]
    return known + strangers


def sent(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """One message for each member; every fiftieth bounces."""
    return [
        {
            **message(number, row, minute=0),
            "status": "FAILED" if number % 50 == 0 else "SENT",
            "failure_type": "HARD" if number % 50 == 0 else "",
            "failure_reason": "1" if number % 50 == 0 else "",
        }
        for number, row in enumerate(rows, 1)
    ]


def clicks(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Every seventh opens, every second of those clicks; the first does both."""
    events = []
    for number, row in enumerate(rows, 1):
        for kind in ["OPEN"] * (number % 7 == 1) + ["CLICK"] * (number % 14 == 1):
            event = {"tracking_log_id": str(len(events) + 1), "tracking_kind": kind}
            events.append({**message(number, row, minute=30), **event})
    return events


def message(number: int, row: dict[str, str], minute: int) -> dict[str, str]:
    return {
        "kind": "TRACKING" if minute else "DELIVERY",
        "delivery": "spring",
        "broadlog_id": str(number),
        "event_time": f"2026-03-20T09:{minute:02}:00Z",
        "identity_namespace": "external_id",
        "identity": row[ID],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--id")
    parser.add_argument("--audience")
    options = parser.parse_args()
    rows = read(options.data, options.id) if options.data else made_up()
    column = choose_audience_column(rows, options.audience)
    sizes = collections.Counter(row[column] for row in rows if row[column])
    if len(sizes) > 250:
        raise SystemExit(f"--audience: '{column}' has {len(sizes)} different values, a destination takes 250")
    largest = sizes.most_common(1)[0][0]
    members = [row for row in rows if row[column] == largest]
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "customers.csv", rows)
    write(options.out / "changes.csv", changes(rows))
    write(options.out / "sent.csv", sent(members))
    write(options.out / "clicks.csv", clicks(members))
    has_email = not options.data and "email" in rows[0]
    facts = {
        "rows": len(rows),
        "id_column": ID,
        "audience_column": column,
        "audiences": [value for value, _ in sizes.most_common()],
        "largest": largest,
        "members": len(members),
        "email_identity": has_email,
    }
    (options.out / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    sys.exit(main())
