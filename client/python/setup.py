"""Generates the stubs from proto/ while the package is built; everything else is in pyproject.toml."""

import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
(HERE / "passerelle" / "v1").mkdir(exist_ok=True)  # the package's metadata is asked for before it is built


class GenerateAndBuild(build_py):
    """Compiles the protos into passerelle/v1, builds as usual, and adds the service config that all clients share."""

    def run(self):
        from generate_stubs import generate

        generate(HERE)
        super().run()
        if not self.editable_mode:
            shutil.copy(HERE.parent / "service_config.json", pathlib.Path(self.build_lib, "passerelle"))


setup(cmdclass={"build_py": GenerateAndBuild})
