#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab check over the gallery of lock words and single leaves: every file has the verdict that it
expects, the result does not depend on how it was found, and a counterexample says what it should."""
import json
import os
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GALLERY = os.path.join(ROOT, "scenarios", "locks")
# Above so many states a run without reduction may take too long.
SMALL = 3000
# Without reduction every count of readers is a state, and there is hardly an end to them.
UNBOUNDED = {"f2-guests-starve-host.yaml"}

FIELDS = {
    "file": str, "title": str, "verdict": str, "kind": (str, type(None)), "expected": str,
    "as_expected": bool, "release": str, "flavour": str, "states": int, "transitions": int,
    "end_states": (int, type(None)),
    "seconds": float, "states_per_second": (int, float), "peak_memory_bytes": int, "arena_bytes": int,
    "complete": bool,
    "limit": str, "bounds": dict, "trace": (str, type(None)), "detail": (str, type(None)),
    "steps": list,
}

# What the finding has to be about, not only of which kind it is.
DETAIL = {
    "promote-gives-way-1.5.25.yaml": "returned TDX_INTERRUPTED_BUSY",
    "f1-backoff-corrupts.yaml": "reader counter overflow",
    "f1a-reader-not-counted.yaml": "granted exclusively while 0 hold it exclusively and 1 share it",
    "f2-guests-starve-host.yaml": "adversarial livelock",
    "f3-second-try.yaml": "left no host priority",
    "f4-stale-priority.yaml": "left host priority on a free word",
    "f4-stale-priority-entry.yaml": "left host priority on a free word",
    "f5-request-erased.yaml": "cleared a request that was made after it took the word",
    "f5-request-erased-shared.yaml": "cleared a request that was made after it took the word",
    "f6-guests-starve-host-entry.yaml": "adversarial livelock",
    "f7-commit-erases-request.yaml": "lost without a host's success",
    "f8-demote-copies-request.yaml": "certain livelock",
    "f9-promote-compares-request.yaml": "returned TDX_EPT_INVALID_PROMOTE_CONDITIONS",
    "f11-readers-starve-writer.yaml": "adversarial livelock",
    "f15-refused-for-good.yaml": "stands on a free word when every lane is done",
    "h1-aug-relocate.yaml": "has type 0",
    "h1-aug-remove.yaml": "has type 0",
    "h2-promote-frees-table.yaml": "at once: write at",
    "sharex-promote-deadlock.yaml": "certain livelock",
}


def gallery():
    return sorted(n for n in os.listdir(GALLERY) if n.endswith(".yaml"))


def text_of(name):
    with open(os.path.join(GALLERY, name), encoding="utf-8") as f:
        return f.read()


def run(*args):
    return subprocess.run([PROGRAM, "check", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=120, cwd=ROOT)


def check(name, *args):
    r = run("--format=json", *args, os.path.join(GALLERY, name))
    return r, json.loads(r.stdout)


class Gallery(unittest.TestCase):
    def test_verdicts(self):
        for name in gallery():
            with self.subTest(name):
                r, out = check(name)
                expected = re.search(r"^expect: (.*)$", text_of(name), re.M).group(1)
                verdict = out["verdict"] + (f"({out['kind']})" if out["kind"] else "")
                self.assertEqual((r.returncode, r.stderr), (0, ""))
                self.assertEqual(verdict, expected)
                self.assertTrue(out["as_expected"])
                self.assertTrue(out["complete"])
                self.assertEqual(out["limit"], "none")
                for field, kind in FIELDS.items():
                    self.assertIsInstance(out[field], kind, field)
                self.assertGreater(out["states"], 1)
                self.assertGreaterEqual(out["transitions"], out["states"] - 1)
                if out["verdict"] == "violated":
                    self.assertIn(DETAIL[name], out["detail"])
                    self.assertTrue(out["steps"])
                else:
                    self.assertIsNone(out["detail"])
                    self.assertEqual(out["steps"], [])

    def test_each_finding_has_its_mended_twin(self):
        names = gallery()
        for name in names:
            if not name.endswith("-hardened.yaml"):
                continue
            with self.subTest(name):
                twin = name.replace("-hardened", "")
                self.assertIn(twin, names)
                body = [re.sub(r"^(#|title|expect).*\n", "", text_of(n), flags=re.M)
                        for n in (name, twin)]
                self.assertEqual(body[0], body[1].replace("flavour: published", "flavour: hardened"))
                self.assertIn("expect: holds", text_of(name))
                self.assertIn("expect: violated(", text_of(twin))

    def test_another_hash_finds_the_same(self):
        for name in gallery():
            with self.subTest(name):
                first, second = check(name)[1], check(name, "--hash-seed=77")[1]
                for field in ("verdict", "kind", "states", "transitions", "detail", "steps"):
                    self.assertEqual(first[field], second[field], field)

    def test_reduction_changes_no_verdict(self):
        for name in gallery():
            plain = check(name)[1]
            if plain["states"] > SMALL:
                continue
            with self.subTest(name):
                # A whole module has too many words for this to come to an end.
                endless = name in UNBOUNDED or "\nlock:" not in text_of(name)
                full = check(name, "--no-reduction", "--time=3" if endless else "--time=60")[1]
                if endless and not full["complete"]:
                    continue
                for field in ("verdict", "kind", "complete"):
                    self.assertEqual(plain[field], full[field], field)
                if plain["verdict"] == "holds":
                    self.assertGreaterEqual(full["states"], plain["states"])

    def test_checkpoints_change_no_verdict(self):
        for name in gallery():
            if "forever" in text_of(name) or "retry" in text_of(name):
                continue
            with self.subTest(name):
                plain, full = check(name)[1], check(name, "--no-checkpoints", "--time=60")[1]
                for field in ("verdict", "kind", "complete"):
                    self.assertEqual(plain[field], full[field], field)

    def test_text(self):
        r = run(os.path.join(GALLERY, "f7-commit-erases-request.yaml"))
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("violated(oracle), as expected", r.stdout)
        for what in (r"S-EPT entry\b.*\bstore 0x10000000000800 -> 0x800\n", r"commit\b.*\bdone\n",
                     r"exclusive host\b.*\bBUSY\n", r"exclusive guest\b.*\bgranted\n"):
            self.assertRegex(r.stdout, what)


class Never(unittest.TestCase):
    TEXT = """title: Raw calls
