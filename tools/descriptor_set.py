"""Writes the descriptor set of the API without a C++ build: python tools/descriptor_set.py FILE

Needs the Python packages of tools/setup. The same set as build/release/passerelle.binpb, comments left out: so it is what
a release keeps in proto/released/.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def write(out: pathlib.Path, *, comments: bool = False) -> None:
    """Compiles proto/ into `out`, with its comments if wanted; SystemExit if it does not compile."""
    import google.api
    import grpc_tools
    from grpc_tools import protoc

    protos = ROOT / "proto"
    files = sorted(str(path.relative_to(protos)) for path in protos.glob("passerelle/v1/*.proto"))
    googleapis = pathlib.Path(list(google.api.__path__)[0]).parent.parent
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    options = [f"-I{folder}" for folder in (protos, googleapis, well_known)]
    options += ["--include_source_info"] * comments
    if protoc.main(["protoc", *options, "--include_imports", f"--descriptor_set_out={out}", *files]) != 0:
        raise SystemExit("the protos do not compile")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
