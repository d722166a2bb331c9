#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line as a user meets it: exit codes, messages, output formats, Ctrl-C, a terminal."""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS = os.path.join(ROOT, "scenarios")

# A guest that touches a page it has not accepted while #VE is off: the host must kill the TD.
PENDING_TOUCH = """title: Touch a pending page with #VE disabled
td: {vcpus: 1, sept-ve-disable: true, memory: {a: {state: pending}}}
run: {vcpu0: [read a]}
expect: %s
"""


def scenario_text(name):
    with open(os.path.join(SCENARIOS, name), encoding="utf-8") as f:
        return f.read()


def run(*args, **kw):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=120, **kw)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def write(self, text, name="s.yaml"):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


class Usage(Scratch):
    def test_no_arguments(self):
        r = run()
        self.assertEqual(r.returncode, 2)
        self.assertEqual(r.stdout, "")
        self.assertIn("usage: seamlab COMMAND", r.stderr)

    def test_help_and_version(self):
        for flag in ("--help", "-h", "help"):
            r = run(flag)
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            self.assertIn("run a scenario", r.stdout)
        r = run("--version")
        self.assertEqual(r.returncode, 0)
        self.assertRegex(r.stdout, r"^seamlab \d+\.\d+\.\d+\n$")

    def test_unknown_command(self):
        r = run("rnu")
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("no command 'rnu'", r.stderr)

    def test_run_usage(self):
        for args, text in [
            ((), "no scenario"),
            (("--seconds", "x", "a.yaml"), "--seconds: found 'x'"),
            (("--seconds", "-1", "a.yaml"), "--seconds: found '-1'"),
            (("--seconds", "1e9", "a.yaml"), "--seconds: found '1e9'"),
            (("--seconds", "nan", "a.yaml"), "--seconds: found 'nan'"),
            (("--seed", "-3", "a.yaml"), "--seed: found '-3'"),
            (("--seed", "99999999999999999999", "a.yaml"), "--seed: found"),
            (("--format", "xml", "a.yaml"), "--format: found 'xml'; expected text or json"),
            (("a.yaml", "b.yaml"), "found a second file 'b.yaml'"),
            (("--bogus",), "unrecognized option"),
        ]:
            r = run("run", *args)
            self.assertEqual((r.returncode, r.stdout), (2, ""), args)
            self.assertIn(text, r.stderr)
        r = run("run", "--help")
        self.assertEqual(r.returncode, 0)
        self.assertIn("Exit status", r.stdout)

    def test_missing_file(self):
        r = run("run", "/nonexistent/x.yaml")
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("/nonexistent/x.yaml", r.stderr)
        self.assertIn("No such file", r.stderr)

    def test_directory_and_empty_file(self):
        r = run("run", self.dir.name)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn(self.dir.name, r.stderr)
        r = run("run", self.write(""))
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertRegex(r.stderr, r"s\.yaml:\d+:\d+: ")


class BadInput(Scratch):
    GOOD = "title: t\ntd: {vcpus: 1, memory: {a: {}}}\nrun: {vcpu0: [accept a]}\n"

    def refused(self, text, where, *parts):
        path = self.write(text)
        r = run("run", path)
        self.assertEqual((r.returncode, r.stdout), (2, ""), r.stderr)
        self.assertIn(f"{path}:{where}: ", r.stderr)
        self.assertIn("found", r.stderr)
        self.assertIn("expected", r.stderr)
        for p in parts:
            self.assertIn(p, r.stderr)

    def test_the_good_one_is_good(self):
        r = run("run", self.write(self.GOOD), "--seconds", "5")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_unknown_key(self):
        self.refused(self.GOOD + "colour: red\n", "4:1", "colour")

    def test_bad_type(self):
        self.refused(self.GOOD.replace("vcpus: 1", "vcpus: many"), "2:13", "many")

    def test_undefined_page(self):
        self.refused(self.GOOD.replace("accept a", "accept b"), "3:15", "b")

    def test_lane_without_a_td(self):
        self.refused(self.GOOD.replace("vcpu0", "td1.vcpu0"), "3:7", "td1.vcpu0")


