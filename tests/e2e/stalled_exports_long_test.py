"""The same for ten minutes; see stalled_exports_test.py."""

import stalled_exports
from stalled_exports_test import WAL_LIMIT


def test_sixteen_exports_stalled_for_ten_minutes():
    figures = stalled_exports.measure(600)
    print(figures)
    assert figures["memory_growth_kib"] <= 32 * 1024
    assert figures["wal_bytes"] <= WAL_LIMIT
    assert figures["complete"]
