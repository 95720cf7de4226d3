"""What the driver prints. Pure."""

import json

from suite import Result


def table(results: list[Result], cases: list[str], languages: list[str]) -> str:
    """Cases down, languages across."""
    cell = {(result.case, result.language): "ok" if result.ok else "FAIL" for result in results}
    width = max(map(len, [*cases, "case"]))
    columns = [max(len(language), len("FAIL")) for language in languages]
    lines = [_line("case", languages, width, columns)]
    lines += [_line(case, [cell.get((case, language), "FAIL") for language in languages], width, columns) for case in cases]
    return "\n".join(lines)


def _line(first: str, others: list[str], width: int, columns: list[int]) -> str:
    cells = [text.ljust(column) for text, column in zip(others, columns, strict=True)]
    return "  ".join([first.ljust(width), *cells]).rstrip()


def failures(results: list[Result]) -> str:
    """Why each failure is one. A reason that one case after the other has is told once."""
    lines: list[str] = []
    before: Result | None = None
    for result in results:
        same = before is not None and (before.language, before.wrong) == (result.language, result.wrong)
        if not result.ok:
            lines += [f"FAIL {result.language} {result.case}"]
            lines += ["     the same"] if same else [f"     {line}" for line in result.wrong]
        before = result
    return "\n".join(lines)


def seconds(results: list[Result], language: str) -> str:
    """How long a language took, and with what most of all."""
    mine = sorted((result for result in results if result.language == language), key=lambda result: -result.seconds)
    longest = ", ".join(f"{result.case} {result.seconds:.1f}" for result in mine[:3])
    return f"{language}: {len(mine)} cases in {sum(result.seconds for result in mine):.0f} s (longest: {longest})"


def as_json(results: list[Result]) -> str:
    """One object a line, for programs."""
    return "\n".join(
        json.dumps(
            {
                "language": result.language,
                "case": result.case,
                "ok": result.ok,
                "wrong": result.wrong,
                "seconds": round(result.seconds, 3),
            }
        )
        for result in results
    )


def summary(results: list[Result]) -> str:
    failed = sum(not result.ok for result in results)
    return f"{len(results) - failed} passed, {failed} failed"