td: {vcpus: 1, memory: {a: {state: pending}}}
run:
  lp0: [MEM.RANGE.BLOCK a]
  lp1: [MEM.SEPT.RD a]
claims: [never %s]
"""

    def verdict(self, status):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(self.TEXT % status)
            return json.loads(run("--format=json", path).stdout)

    def test_never(self):
        out = self.verdict("TDX_OPERAND_BUSY(SEPT_TREE)")
        self.assertEqual((out["verdict"], out["kind"]), ("violated", "bound"))
        self.assertRegex(out["detail"], r"TDH\.MEM\.(RANGE\.BLOCK|SEPT\.RD) returned "
                                        r"TDX_OPERAND_BUSY\(SEPT_TREE\)")
        self.assertEqual(self.verdict("TDX_OPERAND_BUSY")["verdict"], "violated")
        for status in ("TDX_OPERAND_BUSY(TDR)", "TDX_OPERAND_BUSY(RCX)", "TDX_EPT_WALK_FAILED"):
            self.assertEqual(self.verdict(status)["verdict"], "holds", status)

    def test_a_call_that_nobody_contends(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write("title: t\ntd: {vcpus: 1, memory: {a: {state: pending}}}\n"
                        "run: {lp2: [MEM.RANGE.BLOCK a, MEM.TRACK, MEM.PAGE.REMOVE a, "
                        "MEM.PAGE.AUG a, MEM.RANGE.BLOCK a, MEM.TRACK, "
                        "MEM.RANGE.UNBLOCK a]}\n"
                        "claims: [never TDX_OPERAND_INVALID, never TDX_TLB_TRACKING_NOT_DONE, "
                        "never TDX_EPT_ENTRY_STATE_INCORRECT, never TDX_GPA_RANGE_NOT_BLOCKED, "
                        "never TDX_PAGE_METADATA_INCORRECT, never TDX_OPERAND_BUSY]\n")
            out = json.loads(run("--format=json", path).stdout)
            self.assertEqual(out["verdict"], "holds", out["detail"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
