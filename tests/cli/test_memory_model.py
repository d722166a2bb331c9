#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--memory-model: what holds where memory is sequentially consistent and not where stores wait in buffers; what
shows of it in reports and traces; the same for a user's program."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ["SEAMLAB"]
SEAMLAB_CC = os.environ["SEAMLAB_CC"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = "scenarios/memory-model/block-then-epoch.yaml"
# file: kind of what store buffers let happen
DIFFER = {BLOCK: "oracle", "scenarios/zoo/p6-acquire-release.yaml": "deadlock"}
HOLD = ("scenarios/memory-model/block-then-epoch-hardened.yaml",
        "scenarios/memory-model/block-then-epoch-1.5.25.yaml", "scenarios/zoo/p6-seq-cst.yaml")


def run(*args):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, timeout=200, check=False, cwd=ROOT)


def check(path, *options):
    r = run(PROGRAM, "check", "--format", "json", *options, path)
    return r, json.loads(r.stdout)


class Scenarios(unittest.TestCase):
    def test_hold_and_do_not(self):
        for path, kind in DIFFER.items():
            with self.subTest(path):
                r, o = check(path)
                self.assertEqual((r.returncode, o["kind"], o["memory_model"], o["store_buffer"]),
                                 (0, kind, "tso", 8))
                self.assertTrue(any(s["what"].startswith("buffered store ") for s in o["steps"]))
                self.assertTrue(any(s["what"].startswith("flush ") for s in o["steps"]))
                r, o = check(path, "--memory-model", "sc")
                self.assertEqual((r.returncode, o["verdict"], o["memory_model"], o["store_buffer"]),
                                 (1, "holds", "sc", None))
                self.assertEqual(o["limit"], "none")

    def test_fixes_hold(self):
        for path in HOLD:
            with self.subTest(path):
                r, o = check(path)
                self.assertEqual((r.returncode, o["verdict"], o["memory_model"]), (0, "holds", "tso"))
                sc = check(path, "--memory-model", "sc")[1]
                self.assertEqual(sc["verdict"], "holds")
                # Where each store that others see is a locked instruction there is nothing that can wait.
                self.assertGreaterEqual(o["states"], sc["states"])

    def test_doubts(self):
        """Another hash and exact states give the same counts, and checkpoints promise nothing that is not so."""
        for path in HOLD:
            with self.subTest(path):
                plain = check(path)[1]
                for options in (["--hash-seed", "7"], ["--exact"]):
                    o = check(path, *options)[1]
                    self.assertEqual((o["verdict"], o["states"], o["transitions"]),
                                     ("holds", plain["states"], plain["transitions"]), options)
                self.assertEqual(check(path, "--audit")[1]["verdict"], "holds")
        self.assertEqual(check(BLOCK, "--preemptions", "1")[1]["kind"], "oracle")
        self.assertEqual(check(BLOCK, "--random", "3000", "--seed", "1")[1]["kind"], "oracle")

    def test_locks_hold(self):
        """The lock words, one half of them with store buffers of one store."""
        for name, more in (("sharex-hp", []), ("sharex", ["--store-buffer", "1"]), ("sept-entry", [])):
            path = f"scenarios/locks/{name}.yaml"
            if not os.path.exists(os.path.join(ROOT, path)):
                continue
            with self.subTest(path):
                o = check(path, "--memory-model", "tso", *more)[1]
                self.assertEqual(o["as_expected"], True, o["detail"])

    def test_a_buffer_that_is_too_small(self):
        path = "scenarios/zoo/p6-seq-cst.yaml"
        r, o = check(path, "--store-buffer", "1")
        self.assertEqual((r.returncode, o["verdict"], o["limit"]), (3, "inconclusive", "store-buffer"))
        self.assertFalse(o["complete"])
        text = run(PROGRAM, "check", "--store-buffer", "1", path).stdout
        self.assertIn("inconclusive (no violation with store buffers of 1 stores, which were full)", text)
        self.assertIn("again: seamlab check --store-buffer 1 scenarios/", text)

    def test_usage(self):
        for args, text in ((["--memory-model", "weak"], "--memory-model: found 'weak'; expected sc or tso"),
                           (["--store-buffer", "0"], "--store-buffer: found '0'; expected 1 to 64"),
                           (["--store-buffer", "65"], "--store-buffer: found '65'")):
            r = run(PROGRAM, "check", *args, BLOCK)
            self.assertEqual(r.returncode, 2, args)
            self.assertIn(text, r.stderr)
        r = run(PROGRAM, "check", "--store-buffer", "3", "scenarios/locks/sharex.yaml")
        self.assertEqual(r.returncode, 2)
        self.assertIn("expected memory model tso with it", r.stderr)

    def test_trace(self):
        with tempfile.TemporaryDirectory() as d:
            for path, kind in DIFFER.items():
                trace = os.path.join(d, "t.trace")
                self.assertEqual(run(PROGRAM, "check", "--trace", trace, path).returncode, 0)
                r = run(PROGRAM, "replay", "--format", "json", trace)
                o = json.loads(r.stdout)
                self.assertEqual((r.returncode, o["outcome"], o["kind"], o["memory_model"]),
                                 (0, "reproduced", kind, "tso"))
                text = run(PROGRAM, "replay", trace).stdout
                self.assertIn("memory model tso: store buffers of 8 stores", text)
                self.assertRegex(text, r"\bflush 0x")
            # What the command line says is in the trace, whatever the file says.
            sc = os.path.join(d, "sc.yaml")
            with open(os.path.join(ROOT, BLOCK), encoding="utf-8") as f:
                text = f.read().replace("memory-model: tso\n", "")
            with open(sc, "w", encoding="utf-8") as f:
                f.write(text)
            self.assertEqual(check(sc)[1]["verdict"], "holds")
            r = run(PROGRAM, "check", "--memory-model", "tso", "--store-buffer", "2", "--trace", trace, sc)
            self.assertEqual(r.returncode, 0, r.stdout)
            r = run(PROGRAM, "replay", trace)
            self.assertEqual(r.returncode, 0, r.stdout)
            self.assertIn("store buffers of 2 stores", r.stdout)
            for form in ("html", "svg", "text"):
                out = run(PROGRAM, "report", "--format", form, trace).stdout
                self.assertIn("flush", out, form)
                self.assertIn("buffered store", out, form)
            out = run(PROGRAM, "report", "--bug", trace).stdout
            self.assertIn("memory model tso", out)
            self.assertIn("--memory-model tso --store-buffer 2", out)


