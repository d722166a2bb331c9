#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gallery of contention: every file gives its expected verdict, and the verdict does not hang on
how the search was done: another hash, no reduction where that finishes, states visited from every side."""
import json
import os
import re
import subprocess
import sys
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GALLERY = os.path.join(ROOT, "scenarios", "contention")
# Seconds that an unreduced search gets for each file of the whole gallery.
UNREDUCED_SECONDS = "1"
# Those in which some state breaks a claim.
UNSAFE = ("rtmr-busy",)


def check(name, *options):
    path = name if name.endswith(".yaml") else os.path.join(GALLERY, name + ".yaml")
    r = subprocess.run([PROGRAM, "check", "--format", "json", "--time", "240", *options, path],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                       text=True, timeout=300)
    return r, json.loads(r.stdout)


def names():
    return sorted(f[:-5] for f in os.listdir(GALLERY) if f.endswith(".yaml"))


class Gallery(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreater(len(names()), 8)

    def test_expected_verdicts_and_another_hash(self):
        for name in names():
            with self.subTest(name):
                r, o = check(name)
                self.assertEqual((r.returncode, o["as_expected"]), (0, True), r.stdout[:2000])
                self.assertTrue(o["complete"])
                r2, o2 = check(name, "--hash-seed", "99")
                self.assertEqual((r2.returncode, o2["states"], o2["transitions"]),
                                 (0, o["states"], o["transitions"]))
                r3, o3 = check(name)
                self.assertEqual(o3["states"], o["states"])
                self.assertEqual(o3["steps"], o["steps"], "the same run twice")

    def test_every_scenario_that_is_shipped(self):
        r = subprocess.run([PROGRAM, "check", "scenarios/"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, text=True, timeout=900, cwd=ROOT)
        self.assertEqual(r.returncode, 0, "\n".join(re.findall(r"^.*NOT as expected.*$", r.stdout, re.M)))
        self.assertRegex(r.stdout, r"\n\d{3} as expected, 0 not, \d+ skipped")

    def test_audit(self):
        for name in names():
            r, o = check(name, "--audit")
            with self.subTest(name):
                # The audit looks at safety only: what a livelock's scenario does besides holds.
                self.assertEqual(o["verdict"], "violated" if name in UNSAFE else "holds",
                                 o["detail"])

    def test_no_reduction(self):
        """Wherever it ends in time the verdict is the same."""
        ended = several = 0
        for folder in ("contention", "locks"):
            folder = os.path.join(ROOT, "scenarios", folder)
            files = os.listdir(folder)
            for path in sorted(os.path.join(folder, f) for f in files if f.endswith(".yaml")):
                with open(path, encoding="utf-8") as f:
                    if "engine: threads" in f.read():
                        continue
                r = subprocess.run([PROGRAM, "check", "--format", "json", "--time", UNREDUCED_SECONDS,
                                    "--no-reduction", path], stdout=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, timeout=300, check=False)
                o = json.loads(r.stdout)
                if o["verdict"] == "inconclusive" and o["limit"] == "time":
                    continue
                with self.subTest(path):
                    self.assertEqual((r.returncode, o["as_expected"]), (0, True), r.stdout[:1500])
                    # However few states are left, they end in all the ways in which all of them do.
                    self.assertEqual(o["end_states"], check(path)[1]["end_states"])
                ended += 1
                several += (o["end_states"] or 0) > 1
        self.assertGreater(ended, 25)
        self.assertGreater(several, 5)

    def test_livelock_is_certain_or_not(self):
        self.assertIn("no schedule escapes", check("zero-step-pending")[1]["detail"])
        self.assertIn("another schedule escapes", check("aug-vs-accept-livelock")[1]["detail"])

    def test_bounds_of_a_zap(self):
        for name in ("zap-vs-accept", "enter-vs-track", "zero-step-zap"):
            bounds = check(name)[1]["bounds"]
            for site in ("zap-block", "zap-track", "zap-remove"):
                self.assertLessEqual(bounds[site], 1, (name, site))
        self.assertEqual(check("zap-vs-accept")[1]["bounds"]["zap-block"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
