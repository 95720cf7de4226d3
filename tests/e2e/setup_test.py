"""tools/setup for somebody who is not root: what it runs through sudo, and what it says without one."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = "bash cat cmp comm cp dirname env id mkdir rm sed sort tail"
ABSENT = ["lld", "sqlite3"]

# Says that every package is installed but the absent ones.
DPKG_QUERY = """#!/bin/bash
while [ "$1" != '${db:Status-Status} ${Package}\\n' ]; do shift; done; shift
for package; do [[ " %s " == *" $package "* ]] || echo "installed $package"; done
""" % " ".join(ABSENT)
SUDO = """#!/bin/bash
echo "$(id -un): $*" >> "$PWD/sudo.log"
[[ "$*" != *" $REFUSED"* ]]
"""


class Newcomer:
    """A clone that belongs to nobody, who finds in PATH only what is put there."""

    def __init__(self, folder):
        self.root = folder / "clone"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.root / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools/setup", self.root / "tools")
        for name in TOOLS.split():
            (self.bin / name).symlink_to(shutil.which(name))
        self.put("dpkg-query", DPKG_QUERY)
        (self.root / "tools/requirements.txt").write_text("none==1\n")
        # Python packages are here already: no download.
        venv = self.root / "build/venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/python").symlink_to(shutil.which("true"))
        (venv / "installed-requirements.txt").write_text("none==1\n")
        self.owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        folder.chmod(0o755)
        for path in [self.root, *self.root.rglob("*")]:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)

    def put(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def setup(self, refused="nothing"):
        root = os.geteuid() == 0
        return subprocess.run(
            [self.root / "tools/setup"],
            env={"PATH": str(self.bin), "REFUSED": refused},
            user=self.owner.pw_uid if root else None,
            group=self.owner.pw_gid if root else None,
            extra_groups=[] if root else None,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def asked(self):
        """What came to sudo, line by line."""
        log = self.root / "sudo.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def newcomer():
    with tempfile.TemporaryDirectory(prefix="passerelle-setup-") as folder:
        yield Newcomer(pathlib.Path(folder))


def test_only_apt_get_runs_through_sudo_and_only_for_what_is_missing(newcomer):
    newcomer.put("sudo", SUDO)
    done = newcomer.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"installing {len(ABSENT)} of" in done.stdout
    update, install = newcomer.asked()
    begin = f"{newcomer.owner.pw_name}: env DEBIAN_FRONTEND=noninteractive apt-get "
    assert update.startswith(begin) and update.endswith(" update")
    assert install.startswith(begin)
    assert install.endswith(" -y --no-install-recommends install " + " ".join(ABSENT))
    assert (newcomer.root / "build/setup.log").stat().st_uid == newcomer.owner.pw_uid


def test_lists_that_cannot_be_fetched_do_not_stop_it_but_a_failed_installation_does(newcomer):
    newcomer.put("sudo", SUDO)
    done = newcomer.setup(refused="update")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "some lists are old; trying all the same" in done.stdout
    failed = newcomer.setup(refused="install")
    assert failed.returncode == 1
    assert "this command failed: sudo env DEBIAN_FRONTEND=noninteractive apt-get" in failed.stderr


def test_without_sudo_it_says_what_to_run_as_root(newcomer):
    done = newcomer.setup()
    assert done.returncode == 1
    assert "neither root nor sudo; run as root: apt-get" in done.stderr
    assert done.stderr.rstrip().endswith("install " + " ".join(ABSENT))