class UserCode(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def build(self, *args):
        program = os.path.join(self.dir.name, "program")
        r = run(SEAMLAB_CC, "-O1", *args, "-o", program)
        self.assertEqual(r.returncode, 0, r.stderr)
        return program

    def verdict(self, program, *options):
        o = json.loads(run(program, "--format", "json", *options).stdout)
        return o["verdict"], o["kind"]

    def test_peterson(self):
        weak = self.build("examples/peterson.c")
        self.assertEqual(self.verdict(weak), ("holds", None))
        self.assertEqual(self.verdict(weak, "--memory-model", "tso"), ("violated", "oracle"))
        self.assertEqual(self.verdict(weak, "--memory-model", "tso", "--store-buffer", "2"),
                         ("violated", "oracle"))
        text = run(weak, "--memory-model", "tso").stdout
        self.assertRegex(text, r"wants(\+1)? +buffered store 0 -> 1")
        self.assertRegex(text, r"wants(\+1)? +flush 0 -> 1")
        strong = self.build("-DFENCE", "examples/peterson.c")
        for options in ([], ["--all-finish"], ["--no-reduction"], ["--hash-seed", "3"], ["--audit"]):
            self.assertEqual(self.verdict(strong, "--memory-model", "tso", *options), ("holds", None), options)

    def test_stores_arrive(self):
        program = self.build("tests/user/handover.c")
        for options in ([], ["--all-finish"]):
            self.assertEqual(self.verdict(program, *options), ("holds", None))
            self.assertEqual(self.verdict(program, "--memory-model", "tso", *options), ("holds", None))

    def test_plain_stores_are_in_order(self):
        program = self.build("tests/user/plain_late.c")
        self.assertEqual(self.verdict(program, "--memory-model", "tso"), ("holds", None))

    def test_programs_as_ever(self):
        """What is wrong where memory is consistent is wrong with store buffers, too."""
        for name, want in (("race", ("violated", "race")), ("deadlock", ("violated", "deadlock")),
                           ("unordered", ("violated", "race")), ("ordered", ("holds", None))):
            program = self.build(f"tests/user/{name}.c")
            self.assertEqual(self.verdict(program, "--memory-model", "tso"), want, name)

    def test_usage(self):
        program = self.build("tests/user/ordered.c")
        r = run(program, "--store-buffer", "4")
        self.assertEqual(r.returncode, 2)
        self.assertIn("found --store-buffer without --memory-model tso; expected both", r.stderr)
        self.assertEqual(run(program, "--memory-model", "arm").returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
