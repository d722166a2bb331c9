#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counterexamples as files: what check writes, replay plays; what is no trace is refused by name."""
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Two guests that give up on BUSY meet on one page.
KILLED = """title: Two vCPUs accept one page and give up on BUSY
td: {vcpus: 2, memory: {a: {state: pending}}}
guest: {on-busy: fatal}
run: {vcpu0: [accept a], vcpu1: [accept a]}
expect: violated(td-killed)
"""
# One vCPU holds the entry whenever the other one tries.
STARVED = """title: One vCPU keeps the other from accepting
td: {vcpus: 2, memory: {a: {state: pending}}}
run: {vcpu0: [accept a], vcpu1: [{loop forever: [accept a]}]}
claims: [all-finish]
expect: violated(livelock)
"""
WIDE = """title: Four lanes
td: {vcpus: 2, memory: {a: {state: pending}, b: {state: pending}}}
guest: {on-busy: fatal}
run: {vcpu0: [accept a], vcpu1: [accept a], host0: [zap a], host1: [zap b]}
expect: violated(td-killed)
"""
MANY = """title: Five lanes
td: {vcpus: 5, memory: {a: {state: pending}}}
guest: {on-busy: fatal}
run: {vcpu0: [accept a], vcpu1: [accept a]}
expect: violated(td-killed)
"""
HOLDS = """title: Nothing is wrong
td: {vcpus: 1, memory: {a: {state: pending}}}
run: {vcpu0: [other-call]}
"""


def run(*args, program=PROGRAM, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=300, **kw)


def steps_of(text):
    """The table: from its head to the empty line behind it."""
    m = re.search(r"^ step .*?(?=^\s*$|\Z)", text, re.M | re.S)
    return m.group(0)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def write(self, data, name):
        if isinstance(data, str):
            data = data.encode()
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def trace(self, text=KILLED, *options):
        """Scenario file, trace file, what check said."""
        scenario = self.write(text, "s.yaml")
        out = self.path("s.trace")
        r = run("check", *options, "--trace", out, scenario)
        self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
        return scenario, out, r.stdout

    def refused(self, path, *parts):
        r = run("replay", path)
        self.assertEqual((r.returncode, r.stdout), (2, ""), r.stderr)
        self.assertIn(f"seamlab replay: {path}: ", r.stderr)
        for p in parts:
            self.assertIn(p, r.stderr)


class Check(Scratch):
    def test_no_file_unless_asked(self):
        before = os.listdir(self.dir.name)
        scenario = self.write(KILLED, "s.yaml")
        r = run("check", scenario, cwd=self.dir.name)
        self.assertEqual(r.returncode, 0)
        self.assertNotIn("again: seamlab replay", r.stdout)
        self.assertEqual(os.listdir(self.dir.name), before + ["s.yaml"])
        o = json.loads(run("check", "--format", "json", scenario).stdout)
        self.assertIsNone(o["trace"])

    def test_names_the_file(self):
        _, trace, text = self.trace()
        self.assertIn(f"\nagain: seamlab replay {trace}\n", text)
        _, trace, text = self.trace(KILLED, "--format", "json")
        self.assertEqual(json.loads(text)["trace"], trace)

    def test_nothing_violated_nothing_written(self):
        scenario = self.write(HOLDS, "s.yaml")
        r = run("check", "--format", "json", "--trace", self.path("t"), scenario)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIsNone(json.loads(r.stdout)["trace"])
        self.assertFalse(os.path.exists(self.path("t")))

    def test_folder(self):
        os.mkdir(self.path("other"))
        files = [self.write(KILLED, "a.yaml"), self.write(HOLDS, "b.yaml"),
                 self.write(STARVED, "other/a.yaml")]
        r = run("check", "--trace-dir", self.path("traces"), *files)
        self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
        self.assertEqual(sorted(os.listdir(self.path("traces"))), ["a-2.trace", "a.trace"])
        for line in re.findall(r"^again: seamlab (.*)$", r.stdout, re.M):
            self.assertEqual(run(*line.split()).returncode, 0)

    def test_usage(self):
        for args, text in [
            (("--trace", "t", "a.yaml", "b.yaml"), "--trace: found 2 scenarios"),
            (("--trace", "t", "--trace-dir", "d", "a.yaml"), "found --trace and --trace-dir"),
        ]:
            r = run("check", *args)
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn(text, r.stderr)

    def test_cannot_be_written(self):
        scenario = self.write(KILLED, "s.yaml")
        for path in ("/dev/full", "/nonexistent/t", self.dir.name):
            r = run("check", "--trace", path, scenario)
            self.assertEqual(r.returncode, 2)
            self.assertIn(path, r.stderr)
            # The result of the search is not lost.
            self.assertIn("violated(td-killed)", r.stdout)
            self.assertNotIn("again: seamlab replay", r.stdout)
        r = run("check", "--trace-dir", "/nonexistent/t", scenario)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("/nonexistent/t", r.stderr)

    def test_same_bytes(self):
        _, trace, _ = self.trace()
        first = self.read("s.trace")
        self.trace()
        self.assertEqual(self.read("s.trace"), first)


