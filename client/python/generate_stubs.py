"""Compiles the protos of the repository into passerelle/v1, beside the hand-written modules.

Runs when the package is built; run it by hand to use the package from the source tree:
    python client/python/generate_stubs.py
"""

import pathlib
import sys


def generate(here: pathlib.Path) -> pathlib.Path:
    """Writes the stubs and returns their folder. Needs grpcio-tools and googleapis-common-protos."""
    import google.api
    import grpc_tools
    from grpc_tools import protoc

    protos = here.parent.parent / "proto"
    files = sorted(str(path.relative_to(protos)) for path in protos.glob("passerelle/v1/*.proto"))
    if not files:
        raise SystemExit(f"no protos under {protos}: build this package from the repository")
    googleapis = pathlib.Path(list(google.api.__path__)[0]).parent.parent
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    out = here / "passerelle" / "v1"
    out.mkdir(exist_ok=True)
    (out / "__init__.py").write_text('"""Generated stubs of the Passerelle API, version 1."""\n')
    arguments = ["protoc", f"-I{protos}", f"-I{googleapis}", f"-I{well_known}"]
    arguments += [f"--python_out={here}", f"--pyi_out={here}", f"--grpc_python_out={here}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("the protos do not compile")
    return out


if __name__ == "__main__":
    print(generate(pathlib.Path(__file__).resolve().parent), file=sys.stderr)
