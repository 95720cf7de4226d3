"""The customers that the main job runs on: a real campaign's file, or as many made-up ones."""

import csv
import dataclasses
import gzip
import io
import pathlib
import random

GROUPS = ("Mens E-Mail", "Womens E-Mail", "No E-Mail")
# What is known of the real file (see its README): customers, visits and conversions of each group.
REAL_ROWS = 64_000
REAL_GROUPS = {"Mens E-Mail": 21_307, "Womens E-Mail": 21_387, "No E-Mail": 21_306}
REAL_VISITS = {"Mens E-Mail": 3_894, "Womens E-Mail": 3_238, "No E-Mail": 2_262}


@dataclasses.dataclass(frozen=True, slots=True)
class Customer:
    """One row of the file; `number` counts from 1 and is the external_id."""

    number: int
    recency: int
    history_segment: str
    history: float
    mens: bool
    womens: bool
    zip_code: str
    newbie: bool
    channel: str
    treatment: str
    conversion: bool
    visit: bool
    spend: float


def read(path: pathlib.Path) -> list[Customer]:
    """All customers of a CSV file with the columns of the real one, gzipped or not."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    rows = csv.DictReader(io.StringIO(text.decode("utf-8-sig")))
    return [_customer(number, row) for number, row in enumerate(rows, 1)]


def _customer(number: int, row: dict[str, str]) -> Customer:
    return Customer(
        number,
        int(row["recency"]),
        row["history_segment"],
        float(row["history"]),
        row["mens"] == "1",
        row["womens"] == "1",
        row["zip_code"],
        row["newbie"] == "1",
        row["channel"],
        row["treatment"],
        row["conversion"] == "1",
        row["visit"] == "1",
        float(row["spend"]),
    )


def make(rows: int, seed: int) -> list[Customer]:
    """Made-up customers, the same for the same seed, shaped like the real ones."""
    dice = random.Random(seed)
    return [_made_up(number, dice) for number in range(1, rows + 1)]


def _made_up(number: int, dice: random.Random) -> Customer:
    history = round(dice.lognormvariate(5, 1), 2)
    visit = dice.random() < 0.15
    conversion = visit and dice.random() < 0.06
    return Customer(
        number,
        dice.randint(1, 12),
        dice.choice(["1) $0 - $100", "2) $100 - $200", '3) $200, "more"', "4) $500\nand up"]),
        history,
        dice.random() < 0.55,
        dice.random() < 0.55,
        dice.choice(["Urban", "Surburban", "Rural"]),
        dice.random() < 0.5,
        dice.choice(["Web", "Phone", "Multichannel"]),
        dice.choice(GROUPS),
        conversion,
        visit,
        round(dice.uniform(29, 499), 2) if conversion else 0.0,
    )


def is_real(customers: list[Customer]) -> bool:
    """True if these are the 64,000 of the real file, by its published totals."""
    groups = {group: sum(c.treatment == group for c in customers) for group in GROUPS}
    return len(customers) == REAL_ROWS and groups == REAL_GROUPS
