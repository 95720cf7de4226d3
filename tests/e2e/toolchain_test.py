"""Toolchains of the clients that are too old, or not there: said with the version that is wanted and where to get it."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = "awk bash cat cmp comm cp cut dirname env head id mkdir mktemp rm sed sort tail tr uname"
OLD = {
    "go": '[ "$1" = env ] && echo go1.19.8 || echo "go version go1.19.8 linux/amd64"',
    "node": "echo v18.20.4",
    "npm": "echo 9.2.0",
    "rustc": 'echo "rustc 1.63.0 (4b91a6ea7 2022-08-08)"',
    "javac": "echo javac 11.0.25",
    "mvn": 'echo "Apache Maven 3.6.3"',
    "c++": "echo 11",
    # Every package is installed.
    "dpkg-query": 'for last; do :; done; while [[ "$1" != *Package* ]]; do shift; done; shift; printf "installed %s\\n" "$@"',
}
FILES = {
    "go": ["go.mod", "toolchain", "check", "conformance"],
    "java": ["check"],
    "typescript": ["package.json", "generate", "check"],
    "rust": ["Cargo.toml", "toolchain.sh", "check", "conformance"],
    "python": ["check"],
    "cpp": ["check"],
}


@pytest.fixture
def clone(tmp_path):
    """A tree with what the checks of toolchains read; programs of a distribution that is too old in its bin."""
    root = tmp_path / "clone"
    for name in ("tools/setup", "tools/requirements.txt", "tools/requirements-check.txt"):
        copy(name, root)
    for language, names in FILES.items():
        for name in names:
            copy(f"client/{language}/{name}", root)
    venv = root / "build/venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(shutil.which("true"))
    lists = "".join((root / f"tools/{name}.txt").read_text() for name in ("requirements-check", "requirements"))
    (venv / "installed-requirements.txt").write_text(lists)
    # Newer than any, because a new one may be in /usr/local/go, where it is found without the PATH.
    module = root / "client/go/go.mod"
    module.write_text(module.read_text().replace("\ngo 1.", "\ngo 99."))
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in TOOLS.split():
        (bin_folder / name).symlink_to(shutil.which(name))
    for name, answer in OLD.items():
        (bin_folder / name).write_text(f"#!/bin/bash\n{answer}\n")
        (bin_folder / name).chmod(0o755)
    return root


def copy(name, root):
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, target)


def run(clone, *command):
    environment = {"PATH": str(clone.parent / "bin"), "HOME": str(clone.parent), "PASSERELLE_BIN": str(clone.parent / "bin")}
    return subprocess.run(
        [clone / command[0], *command[1:]], cwd=clone, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("language, told", [
    ("go", ["Go 99.", "found go1.19.8", "go.dev/dl"]),
    ("java", ["Java 17", "found 11.0.25", "apt-get install openjdk-17-jdk-headless"]),
    ("typescript", ["Node 20", "found 18.20.4", "nodejs.org/dist"]),
    ("rust", ["Rust 1.88", "found 1.63.0", "rustup"]),
])
def test_setup_says_which_version_is_wanted_and_how_to_get_it(clone, language, told):
    done = run(clone, "tools/setup", "--for", language)
    assert done.returncode == 3, done.stdout + done.stderr
    assert all(words in done.stderr for words in [f"the {language} client needs", "or newer", *told]), done.stderr


@pytest.mark.parametrize("command, told", [
    ("client/go/check", ["Go 99.", "go.dev/dl"]),
    ("client/go/conformance --build", ["Go 99.", "go.dev/dl"]),
    ("client/java/check", ["Java 17", "11.0.25", "apt-get install openjdk-17-jdk-headless"]),
    ("client/typescript/check", ["Node 20", "v18.20.4", "get Node 20"]),
    ("client/rust/check", ["1.88", "1.63.0", "rustup"]),
    ("client/rust/conformance --build", ["1.88", "1.63.0", "rustup"]),
    ("client/cpp/check", ["GCC 12", "found 11", "tools/setup --for cpp"]),
])
def test_each_client_says_so_itself(clone, command, told):
    done = run(clone, *command.split())
    assert done.returncode == 3, done.stdout + done.stderr
    assert all(words in done.stderr for words in told), done.stderr


def test_the_python_client_says_so_without_its_environment(clone):
    (clone / "build/venv/bin/python").unlink()
    done = run(clone, "client/python/check")
    assert done.returncode == 3 and "Python 3.10" in done.stderr and "tools/setup --for python" in done.stderr


def test_nothing_of_it_is_there_and_a_server_is_not_the_worse_for_it(clone):
    """tools/quickstart asks for `tools/setup --for run`, and for nothing of another language."""
    for name in ("go", "node", "npm", "rustc", "javac", "mvn"):
        (clone.parent / "bin" / name).unlink()
    done = run(clone, "tools/setup", "--for", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"tools/setup.*", (ROOT / "tools/quickstart").read_text()) == ["tools/setup --for run"]


def test_help_shows_the_whole_head_of_the_file(clone):
    head = (ROOT / "tools/setup").read_text().partition("\nset -euo")[0].splitlines()[1:]
    shown = run(clone, "tools/setup", "--help").stdout.splitlines()
    assert shown == [line.removeprefix("#").removeprefix(" ") for line in head]
