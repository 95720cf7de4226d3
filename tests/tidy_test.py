#!/usr/bin/env python3
"""Runs every house rule on the repository, and proves that each rule can fail."""

import hashlib
import pathlib
import subprocess
import unittest

import cpp_scan
import tidy_rules as rules

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_TEXT = (".gz", ".zst", ".png", ".db", ".binpb")


def repository():
    """{path: text} of every file that is, or is about to be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {path: (ROOT / path).read_text(encoding="utf-8", errors="replace")
            for path in filter(None, listed.split("\0"))
            if not path.endswith(NOT_TEXT) and (ROOT / path).is_file()}


class TheRepositoryKeepsItsRules(unittest.TestCase):
    def test_every_rule(self):
        tree = repository()
        self.assertIn("CMakeLists.txt", tree)
        for rule in rules.ALL:
            with self.subTest(rule=rule.__name__):
                findings = list(rule(tree))
                if findings:
                    self.fail("\n".join([rule.__doc__, *findings]))


class EveryRuleCanFail(unittest.TestCase):
    def assert_breaks(self, rule, good, bad):
        """`good` passes; each (path, text) of `bad` put over it is found, under its path."""
        self.assertEqual(list(rule(good)), [])
        for path, text in bad:
            with self.subTest(path=path, text=text[:60]):
                findings = list(rule({**good, path: text}))
                self.assertTrue(findings)
                self.assertTrue(any(path in finding for finding in findings), findings)

    def test_every_rule_has_a_case_here(self):
        cases = {name[len("test_"):] for name in dir(self) if name.startswith("test_")}
        self.assertEqual([rule.__name__ for rule in rules.ALL if rule.__name__ not in cases], [])

    def test_layers(self):
        good = {
            "storage/open.cc": '#include "storage/sqlite/database.h"\n#include "absl/status/status.h"\n',
            "storage/types.h": "#include <string>\n",
            "server/server.cc": '#include "storage/open.h"\n#include "server/services/a_service.h"\n',
            "server/services/a_service.cc": '#include "server/services/a_service.h"\n',
            "tools/bench/raw.cc": '#include "storage/open.h"\n',
            "client/cpp/passerelle/testing/server.cc": '#include "server/server.h"\n',
        }
        self.assert_breaks(rules.layers, good, [
            ("storage/types.h", "#include <grpcpp/grpcpp.h>\n"),
            ("storage/sqlite/logs.cc", '#include "passerelle/v1/log.pb.h"\n'),
            ("storage/sqlite/logs.cc", '#include "server/limits.h"\n'),
            ("storage/store.h", '#include "storage/sqlite/database.h"\n'),
            ("storage/store.h", "#include <SQLiteCpp/Database.h>\n"),
            ("storage/cache.cc", '#include "storage/sqlite/database.h"\n'),
            ("server/door.cc", '#include "storage/sqlite/database.h"\n'),
            ("server/door.cc", '#include "storage/open.h"\n'),
            ("server/door.cc", '#include "tests/server/fixture.h"\n'),
            ("server/services/a_service.cc", '#include "server/services/b_service.h"\n'),
            ("server/convert/value.cc", '#include "absl/time/clock.h"\n'),
            ("server/rules/parse.cc", "#include <fstream>\n"),
            ("client/cpp/passerelle/sync.cc", '#include "server/errors.h"\n'),
            ("client/cpp/passerelle/testing/server.h", '#include "server/server.h"\n'),
            ("tools/passerelle/main.cc", '#include "storage/store.h"\n'),
        ])

    def test_file_lengths(self):
        good = {"storage/a.cc": "\n" * 400, "storage/a.h": "\n" * 250, "tests/a_test.cc": "\n" * 600}
        self.assert_breaks(rules.file_lengths, good, [
            ("storage/a.cc", "\n" * 401), ("storage/a.h", "\n" * 251), ("tools/a.py", "\n" * 401),
            ("tests/a_test.cc", "\n" * 601)])

    def test_function_lengths(self):
        def function(lines, row="  Call();\n"):
            return "namespace a {\n\nint F(int b) {\n" + row * (lines - 2) + "}\n\n}  // namespace a\n"

        table = "int F(E e) {\n  switch (e) {\n" + "    case E::kA:\n      return 1;\n" * 60 + "  }\n}\n"
        deep = "int F() {\n" + "if (a) {\n" * 5 + "}\n" * 5 + "}\n"
        method = "class A {\n public:\n  void B() {\n" + "    C();\n" * 70 + "  }\n};\n"
        constructor = "A::A(int b)\n    : b_{b}, c_(b) {\n" + "  C();\n" * 70 + "}\n"
        test = "TEST_F(AThing, DoesSomething) {\n" + "  C();\n" * 70 + "}\n"
        good = {"a.cc": function(69), "b.cc": function(60, '  Say("{");  // {\n'), "c.cc": table,
                "d.cc": "const Row kRows[] = {\n" + "    {1, 2},\n" * 90 + "};\n",
                "e.py": "def f():\n" + "  a()\n" * 68}
        self.assert_breaks(rules.function_lengths, good, [
            ("a.cc", function(70)), ("a.cc", deep), ("a.h", method), ("a.cc", constructor),
            ("a_test.cc", test), ("e.py", "def f():\n" + "  a()\n" * 69)])

    def test_names(self):
        good = {"server/door.cc": "Status Open(Stream* s) {\n  s->db().getHandle();\n"
                                  "  google::protobuf::SetLogHandler(nullptr);\n}\n// Process it.\n",
                "proto/a.proto": "message A {\n  // Processed messages.\n  int64 processed = 1;\n}\n",
                "server/output.cc": "int Output();\nint Compute();\n"}
        self.assert_breaks(rules.names, good, [
            ("server/util/text.cc", "\n"), ("server/text_helpers.cc", "\n"), ("storage/common/a.h", "\n"),
            ("server/a.cc", "void HandleRequest();\n"), ("server/a.h", "class StreamManager {};\n"),
            ("server/a.h", "Status PutProfile();\n"), ("server/a.h", "Status ProcessBatch();\n"),
            ("proto/a.proto", "message PutThingRequest {}\n"), ("tools/a.py", "def handle_row():\n  pass\n")])

    def test_leftovers(self):
        good = {"a.cc": "// Hacksaw. kUnimplemented. mktemp XXXXXX\n",
                "v1/a.pb.go": "// Code generated by protoc-gen-go-grpc. DO NOT EDIT.\n// not imple" "mented\n"}
        self.assert_breaks(rules.leftovers, good, [
            ("a.go", "// Code generated by protoc-gen-go.\n// TO" "DO: more\n"), ("a.pb.go", "// TO" "DO: more\n"),
            ("a.cc", "// TO" "DO: more\n"), ("a.py", "# FIX" "ME\n"), ("README.md", "Not imple" "mented.\n"),
            ("a.sql", "-- a place" "holder\n"), ("a.h", "// XX" "X\n")])

    def test_passed_over(self):
        self.assert_breaks(rules.passed_over, {"tests/a_test.py": "for row in skipped:\n    assert skip_header(row)\n"}, [
            ("tests/a_test.py", "pytest.sk" "ip('no disk')\n"), ("tests/a_test.py", "@pytest.mark.sk" "ipif(x)\n"),
            ("tests/a_test.cc", "GTEST_SK" "IP();\n"), ("tests/a_test.cc", "TEST(A, DISAB" "LED_B) {\n")])

    def test_commented_code(self):
        self.assert_breaks(rules.commented_code, {"a.cc": "// Calls Open() first; then returns.\n"}, [
            ("a.cc", "  // store.Open(path);\n"), ("a.cc", "  // return status;\n"),
            ("a.cc", "  // if (ok) {\n")])

    def test_machine_paths(self):
        good = {"a.md": "see server/work/, /usr/share, $TMP" "/x, build/tmp/a\n"}
        self.assert_breaks(rules.machine_paths, good, [
            ("a.md", "cd /wo" "rk/main\n"), ("a.sh", "x=/ro" "ot/.cache\n"), ("a.py", "'-I' + ' /ho" "me/ann/x'\n"),
            ("a.cc", "Open( /t" "mp/a);\n"), ("b.cc", "// /fa" "rm/x\n")])

    def test_registry_hosts(self):
        index = 'source = "registry+https://github.com/rust-lang/crat' 'es.io-index"\n'
        self.assert_breaks(rules.registry_hosts, {"a.md": "a package from PyPI\n", "Cargo.lock": index}, [
            ("Cargo.lock", "https://static.crat" "es.io/crat" "es\n"),
            ("a.txt", "--index-url https://py" "pi.org/simple\n"),
            ("b.sh", "GOPROXY=https://proxy.go" "lang.org\n"), ("c", "http://deb.deb" "ian.org/debian\n")])

    def test_odd_characters(self):
        self.assert_breaks(rules.odd_characters, {"a.md": "caf\u00e9 \u2192 \u6771\u4eac\n", "b": ""}, [
            ("a.md", "\u0430\n"), ("a.md", "a\u200bb\n"), ("a.md", "a\r\n"), ("a.md", "a")])

    def test_one_home(self):
        good = {"storage/sqlite/run.cc": "} catch (const std::exception& e) {\n",
                "storage/sqlite/writer.cc": "// Never SELECT every column.\nsqlite3_wal_checkpoint_v2(db);\n",
                "storage/sqlite/logs.cc": 'constexpr char kRead[] = "SELECT id FROM log";\n',
                "server/door.cc": "// catch (what happens)\n"}
        self.assert_breaks(rules.one_home, good, [
            ("storage/sqlite/logs.cc", "} catch (...) {\n"),
            ("storage/sqlite/readers.cc", "sqlite3_wal_checkpoint_v2(db);\n"),
            ("storage/sqlite/readers.cc", "Checkpoint(db, CheckpointMode::kPassive);\n"),
            ("server/door.cc", 'auto q = "SELECT id FROM profile";\n'),
            ("storage/store.h", 'auto q = "INSERT OR REPLACE INTO a";\n'),
            ("storage/sqlite/logs.cc", 'auto q = "SELECT * FROM log";\n')])

    def test_frozen_migrations(self):
        first = rules.MIGRATIONS + "logs/0001_initial.sql"
        checksum = hashlib.sha256(b"CREATE TABLE a (b);\n").hexdigest()
        released = {rules.MIGRATIONS + "CHECKSUMS": f"# released\n{checksum}  logs/0001_initial.sql\n"}
        good = {first: "CREATE TABLE a (b);\n", rules.MIGRATIONS + "logs/0002_more.sql": "\n", **released}
        self.assertEqual(list(rules.frozen_migrations(good)), [])
        self.assertTrue(list(rules.frozen_migrations({**good, first: "CREATE TABLE a (c);\n"})))
        self.assertTrue(list(rules.frozen_migrations(released)))

    def test_error_reasons(self):
        path = "proto/passerelle/v1/error_reason.proto"
        start = "enum ErrorReason {\n  // Never sent.\n  ERROR_REASON_UNSPECIFIED = 0;\n"
        good = {path: start + "  // The name is taken.\n  // Example: it exists.\n  NAME_TAKEN = 1;\n}\n"}
        self.assert_breaks(rules.error_reasons, good, [
            (path, start + "  // The name is taken.\n  NAME_TAKEN = 1;\n}\n"),
            (path, start + "  // Example: it exists.\n  NAME_TAKEN = 1;\n}\n"),
            (path, start + "  NAME_TAKEN = 1;\n}\n")])

    def test_unread_files(self):
        good = {"README.md": "[more](docs/more.md), tools/setup\n", "docs/more.md": "\n",
                "tools/setup": "#!/usr/bin/env bash\n", ".ci/run": "#!/usr/bin/env bash\n",
                "server/a.h": "\n", "server/a.cc": '#include "server/a.h"\n',
                "client/cpp/passerelle/b.h": "\n", "client/cpp/b.cc": '#include "passerelle/b.h"\n'}
        self.assert_breaks(rules.unread_files, good, [
            ("docs/other.md", "\n"), ("tools/old.py", "\n"), ("tools/old", "#!/bin/sh\n"),
            ("server/c.h", "\n")])


class TheScannerSeesFunctions(unittest.TestCase):
    def found(self, text):
        return [(function.line, function.lines) for function in cpp_scan.functions(text)]

    def test_in_namespaces_classes_and_templates(self):
        self.assertEqual(self.found("namespace a {\nvoid F() {\n  G();\n}\n}  // namespace a\n"), [(2, 3)])
        self.assertEqual(self.found("class A : public B {\n public:\n  int b() const { return b_; }\n};\n"),
                         [(3, 1)])
        self.assertEqual(self.found("template <class T>\nT F(T t) {\n  return t;\n}\n"), [(1, 4)])

    def test_not_in_strings_comments_and_tables(self):
        self.assertEqual(self.found('const char* kA = "void F() {";\n// void F() {\n'), [])
        self.assertEqual(self.found('const char* kA = R"sql(\nF() {\n)sql";\nvoid F() {\n}\n'), [(4, 2)])
        self.assertEqual(self.found("const A kA = {\n    {1},\n};\nint F() {\n}\n"), [(4, 2)])
        self.assertEqual(self.found("const int kMany = 10'000;\nvoid F() {\n}\n"), [(2, 2)])

    def test_lambdas_and_initializers_belong_to_their_function(self):
        self.assertEqual(self.found("void F() {\n  G([&] {\n    H();\n  });\n  A a{1};\n}\n"), [(1, 6)])
        self.assertEqual(self.found("A::A() : b_{1}, c_(2) {\n  D();\n}\nvoid E() {}\n"), [(1, 3), (4, 1)])

    def test_nesting_counts_control_flow_only(self):
        text = "void F() {\n  if (a) {\n    for (;;) {\n      G([&] {\n        B();\n      });\n    }\n  }\n}\n"
        self.assertEqual([function.nesting for function in cpp_scan.functions(text)], [2])


if __name__ == "__main__":
    unittest.main()
