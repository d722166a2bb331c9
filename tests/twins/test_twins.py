#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""State counts against independent tools: the models of bench/models, written by hand from the published steps
of the lock words, are scenarios, Murphi for rumur and Promela for spin. Here the small ones of models.json.

A step is one atomic operation on the word, one turn of a retry loop, a lane's start, or the end of the
world. A state is the word, where each lane stands in its program, and what the lane has read since its
operation began, as far as that operation goes on. So the explorer runs with --no-reduction and --no-symmetry,
which merge no steps, reader counts or lanes. Then states and transitions are equal, to the last one."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
DRIVER = os.path.join(os.path.dirname(PROGRAM), "seamlab-cc")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = os.path.join(ROOT, "bench", "models")
CC = shutil.which("gcc") or shutil.which("clang")


def models(*kinds):
    with open(os.path.join(MODELS, "models.json"), encoding="utf-8") as f:
        found = [m for m in json.load(f)["models"] if m["in"] in ("quick", "twins") and m["kind"] in kinds]
    assert found, kinds
    return found


def run(folder, *args, ends=(0,)):
    r = subprocess.run(args, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors="replace", timeout=300)
    if r.returncode not in ends:
        raise AssertionError(f"{' '.join(args)}: exit {r.returncode}\n{r.stdout[-2000:]}")
    return r.stdout


def count(pattern, text):
    return int(re.search(pattern, text).group(1))


def model(m, ending):
    return os.path.join(MODELS, m["model"] + ending)


def parameters(m):
    return [f"-D{name}={value}" for name, value in m["set"].items()]


# Each gives verdict, states, transitions.
def explorer(m, *options):
    r = subprocess.run([PROGRAM, "check", "--format=json", *options, os.path.join(MODELS, m["scenario"])],
                       stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    out = json.loads(r.stdout)
    assert out["verdict"] == "violated" or out["complete"], out
    return out["verdict"], out["states"], out["transitions"]


def user_code(m, folder, *options):
    run(folder, DRIVER, "-O2", *parameters(m), model(m, ".c"), "-o", "program")
    out = json.loads(run(folder, "./program", "--format=json", *options, ends=(0, 1)))
    return out["verdict"], out["states"], out["transitions"]


def rumur(m, folder):
    with open(model(m, ".m"), encoding="utf-8") as f:
        text = f.read()
    for name, value in m["set"].items():
        text, n = re.subn(rf"^(  {name}: )\d+;", rf"\g<1>{value};", text, flags=re.M)
        assert n == 1, name
    with open(os.path.join(folder, "m.m"), "w", encoding="utf-8") as f:
        f.write(text)
    run(folder, "rumur", "--threads", "1", "--deadlock-detection", "off", "--output", "m.c", "m.m")
    run(folder, CC, "-std=c11", "-O1", "-march=native", "-w", "m.c", "-o", "m", "-lpthread", "-latomic")
    text = run(folder, "./m", ends=(0, 1))
    # Lines in front of the last one say how far it is.
    states, fired = re.search(r"(\d+) states, (\d+) rules fired in", text).groups()
    return "holds" if "No error found" in text else "violated", int(states), int(fired)


def spin(m, folder, flags=("-DSAFETY", "-DNOREDUCE"), define=(), options=()):
    run(folder, "spin", *parameters(m), *define, "-a", model(m, ".pml"))
    run(folder, CC, "-O1", "-w", *flags, "pan.c", "-o", "pan")
    text = run(folder, "./pan", "-m1000000", *options)
    # spin counts the way into the initial state, too.
    return ("violated" if count(r"errors: (\d+)", text) else "holds", count(r"(\d+) states, stored", text),
            count(r"(\d+) transitions", text) - 1)


class Twins(unittest.TestCase):
    def compare(self, tool, function):
        if not shutil.which(tool):
            self.skipTest(f"no {tool} here")
        for m in models("exhaust"):
            with self.subTest(m["model"]), tempfile.TemporaryDirectory() as folder:
                found = function(m, folder)
                self.assertEqual(found[0], "holds")
                self.assertEqual(found, explorer(m, "--no-reduction", "--no-symmetry"))
        for m in models("violated"):
            with self.subTest(m["scenario"]), tempfile.TemporaryDirectory() as folder:
                self.assertEqual((function(m, folder)[0], explorer(m)[0]), ("violated", "violated"))

    def test_rumur(self):
        self.compare("rumur", rumur)

    def test_spin(self):
        self.compare("spin", spin)

    def test_liveness(self):
        """The same verdicts under weak fairness, on the same states."""
        if not shutil.which("spin"):
            self.skipTest("no spin here")
        for m in models("live", "live-violated"):
            with self.subTest(m["set"]), tempfile.TemporaryDirectory() as folder:
                self.assertEqual(user_code(m, folder, "--no-reduction"), spin(m, folder))
                verdict = "holds" if m["kind"] == "live" else "violated"
                self.assertEqual(user_code(m, folder, "--all-finish")[0], verdict)
                self.assertEqual(spin(m, folder, ("-DNFAIR=3",), ("-DLIVENESS",), ("-a", "-f"))[0], verdict)

    def test_reduction(self):
        """What the reduction leaves out it leaves out of the same whole."""
        for m in models("exhaust"):
            self.assertLessEqual(explorer(m)[1], explorer(m, "--no-reduction", "--no-symmetry")[1])


if __name__ == "__main__":
    if not CC or not (shutil.which("rumur") or shutil.which("spin")):
        print("neither rumur nor spin with a C compiler here")
        sys.exit(77)
    unittest.main(verbosity=2)
