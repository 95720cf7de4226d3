"""The house rules that a program can check. Each takes {path: text} and returns findings.

A finding is "path:line: what is wrong". tests/tidy_test.py runs every rule on the repository, and
breaks each on purpose.
"""

import ast
import hashlib
import re

import cpp_scan

CPP = (".cc", ".h")
FUNCTION_LINES = 69
NESTING = 4
MIGRATIONS = "storage/sqlite/migrations/"


def _files(tree, *endings, under=""):
    return [(path, text) for path, text in sorted(tree.items())
            if path.endswith(endings) and path.startswith(under)]


def _search(tree_items, pattern, message):
    for path, text in tree_items:
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {message.format(match.group().strip())}"


# ---- who may include whom -----------------------------------------------------------------------

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
_WIRE = r"(grpc|grpcpp|google|passerelle|phonenumbers)/|.*\.pb\.h$"

# (which files, which includes they must not have, the files excepted, why)
_FORBIDDEN = [
    (r"storage/", _WIRE + r"|(server|client|tools|tests|spdlog|nlohmann)/", r"",
     "storage includes Abseil, the standard library, CRoaring and its driver only"),
    (r"storage/[^/]*\.h$", r"storage/sqlite/|SQLiteCpp/|sqlite3\.h", r"",
     "storage's interfaces know no backend"),
    (r"storage/[^/]*\.cc$", r"storage/sqlite/|SQLiteCpp/|sqlite3\.h", r"storage/open\.cc$",
     "only storage/open.cc knows the backends"),
    (r"server/", r"storage/sqlite/|storage/postgres/|SQLiteCpp/|sqlite3\.h", r"",
     "the server knows storage by its interfaces"),
    (r"server/", r"storage/open\.h$", r"server/server\.(cc|h)$",
     "only server/server.cc opens the store"),
    (r"server/", r"(client|tools|tests)/", r"", "the server includes no client, tool or test"),
    (r"server/(rules|convert)/", r"chrono$|fstream$|filesystem$|iostream$|thread$|ctime$|"
     r"absl/time/clock\.h$|absl/synchronization/|grpcpp/", r"",
     "rules and convert are pure: no clock, no input or output"),
    (r"client/", r"(server|storage|tools|tests)/", r"client/cpp/passerelle/testing/server\.cc$",
     "the client knows only the protos; its server for tests is one"),
    (r"tools/passerelle/", r"(server|storage|tests)/", r"", "the command line is a client"),
]


def layers(tree):
    """Who may include whom (the arrows of ARCHITECTURE.md)."""
    for path, text in _files(tree, *CPP):
        for match in _INCLUDE.finditer(text):
            name = match.group(2)
            line = text.count("\n", 0, match.start()) + 1
            for files, includes, excepted, why in _FORBIDDEN:
                if (re.match(files, path) and re.match(includes, name)
                        and not (excepted and re.match(excepted, path))):
                    yield f"{path}:{line}: includes {name}: {why}"
            if _other_service(path, name):
                yield f"{path}:{line}: includes {name}: services do not call each other"


def _other_service(path, name):
    service = re.compile(r"server/services/(\w+_service)\.")
    mine, other = service.match(path), service.match(name)
    return mine and other and mine.group(1) != other.group(1)


# ---- lengths ------------------------------------------------------------------------------------

def file_lengths(tree):
    """Files stop at 400 lines, headers at 250, tests at 600."""
    for path, text in _files(tree, *CPP, ".py"):
        limit = 600 if path.startswith("tests/") else 250 if path.endswith(".h") else 400
        lines = text.count("\n")
        if lines > limit:
            yield f"{path}:1: {lines} lines, limit {limit}"