class Replay(Scratch):
    def reproduces(self, text, *options):
        _, trace, checked = self.trace(text, *options)
        r = run("replay", trace)
        self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
        self.assertEqual(steps_of(r.stdout), steps_of(checked))
        return r.stdout

    def test_same_violation_same_steps(self):
        for options in ((), ("--no-reduction",), ("--hash-seed", "77")):
            text = self.reproduces(KILLED, *options)
            self.assertRegex(text, r"s\.trace: violated\(td-killed\) again, all \d+ steps")
            self.assertIn("the guest gave up on status 0x8000020000000001", text)
            self.assertNotIn("another build", text)

    def test_in_any_process(self):
        _, trace, _ = self.trace(WIDE)
        first = run("replay", trace)
        for _ in range(8):
            r = run("replay", trace)
            self.assertEqual((r.returncode, r.stdout), (0, first.stdout))

    def test_livelock(self):
        text = self.reproduces(STARVED)
        self.assertIn("violated(livelock) again", text)
        self.assertIn("-- from here on, again and again --", text)

    def test_table(self):
        for text, head in ((KILLED, r"^ step vcpu0 +vcpu1$"),
                           (WIDE, r"^ step vcpu0 +vcpu1 +host0 +host1$"),
                           (MANY, r"^ step lane +object +what$")):
            out = self.reproduces(text)
            self.assertRegex(out, re.compile(head, re.M))
            self.assertLessEqual(max(len(line) for line in out.split("\n")), 100)
        # Everything that happened stands in the column of its lane.
        out = steps_of(self.reproduces(KILLED)).split("\n")
        column = out[0].index("vcpu1")
        busy = next(line for line in out if "TDX_OPERAND_BUSY(RCX)" in line)
        self.assertEqual(busy.index("TDG.MEM.PAGE.ACCEPT"), column)

    def test_json(self):
        _, trace, checked = self.trace(KILLED, "--format", "json")
        r = run("replay", "--format", "json", trace)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        o = json.loads(r.stdout)
        self.assertEqual((o["outcome"], o["kind"], o["same_build"], o["diverged"]),
                         ("reproduced", "td-killed", True, None))
        self.assertEqual(o["steps"], json.loads(checked)["steps"])
        self.assertEqual(o["steps_played"], o["steps_total"])
        self.assertEqual(o["file"], trace)

    def test_from_standard_input(self):
        _, trace, _ = self.trace()
        with open(trace, "rb") as f:
            self.assertEqual(run("replay", "/dev/stdin", stdin=f).returncode, 0)

    def test_belongs_to_the_scenario(self):
        scenario, trace, _ = self.trace()
        self.assertEqual(run("replay", "--scenario", scenario, trace).returncode, 0)
        # The trace has the scenario in it.
        os.unlink(scenario)
        self.assertEqual(run("replay", trace).returncode, 0)
        r = run("replay", "--scenario", scenario, trace)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("No such file", r.stderr)
        other = self.write(KILLED + "# more\n", "other.yaml")
        r = run("replay", "--scenario", other, trace)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn(f"{other}: found another text than the one that {trace} was made from",
                      r.stderr)

    def test_another_build(self):
        """A program that does the same under another build id."""
        _, trace, _ = self.trace()
        own = json.loads(run("replay", "--format", "json", trace).stdout)["program"]["build_id"]
        with open(PROGRAM, "rb") as f:
            data = f.read()
        self.assertEqual(data.count(bytes.fromhex(own)), 1)
        other = "0f" * 20
        program = self.write(data.replace(bytes.fromhex(own), bytes.fromhex(other)), "seamlab2")
        os.chmod(program, 0o755)
        r = run("replay", trace, program=program)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertIn("the trace is from another build", r.stdout)
        self.assertIn(own, r.stdout)
        self.assertIn(other, r.stdout)


class Gallery(Scratch):
    def test_every_violation_that_is_shipped(self):
        count = 0
        for folder, _, names in sorted(os.walk(os.path.join(ROOT, "scenarios"))):
            for name in sorted(names):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    text = f.read()
                if not re.search(r"^expect: violated", text, re.M):
                    continue
                with self.subTest(name):
                    count += 1
                    _, trace, checked = self.trace(text)
                    r = run("replay", trace)
                    self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
                    self.assertEqual(steps_of(r.stdout), steps_of(checked))
                    self.assertLessEqual(max(map(len, r.stdout.split("\n"))), 100)
        self.assertGreater(count, 0)