class Findings(Scratch):
    def test_unexpected(self):
        r = run("run", self.write(PENDING_TOUCH % "holds"))
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("verdict: violated(td-killed), NOT as expected", r.stdout)
        self.assertIn("#VE disabled", r.stdout)
        again = re.search(r"^again: (seamlab run \S+ --seconds \S+ --seed \d+)$", r.stdout, re.M)
        self.assertTrue(again, "no line that reproduces it")
        r = run(*again.group(1).split()[1:])
        self.assertEqual(r.returncode, 1)

    def test_expected(self):
        r = run("run", self.write(PENDING_TOUCH % "violated(td-killed)"))
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertIn("as expected", r.stdout)

    def test_of_another_kind(self):
        r = run("run", self.write(PENDING_TOUCH % "violated(oracle)"))
        self.assertEqual(r.returncode, 1)

    def test_guest_that_gives_up(self):
        text = scenario_text("accept-storm.yaml")
        r = run("run", self.write(text.replace("on-busy: retry", "on-busy: fatal")),
                "--seconds", "20")
        self.assertEqual(r.returncode, 1, r.stdout)
        self.assertIn("the guest gave up on status 0x80000200000000", r.stdout)


class Json(Scratch):
    def test_object(self):
        r = run("run", "--format", "json", "--seconds", "0.5",
                os.path.join(SCENARIOS, "accept-storm.yaml"))
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        o = json.loads(r.stdout)
        for key in ("file", "title", "verdict", "kind", "expected", "as_expected", "release",
                    "flavour", "policy", "seconds", "peak_memory_bytes", "complete"):
            self.assertIn(key, o)
        self.assertEqual((o["verdict"], o["as_expected"], o["release"]), ("holds", True, "1.5.01"))
        self.assertEqual(o["seed"], "0x1")
        self.assertEqual(o["counters"]["second_attempts_failed"], 0)
        self.assertGreater(o["counters"]["pages_accepted"], 0)
        self.assertGreater(o["leaves"]["TDH.VP.ENTER"]["calls"], 0)
        zap = o["sites"]["zap-block"]
        self.assertGreater(zap["calls"], 0)
        self.assertLessEqual(zap["max_retries"], 1)
        for leaf in o["leaves"].values():
            self.assertEqual(leaf["busy"], sum(leaf["busy_by_operand"].values()))

    def test_findings(self):
        r = run("run", "--format", "json", self.write(PENDING_TOUCH % "holds"))
        self.assertEqual(r.returncode, 1)
        o = json.loads(r.stdout)
        self.assertEqual((o["verdict"], o["kind"], o["as_expected"]),
                         ("violated", "td-killed", False))
        self.assertEqual(o["findings"][0]["kind"], "td-killed")


class Signals(Scratch):
    def test_interrupt_gives_the_partial_report(self):
        p = subprocess.Popen([PROGRAM, "run", "--format", "json", "--seconds", "60",
                              os.path.join(SCENARIOS, "accept-storm.yaml")],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 3)
        o = json.loads(out)
        self.assertEqual((o["verdict"], o["complete"]), ("inconclusive", False))
        self.assertLess(o["seconds"], 50)


class Terminal(Scratch):
    def test_progress_only_on_a_terminal(self):
        args = [PROGRAM, "run", "--seconds", "1", os.path.join(SCENARIOS, "accept-storm.yaml")]
        master, slave = pty.openpty()
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=slave, text=True)
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        out, _ = p.communicate(timeout=60)
        os.close(master)
        self.assertEqual(p.returncode, 0)
        self.assertIn(b"accepted", shown)
        self.assertNotIn("\r", out)
        self.assertEqual(run(*args[1:]).stderr, "")

    def test_lines_fit_a_terminal(self):
        r = run("run", "--seconds", "0.5", os.path.join(SCENARIOS, "accept-storm.yaml"))
        self.assertLessEqual(max(len(line) for line in r.stdout.split("\n")), 100)

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            r = subprocess.run([PROGRAM, "run", "--seconds", "0",
                                os.path.join(SCENARIOS, "accept-storm.yaml")],
                               stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(r.returncode, 2)
        self.assertIn("cannot write the report", r.stderr)


class Gallery(Scratch):
    """Each shipped scenario, both flavours, gives its expected verdict and leaves nothing behind."""

    def check(self, name, flavour):
        text = scenario_text(name)
        self.assertIn("flavour: published", text)
        path = self.write(text.replace("flavour: published", f"flavour: {flavour}"), name)
        r = run("run", "--format", "json", "--seconds", "1.5", "--seed", "7", path)
        self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
        o = json.loads(r.stdout)
        self.assertEqual((o["verdict"], o["flavour"], o["findings"]), ("holds", flavour, []))
        self.assertEqual(o["counters"]["second_attempts_failed"], 0)
        self.assertEqual(o["counters"]["pages_mapped"], o["counters"]["pages_zapped"])


def gallery_case(name, flavour):
    def case(self):
        self.check(name, flavour)
    return case


for scenario in sorted(n for n in os.listdir(SCENARIOS) if n.endswith(".yaml")):
    for flav in ("published", "hardened"):
        setattr(Gallery, f"test_{scenario.removesuffix('.yaml').replace('-', '_')}_{flav}",
                gallery_case(scenario, flav))


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
