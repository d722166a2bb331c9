#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every command that README.md and docs/*.md show in a ```sh block, as shown, from a copy of the
tree's root. A line that begins with "# exit N" above a command says what it must exit with (0 else).

Left out are the commands that fetch the project, run this very test, or run for minutes and are the whole of
another test (gallery, package)."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIP = re.compile(r"^(git clone|cd seamlab|make$|make test|make fuzz|make bench|make deb$|seamlab check scenarios/$)")


def documents():
    yield "README.md"
    for name in sorted(os.listdir(os.path.join(ROOT, "docs"))):
        if name.endswith(".md"):
            yield os.path.join("docs", name)


def commands(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    for block in re.finditer(r"^```sh\n(.*?)^```", text, re.S | re.M):
        line = text.count("\n", 0, block.start()) + 1
        expected, pending = 0, ""
        for offset, raw in enumerate(block.group(1).split("\n"), 1):
            m = re.match(r"^# exit (\d+)", raw)
            if m:
                expected = int(m.group(1))
                continue
            if not raw.strip() or raw.startswith("#"):
                continue
            pending += raw.rstrip("\\") if raw.endswith("\\") else raw
            if raw.endswith("\\"):
                continue
            command, pending = re.sub(r"\s+#\s.*$", "", pending), ""
            if not SKIP.match(command):
                yield line + offset, command, expected
            expected = 0


class Docs(unittest.TestCase):
    def test_readme_has_the_two_commands(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("make run", text)
        self.assertIn("make test", text)
        self.assertGreater(len(list(commands("README.md"))), 2)

    def test_commands(self):
        env = dict(os.environ)
        env["PATH"] = os.path.dirname(os.path.abspath(os.environ["SEAMLAB"])) + ":" + env["PATH"]
        for path in documents():
            for line, command, expected in commands(path):
                with self.subTest(f"{path}:{line}: {command}"):
                    r = subprocess.run(command, shell=True, cwd=ROOT, env=env, timeout=300,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
                    self.assertEqual(r.returncode, expected, r.stdout[-2000:])

    def test_nightly(self):
        """Each world of the night has its row, and the table says what its report says."""
        with open(os.path.join(ROOT, "docs", "nightly.md"), encoding="utf-8") as f:
            text = f.read()
        for name in os.listdir(os.path.join(ROOT, "scenarios", "nightly")):
            self.assertRegex(text, rf"(?m)^\| \[{re.escape(name)}\].* \| holds +\| kvm-6.19 \|")
        tool = os.path.join(ROOT, "tools", "nightly_docs")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            with open(path, "w", encoding="utf-8") as f:
                subprocess.run([os.environ["SEAMLAB"], "check", "--format", "json",
                                "scenarios/contention/two-faults.yaml", "scenarios/contention/teardown.yaml"],
                               stdout=f, check=True, cwd=ROOT)
            with open(path, encoding="utf-8") as f:
                results = json.load(f)["results"]
            r = subprocess.run([tool, path, "-"], stdout=subprocess.PIPE, check=True, text=True)
            for row, result in zip(r.stdout.split("\n")[4:], results):
                cells = [c.strip() for c in row.split("|")]
                self.assertEqual((cells[2], cells[3], cells[6]), (result["title"], "holds", f"{result['states']:,}"))
            with open(path, "w", encoding="utf-8") as f:
                f.write("[]")
            r = subprocess.run([tool, path, "-"], stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(r.returncode, 1)
            self.assertIn("expected the report of a check", r.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
