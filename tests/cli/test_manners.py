#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What people expect of a program: help, near matches of what was mistyped, nothing but the report in a pipe, and on a
terminal its width and colours."""
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIOLATED = "scenarios/locks/f1-backoff-corrupts.yaml"
HOLDS = "scenarios/locks/sharex.yaml"
# Four lanes: the narrowest columns.
FOUR = "scenarios/locks/f15-refused-for-good.yaml"
LIMITED = ("--depth", "3", HOLDS)


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if k not in ("NO_COLOR", "COLUMNS", "SEAMLAB_DATADIR", "TERM")}
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def run(*args, **kw):
    kw.setdefault("cwd", ROOT)
    kw.setdefault("env", environment())
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=120, check=False, **kw)


def on_terminal(*args, columns=80, **env):
    """Standard output and error on terminals of their own: what each shows, and the exit code."""
    ends = [pty.openpty(), pty.openpty()]
    for _, slave in ends:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env.setdefault("TERM", "xterm")
    p = subprocess.Popen([PROGRAM, *args], stdout=ends[0][1], stderr=ends[1][1], cwd=ROOT,
                         stdin=subprocess.DEVNULL, env=environment(**env))
    shown = []
    for _, slave in ends:
        os.close(slave)
    for master, _ in ends:
        data = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        os.close(master)
        shown.append(data.decode().replace("\r\n", "\n"))
    return shown[0], shown[1], p.wait(timeout=60)


def plain(text):
    return re.sub(r"\033\[[0-9;]*[mK]", "", text)


class Help(unittest.TestCase):
    def test_without_arguments(self):
        r = run()
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertEqual(r.stderr, run("help").stdout)

    def test_fits_a_terminal(self):
        commands = re.findall(r"^  ([a-z][a-z-]*) ", run("help").stdout, re.M)
        for text in [run("help").stdout] + [run("help", c).stdout for c in commands]:
            self.assertLessEqual(max(map(len, text.split("\n"))), 80, text)

    def test_help_of_a_command(self):
        for command in re.findall(r"^  ([a-z][a-z-]*) ", run("help").stdout, re.M):
            a, b = run("help", command), run(command, "--help")
            self.assertEqual((a.returncode, a.stdout, a.stderr), (0, b.stdout, ""))
            self.assertTrue(a.stdout.startswith(f"Usage: seamlab {command} "))

    def test_version(self):
        for flag in ("--version", "-V"):
            self.assertRegex(run(flag).stdout, r"\Aseamlab \d+\.\d+\.\d+\n\Z")

    def test_what_it_recommends_works(self):
        tried = re.search(r"Try: seamlab (run \S+)", run("help").stdout).group(1)
        self.assertEqual(run(*tried.split(), "--seconds", "0").returncode, 0)


class Mistyped(unittest.TestCase):
    def refused(self, *args, **kw):
        r = run(*args, **kw)
        self.assertEqual((r.returncode, r.stdout), (2, ""), args)
        return r.stderr

    def test_command(self):
        for typed, meant in (("chekc", "check"), ("replya", "replay"), ("rn", "run"), ("polices", "policies")):
            self.assertIn(f"no command '{typed}'; did you mean '{meant}'?\n", self.refused(typed))
            self.assertIn(f"did you mean '{meant}'?\n", self.refused("help", typed))
        text = self.refused("frobnicate")
        self.assertNotIn("did you mean", text)
        self.assertIn("'seamlab help'", text)
        self.assertLess(text.count("\n"), 4)

    def test_file_for_a_command(self):
        self.assertIn(f"'seamlab check {HOLDS}'", self.refused(HOLDS))
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "x.trace")
            shutil.copy(os.path.join(ROOT, HOLDS), path)
            self.assertIn(f"'seamlab replay {path}'", self.refused(path))

    def test_file(self):
        for command, typed, meant in (
                ("run", "scenarios/boot-acept.yaml", "scenarios/boot-accept.yaml"),
                ("check", "scenarios/locks/shraex.yaml", HOLDS),
                ("answers", "--file=scenarios/answers/answer.yml", "scenarios/answers/answers.yml")):
            text = self.refused(command, typed)
            self.assertIn("No such file", text)
            self.assertIn(f"did you mean '{meant}'?", text)
        self.assertIn("did you mean 'mutex.yaml'?",
                      self.refused("check", "mutx.yaml", cwd=os.path.join(ROOT, "scenarios", "locks")))
        for args in (("check", "/nonexistent/folder/x.yaml"), ("run", "nothing-like-it.yaml"), ("replay", "/x/y")):
            text = self.refused(*args)
            self.assertIn("No such file", text)
            self.assertNotIn("did you mean", text)

    def test_option(self):
        self.assertIn("unrecognized option '--exakt'", self.refused("check", "--exakt", HOLDS))


class Data(unittest.TestCase):
    """Files that come with the program."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.data = os.path.join(self.dir.name, "data")
        shutil.copytree(os.path.join(ROOT, "scenarios"), os.path.join(self.data, "scenarios"))

    def tearDown(self):
        self.dir.cleanup()

    def test_from_anywhere(self):
        r = run("answers", "--list", cwd=self.dir.name)
        self.assertEqual(r.returncode, 2)
        self.assertIn("scenarios/answers/answers.yml", r.stderr)
        env = environment(SEAMLAB_DATADIR=self.data)
        r = run("answers", "--list", cwd=self.dir.name, env=env)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertEqual(r.stdout, run("answers", "--list").stdout)
        r = run("answers", "M1", cwd=self.dir.name, env=env)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn(f"{self.data}/scenarios/answers/m1-", r.stdout)

    def test_the_folder_that_is_named_is_the_one(self):
        env = environment(SEAMLAB_DATADIR=os.path.join(self.dir.name, "empty"))
        r = run("answers", "--list", env=env)
        self.assertEqual(r.returncode, 2)
        self.assertIn(f"{self.dir.name}/empty/scenarios/answers/answers.yml", r.stderr)

    def test_the_gallery_is_offered(self):
        r = run("check", HOLDS, cwd=self.dir.name, env=environment(SEAMLAB_DATADIR=self.data))
        self.assertEqual(r.returncode, 2)
        self.assertIn(f"did you mean '{self.data}/{HOLDS}'?", r.stderr)

    def test_beside_the_program(self):
        # As installed: PREFIX/bin and PREFIX/share.
        prefix = os.path.join(self.dir.name, "prefix")
        os.makedirs(os.path.join(prefix, "bin"))
        os.makedirs(os.path.join(prefix, "share"))
        os.rename(self.data, os.path.join(prefix, "share", "seamlab"))
        shutil.copy(PROGRAM, os.path.join(prefix, "bin", "seamlab"))
        r = subprocess.run([os.path.join(prefix, "bin", "seamlab"), "answers", "M1"], cwd=self.dir.name,
                           env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60, check=False)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn(f"{prefix}/share/seamlab/scenarios/answers/m1-", r.stdout)


