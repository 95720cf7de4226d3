"""Generates the stubs from proto/ while the package is built; everything else is in pyproject.toml."""

import pathlib
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
(HERE / "passerelle" / "v1").mkdir(exist_ok=True)  # the package's metadata is asked for before it is built


class GenerateAndBuild(build_py):
    """Compiles the protos into passerelle/v1, then builds as usual."""

    def run(self):
        from generate_stubs import generate

        generate(HERE)
        super().run()


setup(cmdclass={"build_py": GenerateAndBuild})
