"""Variables of a case: `${name}` in its texts, values saved from answers. Pure."""

import re
from typing import Any

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def filled(value: Any, variables: dict[str, Any]) -> Any:
    """`value` with every `${name}` replaced, and every {"$repeat": [text, times]} and {"$rows": [count, row]} written out.

    A text that is nothing but one variable becomes its value, of whatever type. KeyError for an unknown name.
    """
    if isinstance(value, str):
        whole = _VARIABLE.fullmatch(value)
        if whole:
            return variables[whole.group(1)]
        return _VARIABLE.sub(lambda found: str(variables[found.group(1)]), value)
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if isinstance(value, dict) and set(value) == {"$repeat"}:
        text, times = value["$repeat"]
        return text * times
    if isinstance(value, dict) and set(value) == {"$rows"}:
        count, row = value["$rows"]
        return [filled(row, variables | {"row": number}) for number in range(count)]
    if isinstance(value, dict):
        return {filled(key, variables): filled(item, variables) for key, item in value.items()}
    return value


def at_path(answer: Any, path: str) -> Any:
    """What is at `rows.0.name` in an answer; KeyError with the whole path if nothing is."""
    found = answer
    for part in path.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise KeyError(f"nothing at {path}") from None
    return found
