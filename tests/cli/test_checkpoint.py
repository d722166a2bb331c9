#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab check --checkpoint and --resume: breaks change nothing of what comes out; files of something else."""
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAME = ("verdict", "kind", "states", "transitions", "complete", "limit", "detail", "steps", "symmetric_lanes")
# Hundreds of thousands of states; a graph and a lasso; found by several, so that one begins anew.
HOLDS, LIVELOCK, ASSERT = "zoo/p7-run-loop", "zoo/p7-re-enter", "zoo/s2-unblock"
# So that it lasts for a second, for a signal in the middle.
SLOW = "--no-memo"
SMALL = "contention/zero-step-two-zaps"
KNOWN = {}


def scenario(name):
    return os.path.join(ROOT, "scenarios", name + ".yaml")


def command(name, *options):
    return [PROGRAM, "check", "--format", "json", *options, scenario(name)]


def run(name, *options):
    return subprocess.run(command(name, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=300, check=False)


class Checkpoint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(self.folder, "search")
        self.trace = os.path.join(self.folder, "trace")

    def said(self, r):
        """What must not depend on breaks."""
        self.assertEqual(r.stderr, b"")
        o = json.loads(r.stdout)
        said = {k: o[k] for k in SAME}
        if o["bounds_exact"]:
            said["bounds"] = o["bounds"]
        if os.path.exists(self.trace):
            with open(self.trace, "rb") as f:
                said["trace"] = f.read()
            os.unlink(self.trace)
        return r.returncode, said

    def whole(self, name, *options):
        """Without a break; once for all tests."""
        if (name, options) not in KNOWN:
            KNOWN[name, options] = self.said(run(name, "--trace", self.trace, *options))
        return KNOWN[name, options]

    def chain(self, name, jobs, seconds, *options):
        """With a break every so many seconds, each time by the next number of jobs. The number of breaks."""
        resume = []
        for n in range(60):
            r = run(name, "--jobs", jobs[n % len(jobs)], "--time", str(seconds), "--trace", self.trace,
                    "--checkpoint", self.file, *resume, *options)
            o = json.loads(r.stdout)
            if o["limit"] != "time":
                break
            # A limit behind the search, in the random runs: there was nothing to be saved.
            if o["checkpoint"] is None:
                seconds = 100
                continue
            self.assertEqual(o["checkpoint"], self.file)
            resume = ["--resume", self.file]
        self.assertEqual(self.said(r), self.whole(name, *options), (name, jobs, n))
        return n

    def breaks(self, *args):
        """chain(), with shorter times if the machine is so fast that there is no break."""
        name, jobs, seconds, *options = args
        while not self.chain(name, jobs, seconds, *options):
            seconds /= 2
            self.assertGreater(seconds, 1e-3)

    def test_holds(self):
        for jobs in ("1", "22231"):
            self.breaks(HOLDS, jobs, 0.3)

    def test_several_paths(self):
        """One that goes on from several paths is itself interrupted, at the first of them."""
        self.breaks(HOLDS, "31", 0.3)

    def test_widening(self):
        """Left by one before several would have begun: they begin the pass anew."""
        r = run(SMALL, "--jobs", "2", "--time", "0.0001", "--checkpoint", self.file)
        self.assertEqual(json.loads(r.stdout)["limit"], "time")
        r = run(SMALL, "--jobs", "2", "--resume", self.file)
        self.assertEqual(self.said(r), self.whole(SMALL))

    def test_livelock(self):
        for jobs in ("1", "21"):
            self.breaks(LIVELOCK, jobs, 0.15)

    def test_violated(self):
        for jobs in ("1", "2"):
            self.breaks(ASSERT, jobs, 0.15)

    def test_options(self):
        self.breaks(SMALL, "12", 0.05, "--bounds")
        self.breaks(SMALL, "12", 0.05, "--memory-model", "tso", "--hash-seed", "3")
        self.breaks(SMALL, "1", 0.05, "--preemptions", "5")

    def interrupted(self, sign, *options):
        p = subprocess.Popen(command(HOLDS, SLOW, "--checkpoint", self.file, *options), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        self.addCleanup(p.kill)
        time.sleep(0.2)
        p.send_signal(sign)
        out, err = p.communicate(timeout=60)
        self.assertEqual(err, b"")
        return out

    def test_signals(self):
        for sign, jobs in ((signal.SIGINT, "1"), (signal.SIGTERM, "2")):
            o = json.loads(self.interrupted(sign, "--jobs", jobs))
            self.assertEqual((o["limit"], o["checkpoint"]), ("interrupted", self.file))
            self.assertEqual(self.said(run(HOLDS, SLOW, "--jobs", "2", "--resume", self.file)),
                             self.whole(HOLDS, SLOW))

    def test_killed(self):
        """Nothing can be done at the end; what was saved before is whole."""
        for jobs in ("1", "2"):
            self.interrupted(signal.SIGKILL, "--jobs", jobs, "--checkpoint-every", "0.05")
            self.assertEqual(self.said(run(HOLDS, SLOW, "--jobs", jobs, "--resume", self.file)),
                             self.whole(HOLDS, SLOW))

    def refused(self, data, found, name=SMALL, *options):
        with open(self.file, "wb") as f:
            f.write(data)
        r = run(name, "--resume", self.file, *options)
        self.assertEqual((r.returncode, r.stdout), (2, b""), found)
        self.assertIn(found, r.stderr.decode())
        self.assertIn("expected", r.stderr.decode())

    def small(self):
        self.assertEqual(run(SMALL, "--time", "0.05", "--checkpoint", self.file).returncode, 3)
        with open(self.file, "rb") as f:
            return f.read()

    def test_of_something_else(self):
        good = self.small()
        self.refused(good, "another scenario", HOLDS)
        self.refused(good, "another scenario", SMALL, "--policy", "blind-3")
        self.refused(good, "other options (no options); expected the same (--hash-seed 2)", SMALL,
                     "--hash-seed", "2")
        self.refused(good, "other options", SMALL, "--no-symmetry", "--bounds")
        at = good.index(b"build ") + 6
        self.refused(good[:at] + b"0" + good[at + 1:], "damaged")
        self.refused(good[:8] + b"\x07" + good[9:], "version 7")

    def test_damaged(self):
        good = self.small()
        self.refused(b"", "an empty file")
        self.refused(b"title: a scenario\n" * 9, "a file of another kind")
        for size in (9, 20, 300, len(good) // 2, len(good) - 1):
            self.refused(good[:size], "damaged" if size > 16 else "a file of another kind")
        self.refused(good + b"\0", "damaged")
        chance = random.Random(5)
        for _ in range(20):
            at = chance.randrange(16, len(good))
            bad = bytearray(good)
            bad[at] ^= 1 << chance.randrange(8)
            self.refused(bytes(bad), "damaged")

    def test_not_there(self):
        r = run(SMALL, "--resume", self.file)
        self.assertEqual(r.returncode, 2)
        self.assertIn(b"cannot open", r.stderr)
        for path in (os.path.join(self.folder, "no", "such"), self.folder):
            r = run(SMALL, "--checkpoint", path)
            self.assertEqual((r.returncode, r.stdout), (2, b""))
            self.assertIn(path.encode(), r.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_usage(self):
        for options in (("--audit",), ("--exact",), ("--random", "3"), ("--shard", "1/2"), (scenario(HOLDS),)):
            r = run(SMALL, "--checkpoint", self.file, *options)
            self.assertEqual((r.returncode, r.stdout), (2, b""))
            self.assertIn(b"--checkpoint", r.stderr)

    def test_text(self):
        r = subprocess.run([PROGRAM, "check", "--time", "0.05", "--hash-seed", "4", "--checkpoint", self.file,
                            scenario(SMALL)], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertIn(f"\non: seamlab check --hash-seed 4 --resume {self.file} {scenario(SMALL)}\n", r.stdout)


if __name__ == "__main__":
    unittest.main()
