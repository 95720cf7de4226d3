"""All cases of one language, one after the other."""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable

from case_run import CaseRun
from cases import Case
from environment import SharedCertificates, World
from plants import Plant
from runner import BUILD_PATIENCE_S, Runner, RunnerError


# A runner that is lost in case after case would cost a minute each.
CHANCES = 5


@dataclasses.dataclass
class Result:
    """What became of one case in one language."""

    language: str
    case: str
    wrong: list[str]
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.wrong


class Suite:
    """`command` starts the language's runner. `run` it once."""

    def __init__(
        self,
        language: str,
        command: list[str],
        certificates: SharedCertificates,
        plant: Plant,
        tell: Callable[[object], None],
        patience_s: float,
    ):
        self._language = language
        self._command = command
        self._certificates = certificates
        self._plant = plant
        self._tell = tell
        self._patience_s = patience_s
        self._runner: Runner | None = None
        self._chances = CHANCES  # runners that may still be lost

    def run(self, cases: list[Case], build: bool) -> list[Result]:
        """One result for each case, in order."""
        with tempfile.TemporaryDirectory(prefix="passerelle-runner-") as folder:
            self._log = pathlib.Path(folder, "log")
            world = World(self._certificates)
            try:
                results = [self._run_case(case, world, build and index == 0) for index, case in enumerate(cases)]
                self._end_runner(results)
                return results
            finally:
                self._drop_runner()
                world.close()

    def _run_case(self, case: Case, world: World, build: bool) -> Result:
        begun = time.monotonic()
        self._tell(f"{self._language}: {case.name}")
        try:
            wrong = CaseRun(case, self._started(build), world, self._plant, self._tell).run()
        except RunnerError as error:
            wrong = [str(error)]
            self._drop_runner()
            self._chances = max(self._chances - 1, 0)
        return Result(self._language, case.name, wrong, time.monotonic() - begun)

    def _started(self, build: bool) -> Runner:
        """The runner that is there, or a new one that said hello."""
        if self._chances == 0:
            raise RunnerError(f"not tried: the runner was lost {CHANCES} times before")
        if self._runner is None:
            try:
                self._runner = Runner(self._command + (["--build"] if build else []), self._log, self._patience_s)
            except OSError as error:
                raise RunnerError(f"the runner does not start: {error}") from error
            hello = self._runner.answer(self._runner.begin({"op": "hello"}), BUILD_PATIENCE_S if build else None)
            if hello.get("ok", {}).get("language") != self._language:
                raise RunnerError(f"the runner said hello with {hello}, wanted language {self._language!r}")
        return self._runner

    def _drop_runner(self) -> None:
        if self._runner is not None:
            self._runner.kill()
        self._runner = None

    def _end_runner(self, results: list[Result]) -> None:
        """A runner that does not end well fails the last case: it was under way when it went wrong."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        try:
            runner.end()
        except RunnerError as error:
            results[-1].wrong.append(str(error))