class BadTraces(Scratch):
    def test_one_byte(self):
        _, trace, _ = self.trace()
        good = self.read("s.trace")
        for at in (0, 7, 9, 13, 17, 25, 40, len(good) // 2, len(good) - 1):
            bad = bytearray(good)
            bad[at] ^= 0x55
            self.refused(self.write(bytes(bad), "bad"), "found", "expected")

    def test_cut_short(self):
        self.trace()
        good = self.read("s.trace")
        for size in (1, 7, 8, 20, 31, 32, 40, len(good) - 1):
            self.refused(self.write(good[:size], "bad"), "found", "expected")
        self.refused(self.write(good[:100], "bad"), "cut short or damaged")
        self.refused(self.write(good + b"x", "bad"), "more behind the end")

    def test_no_trace_at_all(self):
        self.refused(self.write("", "empty"), "found an empty file")
        self.refused(self.write(KILLED, "s.yaml"), "found a file of another kind",
                     "expected a trace that seamlab check wrote")
        self.refused(self.dir.name, "Is a directory")
        self.refused(self.path("nothing"), "No such file")

    def test_version(self):
        self.trace()
        bad = bytearray(self.read("s.trace"))
        bad[8] = 9
        self.refused(self.write(bytes(bad), "bad"), "found trace version 9; expected version 1")


class Steps(Scratch):
    def test_all_when_nobody_can_press_a_key(self):
        _, trace, checked = self.trace()
        r = run("replay", "--step", trace)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        total = int(re.search(r"(\d+) steps, ", checked).group(1))
        self.assertEqual(re.findall(r"^ +(\d+) ", r.stdout, re.M),
                         [str(i) for i in range(1, total + 1)])
        for line in steps_of(checked).split("\n"):
            self.assertIn(line, r.stdout)

    def on_terminal(self, keys):
        _, trace, _ = self.trace()
        master, slave = pty.openpty()
        p = subprocess.Popen([PROGRAM, "replay", "--step", trace], stdin=slave,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(slave)
        os.write(master, keys)
        out, err = p.communicate(timeout=60)
        os.close(master)
        return p.returncode, out, err

    def test_quit(self):
        code, out, err = self.on_terminal(b"\n\nq\n")
        self.assertEqual(code, 3)
        self.assertEqual(re.findall(r"^ +(\d+) ", out, re.M), ["1", "2", "3"])
        self.assertIn("stopped after step 3 of", out)
        self.assertIn("Enter", err)

    def test_to_the_end(self):
        code, out, _ = self.on_terminal(b"\n" * 50)
        self.assertEqual(code, 0)
        self.assertIn("violated(td-killed) again", out)


class Gdb(Scratch):
    def test_without_gdb(self):
        _, trace, _ = self.trace()
        env = dict(os.environ, PATH="/nonexistent")
        r = run("replay", "--gdb", "2", trace, env=env)
        self.assertEqual((r.returncode, r.stdout), (77, ""))
        self.assertIn("cannot run gdb", r.stderr)

    @unittest.skipUnless(shutil.which("gdb"), "no gdb here")
    def test_stops_in_front_of_the_step(self):
        _, trace, _ = self.trace()
        env = dict(os.environ, DEBUGINFOD_URLS="", ASAN_OPTIONS="detect_leaks=0")
        r = run("replay", "--gdb", "3", trace, env=env)
        if re.search(r"ptrace|not permitted|Couldn't|ASLR", r.stderr + r.stdout):
            self.skipTest("gdb cannot trace here")
        self.assertIn("Breakpoint 1, ", r.stdout)
        self.assertRegex(r.stdout, r"seamlab_replay_stop \((?:step=(?:step@entry=)?3)?\)")


class Usage(Scratch):
    def test_usage(self):
        for args, text in [
            ((), "no trace"),
            (("a", "b"), "found a second file 'b'"),
            (("--gdb", "0", "a"), "--gdb: found '0'"),
            (("--gdb", "x", "a"), "--gdb: found 'x'"),
            (("--format", "xml", "a"), "--format: found 'xml'; expected text or json"),
            (("--step", "--format", "json", "a"), "found --step with --format json"),
            (("--bogus",), "unrecognized option"),
        ]:
            r = run("replay", *args)
            self.assertEqual((r.returncode, r.stdout), (2, ""), args)
            self.assertIn(text, r.stderr)

    def test_help(self):
        r = run("replay", "--help")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("Exit status: 0 the same violation came out, 2 usage", r.stdout)
        self.assertIn("77", r.stdout)
        self.assertIn("replay", run("--help").stdout)

    def test_full_disk(self):
        _, trace, _ = self.trace()
        with open("/dev/full", "w", encoding="utf-8") as full:
            r = subprocess.run([PROGRAM, "replay", trace], stdout=full, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True, timeout=60)
        self.assertEqual(r.returncode, 2)
        self.assertIn("cannot write the report", r.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
