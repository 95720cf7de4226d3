"""The model at length: a million operations in process, and longer runs over the wire."""

import model_test


def test_a_million_operations():
    told = model_test.figures("--seeds", "5000", "--ops", "1000000", "--seed", "100000", seconds=3_600)
    assert (told["lost"], told["doubled"]) == (0, 0)


def test_two_hundred_runs_over_the_wire():
    told = model_test.figures("--wire", "--seeds", "200", "--ops", "40000", "--seed", "500", seconds=3_600)
    assert (told["lost"], told["doubled"]) == (0, 0)
