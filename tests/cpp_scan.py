"""Finds functions in clang-formatted C++: where they begin and end, and how deep they nest."""

import re
from typing import NamedTuple

_RAW = re.compile(r'R"([^\s()\\]{0,16})\((.*?)\)\1"', re.S)
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
_SCOPE = re.compile(r"^(?:inline\s+)?(?:namespace|extern)\b")
_TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union|enum)\b", re.S)
_CONTROL = re.compile(r"^(?:if|else|for|while|switch|do|try|catch)\b")
_ACCESS = re.compile(r"^\s*(?:public|private|protected)$")
_ROW = re.compile(r"^\s*(?:case\b.*:|default:|return [^;]*;|\S.*;\s*return [^;]*;)?\s*$")


class Function(NamedTuple):
    line: int  # of its first line, from 1
    lines: int  # without the rows of switches that are tables
    nesting: int  # of if, for, while, switch inside each other
    head: str


def blank(text):
    """The same text, line by line, without comments, literals and preprocessor lines."""

    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())

    def quotes(match):
        found = match.group()
        return spaces(match) if found[0] == "/" else '"' + re.sub(r"[^\n]", "_", found[1:-1]) + '"'

    return _DIRECTIVE.sub(spaces, _TOKEN.sub(quotes, _RAW.sub(quotes, text)))


class _Block:
    def __init__(self, kind, line, head):
        self.kind, self.line, self.head, self.deepest = kind, line, head, 0


def _kind(head, before, inside_function):
    """What the brace after `head` opens; `before` is the character left of the brace."""
    if not before.isspace() or head.endswith(("=", "return", ",", "(", "{")):
        return "data"
    if inside_function:
        return "control" if _CONTROL.match(head) else "block"
    if _SCOPE.match(head):
        return "scope"
    if _TYPE.match(head) and not head.endswith(")"):
        return "type"
    return "function" if "(" in head else "data"


def functions(text):
    """Every function body at namespace or class level."""
    text = blank(text)
    rows = text.split("\n")
    found, stack = [], []
    head, head_line, line, parens = "", 1, 1, 0
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        if char == "{":
            in_function = any(block.kind == "function" for block in stack)
            kind = _kind(head.strip(), text[at - 1] if at else " ", in_function)
            block = _Block(kind, head_line, head)
            block.parens, parens = parens, 0
            stack.append(block)
            if kind == "control":
                depth = sum(each.kind == "control" for each in stack)
                for each in stack:
                    each.deepest = max(each.deepest, depth)
            head = head if kind == "data" else ""
        elif char == "}" and stack:
            block = stack.pop()
            parens = block.parens
            if block.kind == "function":
                found.append(_measure(block, rows, line))
            head = block.head if block.kind == "data" else ""
        elif (char == ";" and parens == 0) or (char == ":" and _ACCESS.match(head)):
            head = ""
        else:
            parens += (char == "(") - (char == ")")
            if not head.strip() and not char.isspace():
                head, head_line = "", line
            head += char
    return found


def _measure(block, rows, end):
    body = rows[block.line - 1:end]
    table = 0
    if any("case " in row for row in body):
        table = sum(1 for row in body if row.strip() and _ROW.match(row))
    return Function(block.line, len(body) - table, block.deepest, " ".join(block.head.split()))
