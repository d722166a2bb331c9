#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""State counts against independent tools: each scenario here has a twin in Murphi (NAME.m, for rumur) and
one in Promela (NAME.pml, for spin), written by hand from the published steps of the lock word.

A step is one atomic operation on the word, one turn of a retry loop, a lane's start, or the end of the
world. A state is the word, where each lane stands in its program, and what the lane has read since its
operation began, as far as that operation goes on. So the explorer runs with --no-reduction, which
merges no steps and no reader counts. Then states and transitions are equal, to the last one."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("sharex", "sharex-hp", "sept-entry")
CC = shutil.which("gcc") or shutil.which("clang")


def run(folder, *args):
    r = subprocess.run(args, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors="replace", timeout=300)
    if r.returncode:
        raise AssertionError(f"{' '.join(args)}: exit {r.returncode}\n{r.stdout[-2000:]}")
    return r.stdout


def count(pattern, text):
    return int(re.search(pattern, text).group(1))


def explorer(name):
    r = subprocess.run([PROGRAM, "check", "--format=json", "--no-reduction",
                        os.path.join(HERE, name + ".yaml")],
                       stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    out = json.loads(r.stdout)
    assert out["verdict"] == "holds" and out["complete"], out
    return out["states"], out["transitions"]


def rumur(name, folder):
    run(folder, "rumur", "--threads", "1", "--deadlock-detection", "off", "--output", "m.c",
        os.path.join(HERE, name + ".m"))
    run(folder, CC, "-std=c11", "-O1", "-march=native", "-w", "m.c", "-o", "m", "-lpthread", "-latomic")
    text = run(folder, "./m")
    assert "No error found" in text, text
    return count(r"(\d+) states", text), count(r"(\d+) rules fired", text)


def spin(name, folder):
    run(folder, "spin", "-a", os.path.join(HERE, name + ".pml"))
    run(folder, CC, "-O1", "-w", "-DSAFETY", "-DNOREDUCE", "pan.c", "-o", "pan")
    text = run(folder, "./pan", "-m1000000")
    assert "errors: 0" in text, text
    # spin counts the way into the initial state, too.
    return count(r"(\d+) states, stored", text), count(r"(\d+) transitions", text) - 1


class Twins(unittest.TestCase):
    def compare(self, tool, function):
        if not shutil.which(tool):
            self.skipTest(f"no {tool} here")
        for name in NAMES:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.assertEqual(function(name, folder), explorer(name))

    def test_rumur(self):
        self.compare("rumur", rumur)

    def test_spin(self):
        self.compare("spin", spin)

    def test_reduction(self):
        """What the reduction leaves out it leaves out of the same whole."""
        for name in NAMES:
            r = subprocess.run([PROGRAM, "check", "--format=json", os.path.join(HERE, name + ".yaml")],
                               stdout=subprocess.PIPE, text=True, timeout=300, check=True)
            self.assertLessEqual(json.loads(r.stdout)["states"], explorer(name)[0])


if __name__ == "__main__":
    if not CC or not (shutil.which("rumur") or shutil.which("spin")):
        print("neither rumur nor spin with a C compiler here")
        sys.exit(77)
    unittest.main(verbosity=2)
