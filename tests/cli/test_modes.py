#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ways to search: exact states, symmetry, bounded preemptions, random runs, counted bounds."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS = os.path.join(ROOT, "scenarios")
TWINS = """title: Five callers, three of them alike
lock: {kind: sharex-hp, flavour: %s}
run:
  caller0: [exclusive guest, release]
  caller1: [shared host, release]
  caller2: [shared guest, release]
  caller3: [shared guest, release]
  caller4: [shared guest, release]
"""

HOSTILE = """title: Four LPs of a host that does what it likes with three pages
module: {flavour: %s}
td:
  vcpus: 1
  memory:
    a: {}
    b: {state: pending}
    c: {state: mapped}
run:
  lp0: [MEM.PAGE.AUG a, MEM.RANGE.BLOCK a, MEM.TRACK, MEM.PAGE.REMOVE a]
  lp1: [MEM.RANGE.BLOCK b, MEM.TRACK, MEM.PAGE.RELOCATE b spare0, MEM.PAGE.AUG a spare1]
  lp2: [MEM.RANGE.BLOCK c, MEM.TRACK, MEM.PAGE.REMOVE c, MEM.PAGE.AUG a spare0]
  lp3: [MEM.TRACK, MEM.RANGE.UNBLOCK b, MEM.PAGE.REMOVE b, MEM.RANGE.UNBLOCK c]
"""


