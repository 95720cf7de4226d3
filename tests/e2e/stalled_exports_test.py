"""Stalled readers cost neither memory nor write-ahead log."""

import stalled_exports

SECONDS = 12
MIB = 1024 * 1024
WAL_LIMIT = 40 * MIB + 8 * MIB  # the checkpoint distance and one transaction


def test_sixteen_stalled_exports_cost_neither_memory_nor_write_ahead_log():
    figures = stalled_exports.measure(SECONDS)
    print(figures)
    assert figures["appended"] > 20_000
    assert figures["memory_growth_kib"] <= 32 * 1024
    assert figures["wal_bytes"] <= WAL_LIMIT
    assert figures["complete"]
