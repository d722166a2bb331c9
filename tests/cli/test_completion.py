#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""completions/seamlab.bash in a bash that nobody types into: what it offers is what the program has."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
SCRIPT = os.path.join(ROOT, "completions", "seamlab.bash")
# What readline does before it calls the function.
DRIVER = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_seamlab
printf '%s\\n' "${COMPREPLY[@]}"
"""


def program(*args):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=True, cwd=ROOT).stdout


class Completion(unittest.TestCase):
    def offered(self, *words, cwd=ROOT):
        r = subprocess.run(["bash", "--norc", "-c", DRIVER, "bash", SCRIPT, PROGRAM, *words],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                           stdin=subprocess.DEVNULL, timeout=60, check=True)
        self.assertEqual(r.stderr, "")
        return [w for w in r.stdout.split("\n") if w]

    def commands(self):
        return re.findall(r"^  ([a-z][a-z-]*) ", program("help"), re.M)

    def test_commands(self):
        self.assertEqual(sorted(self.offered("")),
                         sorted(self.commands() + ["help", "--help", "--version"]))
        self.assertEqual(self.offered("che"), ["check"])
        self.assertEqual(self.offered("help", "che"), ["check"])
        self.assertEqual(self.offered("nonsense", ""), [])

    def test_options(self):
        for command in self.commands():
            wanted = {o + ("=" if v else "") for o, v in re.findall(
                r"^ +(?:-., )?(--[a-z-]+)(=?)", program(command, "--help"), re.M)}
            self.assertEqual(set(self.offered(command, "--")), wanted, command)
        self.assertEqual(self.offered("check", "scenarios", "--hash"), ["--hash-seed="])

    def test_words(self):
        self.assertEqual(self.offered("run", "--format", "=", "j"), ["json"])
        self.assertEqual(self.offered("run", "--format", "="), ["json", "text"])
        self.assertEqual(self.offered("matrix", "--format", "c"), ["csv"])
        self.assertEqual(self.offered("run", "--flavour", "=", "h"), ["hardened"])

    def test_releases(self):
        with open(os.path.join(ROOT, "include", "seamlab", "tdx_release.def"), encoding="utf-8") as f:
            names = re.findall(r'^SL_RELEASE\(\w+, \d+, "([^"]+)"\)', f.read(), re.M)
        self.assertGreater(len(names), 1)
        for command in ("run", "check", "explain", "matrix"):
            self.assertEqual(self.offered(command, "--release", "="), sorted(names), command)

    def test_policies(self):
        known = json.loads(program("policies", "--format", "json"))
        names = sorted(p["name"] for p in known["policies"])
        for words in (("check", "--policy", "="), ("policies", "")):
            # Policies of one's own are files, so folders are offered as well.
            offered = self.offered(*words)
            self.assertEqual(sorted(n for n in offered if not os.path.isdir(os.path.join(ROOT, n))), names)
            self.assertIn("examples", offered)
        sites = json.loads(program("policies", known["policies"][0]["name"], "--format", "json"))["sites"]
        self.assertEqual(sorted(self.offered("check", "--cycle", "=")), sorted(sites))
        self.assertEqual(sorted(self.offered("run", "--set", "=")), sorted(s + "=" for s in known["settings"]))

    def test_leaves_statuses_claims(self):
        tables = json.loads(program("explain", "--tables"))
        leaves = set(tables["seamcall"]) | set(tables["tdcall"])
        self.assertEqual(set(self.offered("matrix", "")), leaves)
        self.assertEqual(set(self.offered("matrix", "TDH.VP.ENTER", "TDG.")),
                         {n for n in leaves if n.startswith("TDG.")})
        self.assertEqual(set(self.offered("explain", "")), leaves | set(tables["status"]))
        self.assertEqual(set(self.offered("answers", "")),
                         set(re.findall(r"^([A-Z]\d+) ", program("answers", "--list"), re.M)))

    def test_files(self):
        with tempfile.TemporaryDirectory() as d:
            os.mkdir(os.path.join(d, "folder"))
            for name in ("mine.so", "a.yaml", "a.trace", "a b.yaml", "a.yml", "a.c"):
                with open(os.path.join(d, name), "w", encoding="utf-8"):
                    pass
            for words, wanted in [(("run", ""), ["a b.yaml", "a.yaml", "folder"]),
                                  (("check", "--exact", "a"), ["a b.yaml", "a.yaml"]),
                                  (("check", "a.yaml", "fo"), ["folder"]),
                                  (("replay", ""), ["a.trace", "folder"]),
                                  (("policies", "m"), ["mine.so"]),
                                  (("check", "--policy", "=", "mi"), ["mine.so"]),
                                  (("answers", "--file", "=", "a"), ["a.yml"]),
                                  (("check", "--trace-dir", ""), ["folder"])]:
                self.assertEqual(sorted(self.offered(*words, cwd=d)), wanted, words)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
