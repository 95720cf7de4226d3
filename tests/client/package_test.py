"""The installed C++ package, used as a stranger uses it: find_package(Passerelle) in a project outside the tree."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

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


def test_a_project_outside_the_tree_builds_with_the_installed_package_and_runs(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "staged", "--component", "client")
    prefix = tmp_path / "prefix"
    shutil.move(tmp_path / "staged", prefix)
    for file in prefix.rglob("*.cmake"):
        assert str(ROOT) not in file.read_text(), f"{file.name} points into the tree it was built in"
    source = tmp_path / "stranger"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT)
    (source / "main.cc").write_text(PROGRAM)
    run("cmake", "-G", "Ninja", "-S", source, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "out")
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
