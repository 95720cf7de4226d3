"""The proofs whole: hundreds of kills, a thousand cuts."""

import kills_test


def test_five_hundred_kills():
    told = kills_test.figures(["run", "--kills", "500", "--seed", "21"], 3_000)
    assert (told["lost"], told["doubled"], told["kills"]) == (0, 0, 500)
    assert told["consumer_kills"] >= 500
    assert told["serving_p99_ms"] <= 2_000


def test_two_hundred_double_kills():
    told = kills_test.figures(["run", "--kills", "200", "--double", "--seed", "22"], 2_000)
    assert (told["lost"], told["doubled"], told["killed_starts"]) == (0, 0, 200)
    assert told["serving_p99_ms"] <= 2_000


def test_a_thousand_cuts():
    told = kills_test.figures(["cuts", "--points", "1000", "--seed", "23"], 3_000)
    assert (told["lost"], told["doubled"], told["points"]) == (0, 0, 1_000)
    assert told["reached"] >= 900
