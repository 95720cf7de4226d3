"""Compiles the protos of the repository into passerelle/v1, beside the hand-written modules.

Runs when the package is built; run it by hand to use the package from the source tree:
    python client/python/generate_stubs.py
"""

import pathlib
import sys
import tempfile


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
    # Made elsewhere and moved, file by file: who imports them meanwhile finds the old or the new one, never a part.
    with tempfile.TemporaryDirectory(prefix=".generated-", dir=out) as made:
        arguments = ["protoc", f"-I{protos}", f"-I{googleapis}", f"-I{well_known}"]
        arguments += [f"--python_out={made}", f"--pyi_out={made}", f"--grpc_python_out={made}", *files]
        if protoc.main(arguments) != 0:
            raise SystemExit("the protos do not compile")
        for file in pathlib.Path(made, "passerelle", "v1").iterdir():
            file.replace(out / file.name)
        # Last: its time says when the others were made.
        package = pathlib.Path(made, "__init__.py")
        package.write_text('"""Generated stubs of the Passerelle API, version 1."""\n')
        package.replace(out / "__init__.py")
    return out


if __name__ == "__main__":
    print(generate(pathlib.Path(__file__).resolve().parent), file=sys.stderr)
