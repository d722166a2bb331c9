#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shards of a check, and seamlab merge: joined they are what one process prints, and what does not belong together is
refused."""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOCKS = os.path.join(ROOT, "scenarios", "locks")
MEASURED = ("seconds", "states_per_second", "transitions_per_second", "peak_memory_bytes")

# One that holds, two that do not as expected or otherwise, one for threads only, in two folders; in the order in which
# a set is sorted. A folder comes before a file whose name goes on with what is less than a slash.
SET = {
    "a/f1.yaml": "f1-backoff-corrupts.yaml",
    "a/mutex.yaml": "mutex.yaml",
    "a/threads.yaml": None,
    "a-1.yaml": "f5-request-erased.yaml",
    "b.yaml": "sharex.yaml",
    "wrong.yaml": "h1-aug-remove.yaml",
}


def run(*args, **kw):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=120, check=False, **kw)


def lasting(value):
    """Without what is measured."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if k not in MEASURED}
    return [lasting(v) for v in value] if isinstance(value, list) else value


def lasting_text(text):
    return re.sub(r'[0-9.]+ s, [0-9.]+ M transitions/s|time="[0-9.]+"', "-", text)


class Shards(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = scratch.name
        os.mkdir(self.path("a"))
        for name, source in SET.items():
            if source:
                shutil.copy(os.path.join(LOCKS, source), self.path(name))
        self.write("a/threads.yaml", "title: t\nengine: threads\ntd: {vcpus: 1, memory: {a: {}}}\n"
                                     "run: {vcpu0: [accept a]}\n")
        with open(self.path("wrong.yaml"), encoding="utf-8") as f:
            self.write("wrong.yaml", re.sub(r"^expect: .*$", "expect: holds", f.read(), flags=re.M))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return name

    def check(self, *args):
        return run("check", *args, cwd=self.dir)

    def merge(self, *args):
        return run("merge", *args, cwd=self.dir)

    def shard(self, k, n, *args):
        """Leaves it in a file; returns the file's name."""
        r = self.check("--shard", f"{k}/{n}", "--format", "json", *args)
        self.assertIn(r.returncode, (0, 1, 2, 3))
        self.documents[k] = json.loads(r.stdout)
        self.codes[k] = r.returncode
        return self.write(f"shard-{k}.json", r.stdout)

    def shards(self, n, *args):
        self.documents, self.codes = {}, {}
        return [self.shard(k, n, *args) for k in range(1, n + 1)]

    def refused(self, files, *parts):
        r = self.merge(*files)
        self.assertEqual((r.returncode, r.stdout), (2, ""), r.stderr)
        for p in parts:
            self.assertIn(p, r.stderr)

    def same(self, files, *args):
        """Joined in any order they are what one process prints, in each form. Returns its object."""
        for form in ("json", "text", "ktap", "junit"):
            whole = self.check("--format", form, *args)
            joined = self.merge("--format", form, *reversed(files))
            self.assertEqual(joined.returncode, whole.returncode, joined.stderr)
            if form == "json":
                out = json.loads(joined.stdout)
                self.assertEqual(lasting(out), lasting(json.loads(whole.stdout)))
            else:
                self.assertEqual(lasting_text(joined.stdout), lasting_text(whole.stdout), form)
        return out


class Scenarios(Shards):
    def test_joined_as_one(self):
        for n in (1, 2, 3, 8):
            out = self.same(self.shards(n, "."), ".")
            self.assertEqual([r["file"] for r in out["results"]], ["./" + name for name in SET])
            self.assertEqual((out["as_expected"], out["not_as_expected"], out["skipped"]), (4, 1, 1))
            for k, d in self.documents.items():
                self.assertEqual([r["file"] for r in d["results"]], [f"./{x}" for x in list(SET)[k - 1::n]])
                self.assertEqual((d["shard"]["k"], d["shard"]["n"], d["shard"]["of"]), (k, n, len(SET)))
                wrong = any(not r.get("as_expected", True) for r in d["results"])
                self.assertEqual(self.codes[k], 1 if wrong else 0)

    def test_order_of_arguments(self):
        self.shards(3, "a", "b.yaml", "a-1.yaml", "wrong.yaml")
        one = lasting(self.documents)
        self.shards(3, "wrong.yaml", "b.yaml", "a-1.yaml", "a/")
        self.assertEqual(one, lasting(self.documents))

    def test_one_scenario_and_none(self):
        """A set of one has one object, as it has without shards; a shard may have nothing to do."""
        files = self.shards(2, "b.yaml")
        self.assertEqual((self.documents[2]["results"], self.codes[2]), ([], 0))
        self.assertEqual(self.same(files, "b.yaml")["file"], "b.yaml")

    def test_options(self):
        options = ("--bounds", "--set", "remove-on-busy=kick-once", "--policy", "blind-3", "--flavour", "published")
        scenario = os.path.join(ROOT, "scenarios", "contention", "zap-vs-accept.yaml")
        out = self.same(self.shards(2, *options, scenario), *options, scenario)
        self.assertTrue(out["bounds_exact"])
        self.assertTrue(out["set"])
        self.same(self.shards(2, "--preemptions", "1", "--hash-seed", "7", "a", "b.yaml"),
                  "--preemptions", "1", "--hash-seed", "7", "a", "b.yaml")

    def test_traces(self):
        """One folder for all: the names are those of one process."""
        shutil.copy(self.path("a/f1.yaml"), self.path("f1.yaml"))
        files = self.shards(3, "--trace-dir", "one", "a", "f1.yaml")
        names = sorted(os.listdir(self.path("one")))
        self.assertEqual(names, ["f1-2.trace", "f1.trace"])
        self.same(files, "--trace-dir", "one", "a", "f1.yaml")
        for name in names:
            self.assertEqual(run("replay", self.path(os.path.join("one", name))).returncode, 0)

    def test_errors(self):
        self.write("bad.yaml", "title: x\nrun: 1\n")
        files = self.shards(2, "b.yaml", "bad.yaml", "gone.yaml")
        whole, joined = self.check("b.yaml", "bad.yaml", "gone.yaml"), self.merge(*files)
        self.assertEqual((whole.returncode, joined.returncode), (2, 2))
        self.assertEqual(lasting_text(whole.stdout), lasting_text(joined.stdout))
        self.assertIn("bad.yaml:1:1: ", joined.stderr)
        self.assertIn("gone.yaml", joined.stderr)
        whole, joined = (json.loads(r.stdout) for r in (
            self.check("--format", "json", "b.yaml", "bad.yaml", "gone.yaml"),
            self.merge("--format", "json", *files)))
        self.assertEqual(lasting(whole), lasting(joined))

    def test_interrupted(self):
        """What nobody came to is inconclusive, and said to be."""
        files = self.shards(2, "a", "b.yaml")
        d = copy.deepcopy(self.documents[1])
        d["results"][0] = {"file": d["results"][0]["file"], "skipped": "interrupted"}
        self.write(files[0], d)
        r = self.merge("--format", "ktap", *files)
        self.assertEqual(r.returncode, 3)
        self.assertIn("ok 1 a/f1.yaml # SKIP interrupted", r.stdout)

    def test_usage(self):
        for value in ("0/2", "3/2", "1", "1/", "/2", "1/0", "-1/2", "1/2/3", "a/b", " 1/2", "1/2 ", "1.0/2",
                      "1/4294967298"):
            r = self.check("--shard", value, "b.yaml")
            self.assertEqual((r.returncode, r.stdout), (2, ""), value)
            self.assertIn(f"--shard: found '{value}'; expected K/N", r.stderr)
        r = self.merge()
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("no shards", r.stderr)


class Random(Shards):
    """Findings in the first block and behind it, found by priorities or uniformly, of memory order, and none."""

    def runs(self, name, n, *options):
        scenario = os.path.join(ROOT, "scenarios", name + ".yaml")
        files = self.shards(n, *options, scenario)
        return self.same(files, *options, scenario), files

    def test_joined_as_one(self):
        behind = 0
        for name, seed, runs, n in (("locks/f1-backoff-corrupts", "7", "500", 3),
                                    ("locks/h1-aug-relocate", "2", "700", 5),
                                    ("locks/h2-promote-frees-table", "3", "100", 4),
                                    ("zoo/m2x-no-re-test", "1", "200", 2),
                                    ("contention/aug-vs-accept-livelock", "5", "130", 2)):
            with self.subTest(name):
                out, _ = self.runs(name, n, "--random", runs, "--seed", seed)
                behind += out["verdict"] == "violated" and out["random_runs"] > 64
                done = sum(d["results"][0]["random_runs"] for d in self.documents.values())
                if out["verdict"] != "violated":
                    self.assertEqual((done, out["random_runs"]), (int(runs), int(runs)))
        self.assertGreaterEqual(behind, 2)

    def test_several_scenarios(self):
        files = self.shards(2, "--random", "150", "a", "b.yaml")
        self.assertEqual([len(d["results"]) for d in self.documents.values()], [4, 4])
        self.same(files, "--random", "150", "a", "b.yaml")

    def test_a_shard_again(self):
        """The printed line comes to the shard's own finding."""
        scenario = os.path.join(LOCKS, "h1-aug-relocate.yaml")
        options = ("--random", "700", "--seed", "2", "--shard", "2/4")
        first = self.check(*options, scenario).stdout
        again = re.search(r"^again: seamlab (check .*)$", first, re.M)
        self.assertIn(" ".join(options), again.group(1))
        second = run(*again.group(1).split(), cwd=self.dir).stdout
        self.assertEqual(lasting_text(first), lasting_text(second))
        self.assertIn("violated", first)

    def test_traces(self):
        scenario = os.path.join(LOCKS, "f1-backoff-corrupts.yaml")
        files = self.shards(2, "--random", "500", "--seed", "7", "--trace-dir", "t", scenario)
        names = sorted(os.listdir(self.path("t")))
        self.assertEqual(names, [f"f1-backoff-corrupts.shard-{k}.trace" for k in (1, 2)])
        out = json.loads(self.merge("--format", "json", *files).stdout)
        self.assertEqual(out["trace"], "t/" + names[0])
        for name in names:
            self.assertEqual(run("replay", self.path("t/" + name)).returncode, 0)


class Belonging(Shards):
    def test_missing_and_twice(self):
        files = self.shards(4, "a", "b.yaml")
        self.refused(files[:1], "found 1 of 4 shards", "2/4, 3/4, 4/4 missing")
        self.refused(files[:2] + files[3:], "3/4 missing")
        self.refused(files + files[1:2], "shard-2.json: found shard 2/4 again", "expected each shard once")
        many = self.shards(2, "b.yaml")
        self.refused([many[0]], "2/2 missing")

    def test_other_parts(self):
        mine = self.shards(2, "a", "b.yaml")
        first = self.write("first.json", self.documents[1])
        self.assertEqual(self.merge(first, mine[1]).returncode, 0)
        second = lambda *args, n=2: self.shards(n, *args)[1]
        self.refused([first, second("a", "b.yaml", n=3)], "found one of 3 shards; expected one of 2, as first.json")
        self.refused([first, second("--seed", "1", "a", "b.yaml")], "found option 'seed'", "0x0000000000000001")
        self.refused([first, second("--release", "1.5.25", "a", "b.yaml")], "found option 'set'", "release=1.5.25")
        self.refused([first, second("--time", "99", "a", "b.yaml")], "found option 'time' 99.0; expected 0.0")
        self.refused([first, second("a", "a-1.yaml")], "found a shard of another set", "(4, ")
        self.refused([first, second("a", "b.yaml", "a-1.yaml")], "found a shard of another set of scenarios (5 ")
        with open(self.path("b.yaml"), "a", encoding="utf-8") as f:
            f.write("# more\n")
        self.refused([first, second("a", "b.yaml")], "found a shard of another set", "the same names and contents")

    def test_another_build(self):
        files = self.shards(2, "b.yaml")
        for key in ("build", "version"):
            d = copy.deepcopy(self.documents[2])
            d["shard"][key] = "0f0f"
            self.refused([files[0], self.write("other.json", d)], "other.json: found a shard by seamlab", "0f0f")

    def test_no_shards(self):
        self.write("plain.json", self.check("--format", "json", "b.yaml").stdout)
        files = self.shards(1, "b.yaml")
        with open(self.path(files[0]), encoding="utf-8") as f:
            text = f.read()
        self.write("cut.json", text[:len(text) // 2])
        self.refused(["plain.json"], "plain.json: found no shard; expected what seamlab check --shard")
        self.refused(["cut.json"], "cut.json:", "expected what seamlab check --shard")
        self.refused(["none.json"], "none.json: No such file")
        self.refused([self.write("e.json", "")], "e.json:1:0: found")
        self.refused([self.write("l.json", "[]")], "found no shard")
        d = copy.deepcopy(self.documents[1])
        d["shard"]["format"] = 2
        self.refused([self.write("f.json", d)], "another format; expected format 1")

    def places(self, value, at=()):
        """Where something is in the document."""
        if at:
            yield at
        if isinstance(value, dict):
            value = {k: value[k] for k in list(value)[:2]} if at[-1:] == ("bounds",) else value
            for k in value:
                yield from self.places(value[k], at + (k,))
        elif isinstance(value, list):
            for i in range(min(len(value), 1)):
                yield from self.places(value[i], at + (i,))

    def test_damage(self):
        """Whatever is changed: a message and exit status 2, or a report; never a crash, nor an empty message."""
        self.shards(1, "--bounds", "a/f1.yaml", "a/mutex.yaml")
        places = list(self.places(self.documents[1]))
        self.assertGreater(len(places), 80)
        refused = 0
        for i, at in enumerate(places):
            other = (None, -1, "x", [], {})[i % 5]
            d = copy.deepcopy(self.documents[1])
            inner = d
            for step in at[:-1]:
                inner = inner[step]
            inner[at[-1]] = other
            r = self.merge(self.write("d.json", d))
            self.assertIn(r.returncode, (0, 1, 2, 3), (at, other, r.stderr))
            if r.returncode == 2:
                self.assertRegex(r.stderr, r"^seamlab merge: \S.*(expected|missing)", (at, other))
                refused += 1
        self.assertGreater(refused, len(places) // 2)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