class Pipe(unittest.TestCase):
    def test_nothing_for_terminals(self):
        with tempfile.TemporaryDirectory() as d:
            trace = os.path.join(d, "x.trace")
            for args in (("check", VIOLATED, "--trace", trace), ("check", HOLDS), ("replay", trace),
                         ("run", "scenarios/accept-storm.yaml", "--seconds", "0.2"), ("answers", "M1")):
                # As wide as ever, whatever a shell thinks of its terminal.
                r = run(*args, env=environment(TERM="xterm", COLUMNS="60"))
                self.assertEqual((r.returncode, r.stderr), (0, ""), args)
                self.assertNotIn("\r", r.stdout)
                self.assertNotIn("\033", r.stdout)
                wide = run(*args).stdout
                number = re.compile(r"\d+(\.\d+)?")
                if args[0] != "run":
                    self.assertEqual(number.sub("N", wide), number.sub("N", r.stdout))

    def test_reader_that_leaves(self):
        for args in (("matrix",), ("explain", "--tables"), ("check", VIOLATED)):
            reader, writer = os.pipe()
            os.close(reader)
            r = subprocess.run([PROGRAM, *args], stdout=writer, stderr=subprocess.PIPE, cwd=ROOT,
                               timeout=60, check=False)
            os.close(writer)
            self.assertEqual((r.returncode, r.stderr), (-signal.SIGPIPE, b""), args)


