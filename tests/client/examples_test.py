"""Each client has one example of the three flows, in under a hundred lines."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from api_reference import examples  # noqa: E402


def test_every_client_has_one():
    clients = {path.parent.name for path in (ROOT / "client").glob("*/conformance")}
    assert clients == {language.file.split("/")[0] for language in examples.LANGUAGES}


@pytest.mark.parametrize("language", examples.LANGUAGES, ids=lambda language: language.anchor)
def test_it_is_shorter_than_a_hundred_lines(language):
    assert 20 < len(examples.source(language).splitlines()) < 100
