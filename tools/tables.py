# SPDX-License-Identifier: MIT
"""Tables of the source (.def files) for the tools that write sections of the documentation from them."""
import os
import re
import sys


def rows(path):
    """The rows of a table as lists: macro name, then its arguments; strings without their quotes."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    out, at = [], 0
    token = re.compile(r'\s*("(?:\\.|[^"\\])*"|[A-Za-z0-9_|~& ]+|[(),])')
    while True:
        m = re.compile(r"\s*(\w+)(\()?").match(text, at)
        if not m:
            break
        at = m.end()
        row, arg, depth = [m.group(1)], "", 1
        while m.group(2) and depth:
            t = token.match(text, at)
            if not t:
                raise SystemExit(f"{path}: cannot read the row {row}")
            at, word = t.end(), t.group(1).strip()
            if word == "(":
                depth += 1
            elif word == ")":
                depth -= 1
            if depth == 0 or (word == "," and depth == 1):
                row.append(arg)
                arg = ""
            elif word.startswith('"'):
                arg += word[1:-1]
            else:
                arg += word
        out.append(row)
    return out


def keep_section(tool, doc, begin, end, section):
    """Writes section(root) between the markers of a document; with --check only says whether it is
    current. The exit status. Arguments on the command line: [--check] [ROOT]."""
    args = sys.argv[1:]
    check = "--check" in args
    args = [a for a in args if a != "--check"]
    root = args[0] if args else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(root, doc)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    at, behind = text.find(begin), text.find(end)
    if at < 0 or behind < at:
        print(f"{path}: no section between '{begin}' and '{end}'")
        return 1
    now = text[:at] + section(root) + text[behind + len(end):]
    if check:
        print(f"{tool}: " + ("current" if now == text else f"{doc} is not current (tools/{tool} mends it)"))
        return 0 if now == text else 1
    with open(path, "w", encoding="utf-8") as f:
        f.write(now)
    return 0