class Terminal(unittest.TestCase):
    def test_width(self):
        for file in (VIOLATED, FOUR, "scenarios/contention/zero-step-pending.yaml"):
            for columns in (80, 120):
                out, _, code = on_terminal("check", file, columns=columns)
                self.assertEqual(code, 0)
                rows = plain(out).split("\n")
                table = rows[next(i for i, r in enumerate(rows) if r.startswith(" step ")):]
                table = [r for r in table if not r.startswith("again:")]
                self.assertGreater(len(table), 5)
                widest = max(map(len, table))
                self.assertLessEqual(widest, columns, file)
        # The last one was long enough to see that 120 columns are used.
        self.assertGreater(widest, 80)

    def test_what_is_said_is_the_same(self):
        def words(text):
            body = plain(text).split("\n again", 1)[0]
            return re.sub(r"\s+", "", re.sub(r"[\d.]+ (s|M transitions/s)\b", "", body))

        with tempfile.TemporaryDirectory() as d:
            trace = os.path.join(d, "x.trace")
            self.assertEqual(run("check", "scenarios/locks/mutex.yaml", VIOLATED, "--trace-dir", d).returncode, 0)
            os.rename(os.path.join(d, "f1-backoff-corrupts.trace"), trace)
            for one in (("replay", trace), ("replay", "--step", trace)):
                out, _, code = on_terminal(*one, columns=60)
                self.assertEqual(code, 0)
                # Cells share lines otherwise: compare what stands in one lane's column only.
                self.assertEqual(sorted(words(out)), sorted(words(run(*one).stdout)))
                self.assertLessEqual(max(len(r) for r in plain(out).split("\n") if re.match(r" *\d+ ", r)), 60)

    def test_columns_say_otherwise(self):
        out, _, _ = on_terminal("check", VIOLATED, columns=80, COLUMNS="60")
        self.assertLessEqual(max(len(r) for r in plain(out).split("\n") if re.match(r" *\d+ ", r)), 60)

    def test_colours(self):
        out, _, code = on_terminal("check", VIOLATED)
        self.assertEqual(code, 0)
        self.assertIn("\033[31mviolated(", out)
        out, _, _ = on_terminal("check", HOLDS)
        self.assertIn("\033[32mholds\033[0m, as expected", out)
        out, _, code = on_terminal("check", *LIMITED)
        self.assertEqual(code, 3)
        self.assertIn("\033[33minconclusive\033[0m", out)
        out, _, _ = on_terminal("run", "scenarios/accept-storm.yaml", "--seconds", "0.2")
        self.assertIn("\033[32mnothing was found in this run\033[0m", out)
        # All that is begun is ended.
        self.assertEqual(out.count("\033[3"), out.count("\033[0m"))

    def test_no_colours(self):
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}):
            out, _, _ = on_terminal("check", VIOLATED, HOLDS, **env)
            self.assertNotIn("\033", out, env)
        out, _, _ = on_terminal("check", HOLDS, NO_COLOR="")
        self.assertIn("\033[32m", out)
        out, _, _ = on_terminal("check", "--format", "json", HOLDS)
        self.assertNotIn("\033", out)

    def test_progress_fits(self):
        for columns in (80, 50):
            for args in (("check", "scenarios/contention/teardown.yaml"), ("answers", "M1"),
                         ("run", "scenarios/accept-storm.yaml", "--seconds", "0.5")):
                _, err, code = on_terminal(*args, columns=columns)
                self.assertEqual(code, 0)
                lines = plain(err).split("\r")
                self.assertGreater(len(lines), 1, args)
                self.assertLess(max(map(len, lines)), columns, args)
                self.assertTrue(err.endswith("\r\033[K"), args)
                self.assertNotIn("\n", err)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