def run(*args):
    return subprocess.run([PROGRAM, "check", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)


def check(path, *options):
    r = run("--format", "json", "--time", "120", *options, path)
    return r.returncode, json.loads(r.stdout)


def explored():
    """Files of the gallery that can be explored; the zoo has its own test."""
    for folder in ("contention", "locks"):
        for name in sorted(os.listdir(os.path.join(SCENARIOS, folder))):
            path = os.path.join(SCENARIOS, folder, name)
            with open(path, encoding="utf-8") as f:
                if "engine: threads" not in f.read():
                    yield path


def lock(name):
    return os.path.join(SCENARIOS, "locks", name + ".yaml")


def contention(name):
    return os.path.join(SCENARIOS, "contention", name + ".yaml")


class Modes(unittest.TestCase):
    def twins(self, flavour):
        f = tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8")
        self.addCleanup(f.close)
        f.write(TWINS % flavour)
        f.flush()
        return f.name

    def test_exact_states_are_as_many(self):
        seen = 0
        for path in explored():
            _, plain = check(path)
            if plain["states"] > 20000:
                continue
            with self.subTest(path):
                _, exact = check(path, "--exact")
                self.assertEqual((exact["verdict"], exact["kind"]), (plain["verdict"], plain["kind"]))
                # What is violated may end in a pass that still learns, with more or fewer merged.
                if plain["kind"] in (None, "livelock"):
                    self.assertEqual((exact["states"], exact["transitions"]),
                                     (plain["states"], plain["transitions"]))
                self.assertEqual(exact["expected_lost_states"], 0)
                seen += 1
        self.assertGreater(seen, 25)

    def test_symmetry_merges_and_changes_no_verdict(self):
        path = self.twins("hardened")
        _, merged = check(path)
        _, told_apart = check(path, "--no-symmetry")
        self.assertEqual((merged["symmetric_lanes"], told_apart["symmetric_lanes"]), (3, 0))
        self.assertEqual((merged["verdict"], told_apart["verdict"]), ("holds", "holds"))
        # Three lanes can be permuted in six ways.
        self.assertLess(merged["states"] * 3, told_apart["states"])
        self.assertGreaterEqual(merged["states"] * 6, told_apart["states"])
        for path in explored():
            _, merged = check(path)
            if not merged["symmetric_lanes"]:
                continue
            _, told_apart = check(path, "--no-symmetry")
            self.assertEqual(merged["verdict"], told_apart["verdict"], path)

    def test_remembered_steps_lead_where_they_did(self):
        seen = 0
        for path in explored():
            _, plain = check(path)
            # Smaller worlds remember nothing.
            if not 5000 < plain["states"] < 300000:
                continue
            _, run_all = check(path, "--no-memo")
            with self.subTest(path):
                self.assertEqual((plain["verdict"], plain["kind"]), (run_all["verdict"], run_all["kind"]))
                if plain["kind"] in (None, "livelock"):
                    self.assertEqual([plain[k] for k in ("states", "transitions", "end_states")],
                                     [run_all[k] for k in ("states", "transitions", "end_states")])
                seen += 1
        self.assertGreater(seen, 8)

    def test_symmetric_exact(self):
        path = self.twins("hardened")
        counts = [check(path, *o)[1]["states"] for o in ((), ("--exact",), ("--hash-seed", "3"))]
        self.assertEqual(len(set(counts)), 1)

    def test_preemptions(self):
        path = lock("f1-backoff-corrupts")
        _, full = check(path)
        for line in run(path).stdout.splitlines():
            if line.startswith("shortest counterexample:"):
                steps, least = (int(w) for w in line.replace(",", "").split() if w.isdigit())
        self.assertEqual(len({s["step"] for s in full["steps"]}) <= steps, True)
        code, o = check(path, "--preemptions", str(least))
        self.assertEqual((o["verdict"], o["kind"]), ("violated", full["kind"]))
        code, o = check(path, "--preemptions", str(least - 1))
        self.assertEqual((code, o["verdict"], o["limit"], o["preemption_bound"]),
                         (3, "inconclusive", "preemptions", least - 1))
        text = run("--preemptions", "0", path).stdout
        self.assertIn("no violation with at most 0 preemptions", text)

    def test_preemptions_without_effect_prove(self):
        _, full = check(lock("sharex"))
        code, o = check(lock("sharex"), "--preemptions", "100")
        self.assertEqual((code, o["verdict"], o["complete"]), (0, "holds", True))
        self.assertEqual(full["verdict"], "holds")

    def test_random_runs(self):
        path = lock("f1-backoff-corrupts")
        code, one = check(path, "--random", "5000", "--seed", "7")
        self.assertEqual((code, one["verdict"], one["kind"]), (0, "violated", "module-halt"))
        _, two = check(path, "--random", "5000", "--seed", "7")
        self.assertEqual((one["steps"], one["random_runs"]), (two["steps"], two["random_runs"]))
        code, o = check(contention("zap-vs-accept"), "--random", "300")
        self.assertEqual((code, o["verdict"], o["limit"], o["random_runs"]),
                         (3, "inconclusive", "random", 300))
        self.assertEqual(o, {**check(contention("zap-vs-accept"), "--random", "300")[1],
                             **{k: o[k] for k in o if "second" in k}})
        text = run("--random", "20", contention("zap-vs-accept")).stdout
        self.assertIn("no violation in 20 random runs", text)
        self.assertIn("again: seamlab check --random 20 --seed 0 ", text)

    def test_random_runs_of_a_hostile_host(self):
        """Whatever it does breaks no oracle; published, an AUG that is not done kills the module (H1)."""
        for flavour, want in (("hardened", ("inconclusive", None)), ("published", ("violated", "module-halt"))):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as f:
                f.write(HOSTILE % flavour)
                f.flush()
                _, o = check(f.name, "--random", "1500", "--seed", "3")
            self.assertEqual((o["verdict"], o["kind"]), want, o["detail"])

    def test_random_trace_replays(self):
        with tempfile.TemporaryDirectory() as d:
            trace = os.path.join(d, "t.trace")
            check(lock("f1-backoff-corrupts"), "--random", "5000", "--trace", trace)
            r = subprocess.run([PROGRAM, "replay", trace], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
            self.assertEqual(r.returncode, 0, r.stderr)

    def test_bounds_are_exact(self):
        """What the counted search says is what claims say, for N below and at the maximum."""
        _, o = check(contention("aug-vs-accept-hardened"), "--bounds")
        self.assertTrue(o["bounds_exact"])
        with open(contention("aug-vs-accept-hardened"), encoding="utf-8") as f:
            text = f.read()
        # A BUSY on every turn, as long as the other vCPU stands still with the entry locked: no number holds.
        self.assertEqual(o["bounds"]["fault-aug"], "unfair")
        for site, most in (("fault-aug", 200), ("fault-sept-add", 0)):
            for n in range(3):
                with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as f:
                    f.write(text.replace("claims: [all-finish]", f"claims: [retries({site}) <= {n}]"))
                    f.flush()
                    _, claim = check(f.name)
                expected = ("holds", None) if most <= n else ("violated", "bound")
                self.assertEqual((claim["verdict"], claim["kind"]), expected, (site, n))
        _, zap = check(contention("zap-vs-accept"), "--bounds")
        self.assertEqual([zap["bounds"][s] for s in ("zap-block", "zap-track", "zap-remove",
                                                     "zap-wbinvd")], [1, 1, 1, 0])

    def test_options_that_do_not_go_together(self):
        for options in (("--random", "5", "--exact"), ("--random", "5", "--preemptions", "1"),
                        ("--audit", "--preemptions", "1"), ("--preemptions", "251"),
                        ("--preemptions", "x"), ("--seed", "-1")):
            r = run(*options, lock("sharex"))
            self.assertEqual(r.returncode, 2, options)
            self.assertTrue("expected" in r.stderr, r.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
