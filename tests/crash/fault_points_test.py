"""The server dies at every fault point there is, and nothing is lost or doubled."""

import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "privacy")]

from crash_server import ROOT, live_server  # noqa: E402

live_server.use_client()

from backup_deaths_test import BACKUP_FAULTS, RESTORE_FAULTS  # noqa: E402
import disk_test  # noqa: E402
import erasing  # noqa: E402
import io_test  # noqa: E402
from key_rotation_test import EDIT_FAULTS  # noqa: E402
from scenario import SIGKILLED, Scenario  # noqa: E402

# Where to die: at which time the place is reached, and for checkpoints how many microseconds into it.
FAULTS = {
    "after-checkpoint": ["1"],
    "after-commit": ["1", "2", "12", "40"],
    "before-commit": ["1", "2", "12", "40"],
    "between-acks": ["3", "20"],
    "create-before-rename": ["1", "2"],
    "create-before-row": ["1", "2"],
    "create-between-files": ["1", "2"],
    "create-control": ["1"],
    "delete-files-gone": ["1"],
    "delete-marked": ["1"],
    "delete-renamed": ["1"],
    "delete-stream-row-gone": ["1", "2"],
    "follower-between-batches": ["1"],
    "mid-checkpoint": ["1", "1:200", "1:1000", "2:3000"],
    "open-name-reserved": ["1", "2"],
}
PLANTS = ("ack-before-commit", "cursor-ahead", "double-on-retry", "forget-act", "lost-epoch-fence", "skip-row")


def sources() -> dict[str, str]:
    """The files that name a fault point or a planted bug."""
    paths = [path for folder in ("server", "storage") for path in (ROOT / folder).rglob("*.cc")]
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    return {path: text for path, text in texts.items() if '"storage/fault_point.h"' in text}


def named(macro: str) -> set[str]:
    return {name for text in sources().values() for name in re.findall(macro + r'\("([^"]+)"\)', text)}


def test_every_fault_point_and_planted_bug_in_the_sources_is_tried():
    assert named("FAULT_POINT") == {*FAULTS, *BACKUP_FAULTS, *RESTORE_FAULTS, *EDIT_FAULTS, *erasing.ERASE_FAULTS,
                                    *erasing.ACCESS_FAULTS}
    assert named("PLANTED") == {*PLANTS, *io_test.PLANTS, *disk_test.PLANTS, *disk_test.LONG_PLANTS,
                                *erasing.SERVER_PLANTS}


def test_the_test_server_compiles_every_file_that_names_one():
    listed = re.search(r"set\(FAULT_SOURCES\s+([^)]*)\)", (HERE / "CMakeLists.txt").read_text())
    assert set(listed[1].split()) == set(sources())


def test_the_product_holds_none_of_them():
    product = live_server.find_program("passerelled").read_bytes()
    faults = live_server.find_program("passerelled_faults").read_bytes()
    for text in (b"PASSERELLE_FAULT", b"PASSERELLE_PLANT", b"open-name-reserved", b"lost-epoch-fence"):
        assert text in faults
        assert text not in product


@pytest.mark.parametrize("fault", [f"{name}:{when}" for name, times in FAULTS.items() for when in times])
def test_nothing_is_lost_or_doubled_when_it_dies_at(fault, tmp_path):
    scenario = Scenario(tmp_path, fault)
    scenario.run()
    assert scenario.deaths == [SIGKILLED]
    assert fault.partition(":")[0] in scenario.reached()
    assert not scenario.findings


@pytest.mark.parametrize("plant", PLANTS)
def test_the_harness_sees_the_planted_bug(plant):
    command = [HERE / "run", "--kills", "12", "--plant", plant, "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f"planted bug '{plant}': caught" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