def function_lengths(tree):
    """Functions stop under 70 lines; control flow nests at most four deep."""
    for path, text in _files(tree, *CPP):
        for found in cpp_scan.functions(text):
            if found.lines > FUNCTION_LINES:
                yield f"{path}:{found.line}: {found.head}: {found.lines} lines, limit {FUNCTION_LINES}"
            if found.nesting > NESTING:
                yield f"{path}:{found.line}: {found.head}: nests {found.nesting} deep, limit {NESTING}"
    for path, text in _files(tree, ".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{path}:{node.lineno}: {node.name}: {lines} lines, limit {FUNCTION_LINES}"


# ---- words --------------------------------------------------------------------------------------

_BANNED = "Put|Process|Processor|Handle|Handler|Handles|Manager|Helper|Helpers|Util|Utils"
_NAME = re.compile(r"(?<![\w:.>])(?:[A-Z][a-z0-9]*)*?(?:%s)(?=[A-Z]|\b)\w*" % _BANNED)
# What the door calls; names of libraries.
_OTHERS = ("Handler", "HandleNewConnection", "PhoneNumberUtil", "SetAuthMetadataProcessor")
_PY_NAME = re.compile(r"^\s*(?:def|class)\s+(?:_*(?:put|process|handle|util|helper)_\w*|"
                      r"\w*_(?:helper|util|manager|handler)\b|\w*(?:Manager|Handler|Helper|Util)\b)",
                      re.M)
_FILE = re.compile(r"(?:^|[/_])(?:utils?|helpers?|common|misc|manager|handler)(?:[/_.]|$)")


def names(tree):
    """Names that say nothing: Put, Process, Handle, Manager, Helper, Util; folders util, common."""
    for path in sorted(tree):
        if _FILE.search(path):
            yield f"{path}:1: a file or folder name that says nothing"
    code = [(path, cpp_scan.blank(text)) for path, text in _files(tree, *CPP)]
    code += [(path, re.sub(r"//.*|\"[^\"]*\"", "", text)) for path, text in _files(tree, ".proto")]
    for finding in _search(code, _NAME, "{} says nothing; say what it does"):
        if not any(f" {other} " in finding for other in _OTHERS):
            yield finding
    yield from _search(_files(tree, ".py"), _PY_NAME, "{} says nothing; say what it does")


# Written in halves so that this file may contain them.
_LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|(?i:place" r"holder|not yet imple"
                       r"mented|\bnot imple" r"mented)")


def leftovers(tree):
    """What is merged is finished."""
    written = [(path, text) for path, text in sorted(tree.items()) if not _is_generated(path, text)]
    yield from _search(written, _LEFTOVER, "'{}': finish it or leave it out")


def _is_generated(path, text):
    """Go's stubs are committed; their words are the generator's."""
    return path.endswith(".pb.go") and text.startswith("// Code generated by protoc-gen-go")


_PASSED_OVER = re.compile(r"pytest\.sk" r"ip|mark\.(?:sk" r"ip|xf" r"ail)|importor" r"skip|unittest\.sk" r"ip|GTEST_SK" r"IP|"
                          r"\bDISAB" r"LED_")


def passed_over(tree):
    """No test is passed over: where it cannot run it fails, with the reason and what to do."""
    yield from _search(_files(tree, ".py", *CPP, under="tests/"), _PASSED_OVER, "'{}' passes a test over")


_COMMENTED_CODE = re.compile(
    r"^\s*//\s*(?:[\w:.>\-]+\([^()]*\);|(?:return|auto|const)\b[^.]*;|(?:if|for|while) \(.*\) \{|\})$",
    re.M)


def commented_code(tree):
    """No commented-out code (headers may show a call in their contract)."""
    yield from _search(_files(tree, ".cc"), _COMMENTED_CODE, "commented-out code: {}")


_PLACE = re.compile(r"(?<![\w.$}\"'/-])/(?:wo" r"rk|ro" r"ot|fa" r"rm|t" r"mp|ho" r"me/[a-z]\w*)(?:/|\b)")


def machine_paths(tree):
    """No path of anyone's machine."""
    yield from _search(sorted(tree.items()), _PLACE, "'{}' is a path of one machine")


_REGISTRY = re.compile(r"(?i)\b(?:py" r"pi\.(?:org|python)|registry\.np" r"mjs|np" r"mjs\.(?:org|com)|"
                       r"proxy\.go" r"lang\.org|deb\.deb" r"ian\.org|security\.deb" r"ian\.org|"
                       r"crat" r"es\.io(?!-index\")|repo1?\.mav" r"en|mav" r"en\.org|files\.pyth" r"onhosted)")


def registry_hosts(tree):
    """The machine says where packages come from. (Cargo's lock file names its index, by which cargo knows the default one:
    a machine that has another in its place says so in its own settings.)"""
    yield from _search(sorted(tree.items()), _REGISTRY, "names the registry {}")


# Cyrillic, control characters, and characters that nobody sees.
_ODD = re.compile("[\u0400-\u052f\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e"
                  "\u2060-\u2069\ufeff\ufffd]")


def odd_characters(tree):
    """Text is what it looks like, and ends with a newline."""
    for path, text in sorted(tree.items()):
        match = _ODD.search(text)
        if match:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: character U+{ord(match.group()):04X}"
        if text and not text.endswith("\n"):
            yield f"{path}:{text.count(chr(10)) + 1}: no newline at the end"


# ---- storage law --------------------------------------------------------------------------------

_SQL = "SELECT"

# (pattern, the only files that may have it, where it is looked for, what it is); patterns of SQL
# look into literals, the others into code only
_HOMES = [
    (re.compile(r"\bcatch \("), r"storage/sqlite/run\.cc$", r"storage/", "exceptions end in run.cc"),
    (re.compile(r"\bsqlite3_wal_checkpoint\w*|\bCheckpointMode::\w+"),
     r"storage/sqlite/(run|writer|migrations)\.(cc|h)$", r"storage/",
     "only the writer's connection checkpoints: a second one can lose commits"),
    (re.compile(r'"\s*(?:SELECT|INSERT (?:OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (?:TABLE|'
                r"INDEX|VIEW|UNIQUE)|ALTER TABLE|PRAGMA|BEGIN IMMEDIATE|WITH \w+ AS)\b"),
     r"storage/(?:sqlite|postgres)/", r"(?:storage|server|client|tools/passerelle)/",
     "SQL belongs to a backend"),
    (re.compile(r"\bSELECT \*"), r"$^", r"storage/", "name the columns"),
]


def one_home(tree):
    """What lives in one place only: exceptions, checkpoints, SQL."""
    for pattern, home, where, why in _HOMES:
        for path, text in _files(tree, *CPP, ".sql"):
            if not re.match(where, path) or re.match(home, path):
                continue
            kept = text if _SQL in pattern.pattern else cpp_scan.blank(text)
            yield from _search([(path, kept)], pattern, why + " (found {})")


def frozen_migrations(tree):
    """A released migration never changes: CHECKSUMS has its SHA-256."""
    listed = tree.get(MIGRATIONS + "CHECKSUMS", "")
    for number, row in enumerate(listed.splitlines(), 1):
        if not row.strip() or row.startswith("#"):
            continue
        checksum, _, name = row.partition("  ")
        text = tree.get(MIGRATIONS + name)
        where = f"{MIGRATIONS}CHECKSUMS:{number}: {name}"
        if text is None:
            yield f"{where}: released, and gone"
        elif hashlib.sha256(text.encode()).hexdigest() != checksum:
            yield f"{where}: released, and changed; write a new migration instead"


# ---- the contract -------------------------------------------------------------------------------

def error_reasons(tree):
    """Every error reason says what happened and shows an example."""
    path = "proto/passerelle/v1/error_reason.proto"
    comment = []
    for number, row in enumerate(tree.get(path, "").splitlines(), 1):
        text = row.strip()
        if text.startswith("//"):
            comment.append(text[2:].strip())
            continue
        value = re.match(r"(\w+)\s*=\s*(\d+)\s*[;\[]", text)
        if value and value.group(2) != "0":
            before, example, after = " ".join(comment).partition("Example:")
            if not re.search(r"\w.*[.!]", before):
                yield f"{path}:{number}: {value.group(1)} lacks a sentence that says what happened"
            if not example or not after.strip():
                yield f"{path}:{number}: {value.group(1)} lacks 'Example: ...'"
        comment = []


# ---- files without a reader ---------------------------------------------------------------------

_FRONT_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")


def unread_files(tree):
    """Every page is linked, every script called, every header included."""
    front = "\n".join(tree.get(page, "") for page in _FRONT_PAGES)
    includes = {match.group(2) for path, text in _files(tree, *CPP) for match in _INCLUDE.finditer(text)}
    for path in sorted(tree):
        if path.endswith(".md"):
            if path not in _FRONT_PAGES and path not in front:
                yield f"{path}:1: no front page links to it"
        elif path.endswith(".h"):
            if not any(path == name or path.endswith("/" + name) for name in includes):
                yield f"{path}:1: nothing includes it"
        elif _is_script(path, tree[path]) and not _is_named(path, tree):
            yield f"{path}:1: nothing calls it or tells people to"


def _is_script(path, text):
    if path.endswith(("_test.py", "/__init__.py", "/conftest.py")):
        return False
    return path.endswith((".py", ".sh")) or (text.startswith("#!") and path != ".ci/run")


def _is_named(path, tree):
    name = path.rsplit("/", 1)[-1]
    word = re.compile(r"\b%s\b" % re.escape(name[:-3] if name.endswith(".py") else name))
    return any(word.search(text) for other, text in tree.items() if other != path)


ALL = (layers, file_lengths, function_lengths, names, leftovers, passed_over, commented_code, machine_paths,
       registry_hosts, odd_characters, one_home, frozen_migrations, error_reasons, unread_files)
