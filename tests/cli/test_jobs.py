#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab check --jobs: what comes out does not depend on it; limits and accidents of one job of several."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIVE = """title: Five callers, three of them alike
lock: {kind: sharex-hp, flavour: hardened}
run:
  caller0: [exclusive guest, release]
  caller1: [shared host, release]
  caller2: [shared guest, release]
  caller3: [shared guest, release]
  caller4: [shared guest, release]
"""
ENDLESS = os.path.join(ROOT, "bench", "scenarios", "three-vcpus-and-a-zap.yaml")
# What must be the same with one job; with several, sites have no maxima but by --bounds.
SAME = ("verdict", "kind", "states", "transitions", "complete", "detail", "steps", "symmetric_lanes")


def scenario(name):
    return name if name.startswith("/") else os.path.join(ROOT, "scenarios", name + ".yaml")


def command(path, *options):
    return [PROGRAM, "check", "--format", "json", *options, path]


def check(path, *options):
    r = subprocess.run(command(path, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, text=True, timeout=300)
    return r.returncode, json.loads(r.stdout)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(c) for c in f.read().split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Jobs(unittest.TestCase):
    def same(self, name, several, *options):
        """One job, two and three; @several: the last pass was done by all of them."""
        with tempfile.TemporaryDirectory() as folder:
            found = []
            for jobs in ("1", "2", "3"):
                trace = os.path.join(folder, jobs)
                code, o = check(scenario(name), "--jobs", jobs, "--trace", trace, *options)
                self.assertEqual(o["jobs"], int(jobs) if several else 1, name)
                said = {k: o[k] for k in SAME}
                # Livelocks come from the graph, which several have made.
                if o["bounds_exact"] or not several:
                    said["bounds"] = o["bounds"]
                if os.path.exists(trace):
                    with open(trace, "rb") as f:
                        said["trace"] = f.read()
                found.append((code, said))
            self.assertEqual(found[0], found[1], name)
            self.assertEqual(found[0], found[2], name)
            return found[0]

    def test_holds(self):
        for name in ("contention/zap-vs-read", "contention/writer-among-readers",
                     "zoo/t7-offline-checked"):
            code, said = self.same(name, True)
            self.assertEqual((code, said["verdict"]), (0, "holds"))

    def test_hash_seed_and_no_reduction(self):
        self.same("zoo/t6-vcpu-runs", True, "--hash-seed", "5")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as f:
            f.write(FIVE)
            f.flush()
            self.same(f.name, True, "--no-reduction")
            self.same(f.name, True, "--no-reduction", "--no-symmetry")

    def test_bounds(self):
        code, said = self.same("contention/zap-vs-read", True, "--bounds")
        self.assertEqual((code, said["bounds"]["enter"]), (0, "unfair"))

    def test_livelock(self):
        """The graph is numbered as one job would have: the same lasso comes out."""
        code, said = self.same("zoo/d1-slot-delete", True)
        self.assertEqual((code, said["kind"]), (0, "livelock"))
        self.assertIn("trace", said)

    def test_violated(self):
        """What several have found one looks for: the same trace, byte for byte."""
        for name, kind in (("zoo/z5-msr-synthesized", "oracle"), ("zoo/t5-no-lock", "host-assert"),
                           ("answers/q5-remove", "bound"), ("zoo/z6-stale-exit", "deadlock")):
            code, said = self.same(name, False)
            self.assertEqual((code, said["kind"]), (0, kind))
            self.assertIn("trace", said)

    def test_violated_text(self):
        """He who looks for it begins knowing nothing: as many passes, and as many BUSY on the way."""
        for name in ("zoo/z5-msr-synthesized", "zoo/t5-no-lock", "answers/m7-recorded"):
            said = []
            for jobs in ("1", "2"):
                r = subprocess.run([PROGRAM, "check", "--jobs", jobs, scenario(name)],
                                   stdout=subprocess.PIPE, text=True, timeout=100)
                said.append(re.sub(r", [0-9.]+ s, [0-9.]+ M transitions/s", "", r.stdout))
            self.assertEqual(said[0], said[1])
            self.assertIn(" passes, ", said[0])

    def test_text(self):
        """What depends on who was faster is not printed."""
        r = subprocess.run([PROGRAM, "check", "--jobs", "2", scenario("contention/zap-vs-read")],
                           stdout=subprocess.PIPE, text=True, timeout=100)
        self.assertIn("  2 jobs, ", r.stdout)
        self.assertIn("BUSY seen; --bounds tells how often", r.stdout)
        self.assertNotIn("depth", r.stdout)

    def test_limits(self):
        for options, limit in ((("--time", "1"), "time"), (("--memory", "30"), "memory")):
            code, o = check(ENDLESS, "--jobs", "2", *options)
            self.assertEqual((code, o["verdict"], o["limit"], o["complete"]),
                             (0, "inconclusive", limit, False))
            self.assertGreater(o["states"], 10000)

    def start(self):
        """A long search, and the processes that do it once they do."""
        p = subprocess.Popen(command(ENDLESS, "--jobs", "2", "--time", "60"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.kill)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            jobs = children(p.pid)
            time.sleep(0.5)
            # Early passes are short.
            if len(jobs) == 2 and children(p.pid) == jobs:
                return p, jobs
        self.fail("no jobs")

    def gone(self, jobs):
        end = time.monotonic() + 10
        while any(is_alive(j) for j in jobs) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse([j for j in jobs if is_alive(j)])

    def test_interrupted(self):
        p, jobs = self.start()
        p.send_signal(signal.SIGINT)
        out = p.communicate(timeout=30)[0]
        self.assertEqual((p.returncode, json.loads(out)["limit"]), (0, "interrupted"))
        self.gone(jobs)

    def test_a_job_dies(self):
        """Half of a search proves nothing."""
        p, jobs = self.start()
        os.kill(jobs[1], signal.SIGKILL)
        out, err = p.communicate(timeout=30)
        self.assertEqual((p.returncode, out), (2, ""))
        self.assertIn("internal error: job 2 of the search was ended by signal 9", err)
        self.gone(jobs)

    def test_parent_dies(self):
        p, jobs = self.start()
        p.kill()
        p.communicate(timeout=30)
        self.gone(jobs)

    def test_for_one(self):
        for options in (("--exact",), ("--audit",), ("--preemptions", "1"), ("--random", "5"),
                        ("--depth", "5")):
            r = subprocess.run(command(ENDLESS, "--jobs", "2", *options), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, timeout=100)
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn("--jobs: found with --random", r.stderr)
        for bad in ("x", "65", "-1", ""):
            r = subprocess.run(command(ENDLESS, "--jobs", bad), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, timeout=100)
            self.assertEqual(r.returncode, 2, bad)
            self.assertIn("--jobs: found", r.stderr)


if __name__ == "__main__":
    unittest.main()
