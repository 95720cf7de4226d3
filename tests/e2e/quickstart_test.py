"""tools/quickstart as a newcomer runs it, on a tree that is built: its own customers, the reader's, and again."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def quickstart(folder, *arguments, wanted_code=0):
    command = [ROOT / "tools/quickstart", "--listen", "127.0.0.1:0", "--dir", folder, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == wanted_code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_the_three_flows_run_in_one_command_and_again_without_doubling(tmp_path):
    first = quickstart(tmp_path, "--end")
    for wanted in ("import customers.csv: 2,000 received", "994 members", "not found", "click", "sent"):
        assert wanted in first, first
    again = quickstart(tmp_path, "--end")
    assert "import customers.csv: 0 received, 2,000 known before" in again, again
    assert "append sent.csv: 0 received, 994 known before" in again, again
    assert "no server of a quickstart is running" in quickstart(tmp_path, "--stop")


def test_the_readers_own_customers_take_the_place_of_made_up_ones(tmp_path):
    mine = tmp_path / "mine.csv"
    rows = [f'{i},"O\'Neil, {i}",{i * 1.5},{"gold" if i % 3 else "new ones"}' for i in range(1, 61)]
    mine.write_text("\ufeffNumber,Full Name,Spent,Group\n" + "\n".join(rows) + "\n")
    shown = quickstart(tmp_path / "q", "--data", mine, "--id", "Number", "--audience", "Group", "--end")
    assert "import customers.csv: 60 received" in shown, shown
    assert "40 members" in shown, shown
    wrong = quickstart(tmp_path / "q", "--data", mine, "--id", "Nummer", "--end", wanted_code=1)
    assert "no column 'Nummer'; it has Number, Full Name, Spent, Group" in wrong
    assert "unknown option" in quickstart(tmp_path, "--nonsense", wanted_code=2)
    assert "no such file" in quickstart(tmp_path, "--data", tmp_path / "none.csv", wanted_code=2)
