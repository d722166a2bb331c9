#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab answers: every claim is settled, docs/answers.md says what comes out, each form of the report, and bad
input. One full run, kept for all tests that look at it."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLAIMS = ["M%d" % i for i in range(1, 9)] + ["H%d" % i for i in range(1, 10)] + ["Q%d" % i for i in range(1, 8)]


def seamlab(*args):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=600, cwd=ROOT)


class Full(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_ = seamlab("answers", "--format", "json")
        cls.rows = {r["id"]: r for r in json.loads(cls.run_.stdout)["answers"]}

    def cells(self, claim):
        return {(c["release"], c["flavour"]): c for c in self.rows[claim]["cells"]}

    def test_all_settled(self):
        self.assertEqual(self.run_.returncode, 0, self.run_.stderr)
        self.assertEqual(sorted(self.rows), sorted(CLAIMS))
        for claim in CLAIMS:
            cells = self.cells(claim)
            self.assertEqual(len(cells), 4)
            for c in cells.values():
                self.assertIn(c["verdict"], ("answered",) if claim[0] == "Q" else ("proved", "refuted"))
                self.assertEqual(c["refuted_by"] is not None, c["verdict"] == "refuted")

    def test_the_contract_holds_hardened(self):
        # claims.md: the hardened flavour must prove M1 to M6, the published one show the violations.
        for claim in ("M1", "M2", "M3", "M4", "M5", "M6"):
            for release in ("1.5.01", "1.5.25"):
                self.assertEqual(self.cells(claim)[release, "hardened"]["verdict"], "proved", claim)
        for claim in ("M2", "M5", "M6"):
            self.assertEqual(self.cells(claim)["1.5.01", "published"]["verdict"], "refuted", claim)

    def test_the_one_retry(self):
        for c in self.cells("H7").values():
            self.assertEqual(c["verdict"], "proved")
        for c in self.cells("Q7").values():
            for e in c["evidence"][:3]:
                self.assertTrue(all(n <= 1 for site, n in e["bounds"].items() if site.startswith("zap-")), e)

    def test_docs_are_current(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(self.run_.stdout)
            f.flush()
            r = subprocess.run([os.path.join(ROOT, "tools", "answers_docs"), "--check", f.name],
                               stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_commands_come_to_the_same(self):
        for claim in ("M2", "H1", "Q7"):
            e = self.cells(claim)["1.5.25", "hardened"]["evidence"][0]
            words = e["command"].split()
            r = seamlab(*words[1:2], "--format", "json", *words[2:])
            d = json.loads(r.stdout)
            self.assertEqual((d["verdict"], d["kind"], d["states"]), (e["verdict"], e["kind"], e["states"]))


class Forms(unittest.TestCase):
    def test_text(self):
        r = seamlab("answers", "M1", "m3")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(re.findall(r"^([MHQ]\d) ", r.stdout, re.M), ["M1", "M3"])
        self.assertEqual(r.stdout.count("proved"), 8)
        self.assertLessEqual(max(len(line) for line in r.stdout.splitlines() if "seamlab check" not in line), 100)

    def test_html(self):
        r = seamlab("answers", "M2", "--format", "html")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertTrue(r.stdout.startswith("<!DOCTYPE html>"))
        self.assertEqual(r.stdout.count("refuted</td>"), 2)
        self.assertNotIn("http", r.stdout)

    def test_traces(self):
        with tempfile.TemporaryDirectory() as d:
            r = seamlab("answers", "M2", "--trace-dir", os.path.join(d, "t"))
            self.assertEqual(r.returncode, 0, r.stderr)
            trace = re.search(r"seamlab replay (\S*published-m2-entry\S*)", r.stdout).group(1)
            again = seamlab("replay", trace)
            self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
            self.assertIn("INV-WORD-04", again.stdout)


class BadInput(unittest.TestCase):
    def expect(self, text, message):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "a.yml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            r = seamlab("answers", "--file", path)
            self.assertEqual(r.returncode, 2, r.stdout)
            self.assertIn(message, r.stderr.replace(d + "/", ""))

    def test_file(self):
        row = "- {claim: M1, says: x, answer: y, evidence: [{file: z.yaml, shows: %s, says: w}]}\n"
        self.expect("x: 1\n", "a.yml:1:1: found a mapping; expected a list of 1 to 256 claims")
        self.expect("- {claim: m1}\n", "a.yml:1:3: found a mapping without 'answer'")
        self.expect(row.replace("M1", "m1") % "holds", "a.yml:1:11: found 'm1'; expected an id")
        self.expect(row % "holds" * 2, "a.yml:2:11: found claim 'M1' again; expected it once")
        self.expect(row % "violated(x)", "a.yml:1:68: found 'violated(x)'; expected holds, or violated(KIND)")
        self.expect(row.replace("says: x", "says: x, asks: z") % "holds", "expected one of 'says' and 'asks'")
        self.expect(row.replace("[{file: z.yaml, shows: %s, says: w}]", "[]"), "expected a list of scenarios")
        self.expect(row % "holds", "z.yaml: cannot open: No such file or directory")

    def test_claim(self):
        r = seamlab("answers", "M99")
        self.assertEqual(r.returncode, 2)
        self.assertIn("found no claim 'M99'; expected one of M1 M2", r.stderr)

    def test_missing_file(self):
        r = seamlab("answers", "--file", "/nonexistent.yml")
        self.assertEqual(r.returncode, 2)
        self.assertIn("/nonexistent.yml: cannot open", r.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
