"""The installed C++ package, used as a stranger uses it: find_package(Passerelle) in projects outside the tree."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin")).resolve()
BUILD = BIN.parent
ROOT = pathlib.Path(__file__).resolve().parents[2]

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(Stranger CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(Passerelle 0.1 REQUIRED)
add_executable(stranger main.cc)
target_link_libraries(stranger PRIVATE Passerelle::client)
"""

PROGRAM = """
#include <iostream>

#include "passerelle/client.h"
#include "passerelle/error.h"
#include "passerelle/ingest.h"

int main(int, char** arguments) {
  auto client = passerelle::client::Client::Connect(arguments[1]);
  if (!client.ok()) return 1;
  passerelle::v1::ImportProfilesRequest::Open open;
  open.set_parent("instances/default");
  open.add_identity_namespaces("external_id");
  passerelle::client::VectorSource<passerelle::client::Row> rows({{{std::string("42")}, {}}});
  const auto result = passerelle::client::ImportProfiles(**client, open, rows);
  std::cout << result.status << " " << result.total_records << std::endl;
  passerelle::v1::GetInstanceRequest get;
  get.set_name("instances/none");
  auto none = (*client)->Call(&passerelle::v1::InstanceService::Stub::GetInstance, get);
  std::cout << passerelle::client::ReasonNameOf(none.status()) << std::endl;
}
"""


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=500, **options)
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where it is installed: not where it was installed to, since a package may be moved."""
    folder = tmp_path_factory.mktemp("installed")
    run("cmake", "--install", BUILD, "--prefix", folder / "staged", "--component", "client")
    return pathlib.Path(shutil.move(folder / "staged", folder / "prefix"))


def build(source, out, prefix):
    run("cmake", "-G", "Ninja", "-S", source, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", out)


def test_nothing_in_it_points_into_the_tree_it_was_built_in(prefix):
    files = list(prefix.rglob("*.cmake"))
    assert {"PasserelleConfig.cmake", "PasserelleTargets.cmake", "PasserelleTestingTargets.cmake"} <= {file.name for file in files}
    for file in files:
        assert str(ROOT) not in file.read_text() and str(BUILD) not in file.read_text(), file.name
    headers = {str(file.relative_to(prefix / "include")) for file in (prefix / "include/passerelle").rglob("*.h")}
    assert "passerelle/testing/server.h" in headers and "passerelle/client.h" in headers


def test_a_project_outside_the_tree_builds_with_the_installed_package_and_runs(prefix, tmp_path):
    source = tmp_path / "stranger"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT)
    (source / "main.cc").write_text(PROGRAM)
    build(source, tmp_path / "out", prefix)
    server = subprocess.Popen(
        [BIN / "passerelled", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--insecure-loopback"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = json.loads(server.stdout.readline())["address"]
        assert run(tmp_path / "out/stranger", address) == "OK 1\nRESOURCE_NOT_FOUND\n"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
        server.stdout.close()


def test_a_project_outside_the_tree_tests_itself_against_a_server_in_its_process(prefix, tmp_path):
    source = shutil.copytree(ROOT / "client/cpp/examples/own_tests", tmp_path / "shop")
    build(source, tmp_path / "out", prefix)
    left = tmp_path / "left"
    left.mkdir()
    said = run("ctest", "--test-dir", tmp_path / "out", "--output-on-failure", env={**os.environ, "TMPDIR": str(left)})
    assert "100% tests passed, 0 tests failed out of 3" in said
    assert not list(left.iterdir()), "the servers left something behind"


def test_without_what_the_server_needs_there_is_the_client_alone(prefix, tmp_path):
    source = tmp_path / "alone"
    source.mkdir()
    settings = [f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_DISABLE_FIND_PACKAGE_SQLiteCpp=TRUE"]
    project = PROJECT.split("add_executable")[0]
    (source / "CMakeLists.txt").write_text(
        project + "if(TARGET Passerelle::testing OR NOT TARGET Passerelle::client)\n  message(FATAL_ERROR unexpected)\nendif()\n"
    )
    run("cmake", "-G", "Ninja", "-S", source, "-B", tmp_path / "without", *settings)
    (source / "CMakeLists.txt").write_text(project.replace("REQUIRED", "REQUIRED COMPONENTS testing"))
    command = ["cmake", "-G", "Ninja", "-S", source, "-B", tmp_path / "insisting", *settings]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert refused.returncode != 0 and "testing lacks: SQLiteCpp" in " ".join(refused.stderr.split()), refused.stderr
