#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab bench, quick: the shape of its report, and what has to be true of it on any machine. No figure is judged."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECTIONS = ["exploration", "locks", "module", "growth"]
NUMBER = (int, float)
ROW = {"model": str, "tool": str, "variant": str, "verdict": str, "states": int, "transitions": int,
       "seconds": NUMBER, "seconds_p90": NUMBER, "bytes": int, "bytes_per_state": NUMBER,
       "transitions_per_second": NUMBER, "build_seconds": NUMBER, "rounds": int}
TOOLS = [t for t in ("spin", "rumur", "gcc") if not shutil.which(t)]


def run(*args, **env):
    return subprocess.run([PROGRAM, "bench", *args], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **env), text=True, timeout=300, check=False)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="seamlab-test-")
        cls.result = run("--quick", "--format=json", TMPDIR=cls.tmp.name)
        assert cls.result.returncode == 0, cls.result.stderr
        cls.report = json.loads(cls.result.stdout)
        cls.explored = cls.report["sections"]["exploration"]

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def shape(self, row, fields):
        for name, kind in fields.items():
            self.assertIsInstance(row[name], kind, (name, row))

    def test_report(self):
        self.assertEqual(self.result.stderr, "")
        self.assertEqual((self.report["schema"], self.report["quick"]), (1, True))
        self.assertEqual(list(self.report["sections"]), SECTIONS)
        self.shape(self.report["machine"], {"cpu": str, "cpus": int, "memory": str, "kernel": str, "load": str,
                                            "seamlab": str, "built_with": str, "cc": str, "spin": str, "rumur": str,
                                            "libck": str})
        self.assertEqual(os.listdir(self.tmp.name), [])

    @unittest.skipIf(TOOLS, f"not here: {TOOLS}")
    def test_states(self):
        """Where the explorer merges nothing, all have the same states and transitions."""
        rows = self.explored["exhaust"]
        self.assertEqual([(r["tool"], r["variant"]) for r in rows if r["variant"] != "--jobs 2"],
                         [("seamlab", ""), ("seamlab", "--no-reduction --no-symmetry"), ("spin", ""),
                          ("spin", "-DNOREDUCE"), ("spin", "-DCOLLAPSE"), ("rumur", "--threads 1")])
        for r in rows:
            self.shape(r, ROW)
            self.assertEqual((r["verdict"], r["note"]), ("holds", None))
            self.assertGreater(r["ratio"], 0)
        whole = [r for r in rows if r["variant"] in ("--no-reduction --no-symmetry", "-DNOREDUCE", "--threads 1")]
        self.assertEqual(len({(r["states"], r["transitions"]) for r in whole}), 1, whole)
        self.assertLess(rows[0]["states"], whole[0]["states"])
        self.assertEqual((rows[0]["ratio"], rows[1]["ratio_same_states"]), (1, 1))
        self.assertAlmostEqual(rows[2]["ratio"], rows[2]["seconds"] / rows[0]["seconds"])

    @unittest.skipIf(TOOLS, f"not here: {TOOLS}")
    def test_verdicts(self):
        for part, verdict in (("first_violation", "violated"), ("liveness", "holds"), ("first_livelock", "violated")):
            rows = self.explored[part]
            self.assertGreaterEqual(len(rows), 2, part)
            for r in rows:
                self.shape(r, ROW)
                self.assertEqual(r["verdict"], verdict, r)

    def test_worlds(self):
        for r in self.explored["worlds"]:
            self.shape(r, ROW)
            self.assertEqual((r["verdict"], r["arena_bytes"] > 0), ("holds", True))
            if "jobs" in r["variant"]:
                continue
            whole = r["no_reduction"]
            self.assertEqual(r["at_least"], whole["verdict"] == "inconclusive")
            self.assertGreater(r["times_fewer_states"], 10)

    def test_locks(self):
        s = self.report["sections"]["locks"]
        pairs = {r["name"]: r for r in s["uncontended"]}
        self.assertEqual(pairs["bare_cas_store"]["ratio_cas_store"], 1)
        for name in ("sharex_hp_ex_host", "sharex_hp_ex_published", "pthread_rwlock_write", "pthread_rwlock_read"):
            self.shape(pairs[name], {"ns": float, "ns_p90": float, "ratio_cas_store": float})
            self.assertGreater(pairs[name]["ns"], 0)
        has_ck = self.report["machine"]["libck"] != "not installed"
        for rows in (s["uncontended"], s["contended"], s["wait"]):
            ck = [r for r in rows if r["name"].startswith("ck_")]
            self.assertTrue(ck)
            for r in ck:
                self.assertEqual(r["note"] is None, has_ck)
        waits = {r["name"]: r for r in s["wait"]}
        self.assertEqual(waits["sharex_hp"]["misused"], 0)
        for r in waits.values():
            if r.get("waits"):
                self.assertLessEqual(r["p50_us"], r["p999_us"])
                self.assertLessEqual(r["p999_us"], r["max_us"])

    def test_module(self):
        s = self.report["sections"]["module"]
        leaves = {(r["leaf"], r["flavour"]): r for r in s["leaves"]}
        for leaf in ("TDH.MEM.PAGE.AUG", "TDG.MEM.PAGE.ACCEPT", "TDH.VP.ENTER"):
            for flavour in ("published", "hardened"):
                r = leaves[leaf, flavour]
                self.shape(r, {"ns": float, "locks_ns": float, "ratio": float, "calls_per_second": float})
                self.assertAlmostEqual(r["ratio"], r["ns"] / r["locks_ns"])
        # No leaf is measured cold, and work that has a name is timed.
        for r in s["leaves"]:
            self.assertGreater(r["in_a_row"], 1, r)
            self.assertEqual(r["ratio_work"] is not None, bool(r["work"]), r)
            if r["work"]:
                self.assertAlmostEqual(r["ratio_work"], r["ns"] / r["locks_and_work_ns"])
        for leaf in ("TDH.VP.FLUSH", "TDH.VP.INIT", "TDH.MNG.INIT", "TDH.PHYMEM.CACHE.WB", "TDH.MEM.PAGE.DEMOTE"):
            for flavour in ("published", "hardened"):
                self.assertIsNotNone(leaves[leaf, flavour]["ratio_work"])
        self.assertEqual({(r["what"], r["flavour"], r["cores"]) for r in s["pages"]},
                         {(w, f, c) for f in ("published", "hardened")
                          for w, c in (("module", 1), ("module", 2), ("host", 1))})
        self.assertGreater(s["hostile"][0]["calls"], 0)

    def test_growth(self):
        sizes = self.report["sections"]["growth"]["sizes"]
        self.assertEqual([r["megabytes"] for r in sizes], [1, 16, 256])
        for r in sizes:
            self.assertEqual(r["pages"], r["megabytes"] * 256)
        # Tables and reverse maps are 32 bytes a page, once there are enough of them.
        self.assertLess(sizes[-1]["bytes_per_page"], 64)
        self.assertGreater(sizes[-1]["bytes_per_page"], 16)

    def test_text_is_of_the_same_run(self):
        path = os.path.join(self.tmp.name, "report.json")
        self.addCleanup(os.remove, path)
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.result.stdout)
        r = run("--from", path)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        for r_ in self.explored["worlds"]:
            self.assertIn(f"| {r_['model']} ", r.stdout)
        self.assertIn("These are no figures", r.stdout)
        self.assertIn(self.report["machine"]["cpu"], r.stdout)
        for title in ("## Exploration", "## Lock words", "## Module", "## Growth"):
            self.assertIn(title, r.stdout)
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"schema": 0}')
        r = run("--from", path)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("expected a report of seamlab bench", r.stderr)

    def test_not_installed(self):
        """Without tools their rows say so, and the others are there."""
        with tempfile.TemporaryDirectory() as folder:
            r = run("--quick", "--format=json", "exploration", PATH=folder)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        report = json.loads(r.stdout)
        self.assertEqual((report["machine"]["spin"], report["machine"]["rumur"]),
                         ("not installed", "not installed"))
        rows = report["sections"]["exploration"]["exhaust"]
        for row in rows:
            there = row["tool"] == "seamlab"
            self.assertEqual(row["note"], None if there else "not installed")
            self.assertEqual(row["states"] is None, not there)
        self.assertEqual(list(report["sections"]), ["exploration"])

    def test_interrupted(self):
        """Ctrl-C: no report, and nothing is left behind."""
        with tempfile.TemporaryDirectory() as folder:
            p = subprocess.Popen([PROGRAM, "bench", "exploration"], cwd=ROOT, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
                                 env=dict(os.environ, TMPDIR=folder))
            while not os.listdir(folder) and p.poll() is None:
                time.sleep(0.05)
            os.killpg(p.pid, signal.SIGINT)
            out, _ = p.communicate(timeout=60)
            self.assertEqual((p.returncode, out, os.listdir(folder)), (3, b"", []))

    def test_errors(self):
        r = run("nonsense")
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("found 'nonsense'; expected one of " + ", ".join(SECTIONS), r.stderr)
        self.assertEqual(run("--rounds", "0").returncode, 2)
        self.assertEqual(run("--from", "/nonexistent").returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0]] + sys.argv[1:])
