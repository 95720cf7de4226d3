"""Runs one case with one runner."""

import time
from collections.abc import Callable
from typing import Any

import judge
from cases import DRIVERS_OWN, Case
from environment import Environment, World
from runner import Runner, RunnerError
from variables import at_path, filled

Plant = Callable[[str, dict], dict]  # the step's op and the true answer: the answer to judge


class CaseRun:
    """One use of a case. `run` it once."""

    def __init__(self, case: Case, runner: Runner, world: World, plant: Plant, tell: Callable[[object], None]):
        self._case = case
        self._runner = runner
        self._world = world
        self._plant = plant
        self._tell = tell
        self._begun: dict[str, tuple[int, dict]] = {}  # steps in the background by name
        self._clients: set[str] = set()

    def run(self) -> list[str]:
        """What went wrong, in words; nothing: the case passed. RunnerError if the runner is of no use any more."""
        environment = Environment(self._world, self._case.server)
        try:
            for index, step in enumerate(self._case.steps):
                wrong = self._do(step, environment)
                if wrong:
                    place = f"step {index + 1} ({step.get('op') or 'env ' + step['env']})"
                    return self._give_up([f"{place}: {line}" for line in wrong])
            return self._close_clients()
        finally:
            environment.close()

    def _give_up(self, wrong: list[str]) -> list[str]:
        """The runner goes on with the next case, unless a step is still under way."""
        if self._begun:
            raise RunnerError("; ".join(wrong))
        self._close_clients()
        return wrong

    def _close_clients(self) -> list[str]:
        wrong = []
        for client in sorted(self._clients):
            answer = self._runner.answer(self._runner.begin({"op": "close", "client": client}))
            wrong += judge.differences({"ok": {}}, answer, "close")
        return wrong

    def _do(self, step: dict, environment: Environment) -> list[str]:
        environment.need(str(step))
        try:
            ready = filled({key: value for key, value in step.items() if key not in ("save",)}, environment.variables)
        except KeyError as error:
            return [f"the variable {error} has no value"]
        self._tell(ready)
        begun = time.monotonic()
        if "op" not in step:
            return environment.do({**ready, **({"save": step["save"]} if "save" in step else {})})
        answer = self._ask(ready)
        if answer is None:
            return []
        self._tell(answer)
        took_ms = (time.monotonic() - begun) * 1000
        if took_ms < ready.get("at_least_ms", 0):
            return [f"wanted it to wait for {ready['at_least_ms']} ms, it took {took_ms:.0f} ms"]
        return self._judge(ready, step, answer, environment)

    def _ask(self, step: dict) -> dict | None:
        """The answer to judge; None while the step goes on in the background."""
        op = step["op"]
        if op == "await":
            step_id, begun = self._begun.pop(step["step"])
            return self._plant(begun["op"], self._runner.answer(step_id))
        if op == "cancel":
            answer = self._runner.answer(self._runner.begin({"op": "cancel", "step": self._begun[step["step"]][0]}))
            return None if "ok" in answer else answer
        if op == "connect":
            self._clients.add(step.get("client", "main"))
        step_id = self._runner.begin({key: value for key, value in step.items() if key not in DRIVERS_OWN})
        if step.get("background"):
            self._begun[step["name"]] = (step_id, step)
            return None
        return self._plant(op, self._runner.answer(step_id))

    def _judge(self, ready: dict, step: dict, answer: dict, environment: Environment) -> list[str]:
        if "expect_error" in step:
            return judge.differences({"error": ready["expect_error"]}, answer)
        wrong = judge.differences({"ok": ready.get("expect", {})}, answer)
        if wrong and "error" in answer:
            return [f"wanted it to go well, got {_short(answer['error'])}"]
        if wrong:
            return wrong
        for name, path in step.get("save", {}).items():
            try:
                environment.variables[name] = at_path(answer["ok"], path)
            except KeyError as error:
                return [str(error)]
        return []


def _short(error: Any) -> str:
    return str(error)[:600]
