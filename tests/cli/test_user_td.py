#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs of seamlab-cc that make SEAMCALLs and have guests: verdicts, traces, agreement of the ways
to doubt them, and the same sources on threads."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SEAMLAB_BUILD"]
SEAMLAB_CC = os.path.join(BUILD, "seamlab-cc")
WAYS = [(cc, level) for cc, level in (("gcc", "-O2"), ("clang", "-O0")) if shutil.which(cc)]
CC = WAYS[0][0]
KERNEL = "examples/kernel_td"
ZAP = ["examples/kernel_zap.c"]
WRAPPERS = ["tests/user/td_wrappers.c", f"{KERNEL}/tdx_host.c", f"{KERNEL}/tdx_guest.c"]
MIGRATE = ["tests/user/td_migrate.c"]
TWO = ["tests/user/td_two_vcpus.c"]
FINDINGS = ["tests/user/td_findings.c"]
MEMORY = ["tests/user/td_memory.c"]

# files, definitions, options, verdict, kind, text of the finding, rows of the trace (object, what), and
# does a search end in which every access is a scheduling point?
PROGRAMS = [
    (ZAP, [], [], "holds", None, "", [], False),
    (ZAP, [], ["--all-finish"], "holds", None, "", [], False),
    (ZAP, ["ZAP_RETRIES=1"], [], "violated", "assert", "!status",
     [{("TDH.MEM.RANGE.BLOCK", "TDX_OPERAND_BUSY(RCX)"), ("TDH.MEM.TRACK", "TDX_OPERAND_BUSY(TD_EPOCH)")}], False),
    (ZAP, ["ZAP_RETRIES=3"], [], "violated", "assert", "!status",
     3 * [("TDH.MEM.TRACK", "TDX_OPERAND_BUSY(TD_EPOCH)")], False),
    (ZAP, ["ACCEPT_ONCE"], [], "violated", "assert", "!status",
     [("TDG.MEM.PAGE.ACCEPT", "TDX_OPERAND_BUSY(RCX)")], True),
    (WRAPPERS, [], [], "holds", None, "", [], True),
    (WRAPPERS, ["PREFAULT", "RETRIES_MAX=2"], [], "violated", "assert", "", [], False),
    (MIGRATE, [], [], "holds", None, "", [], True),
    (MIGRATE, [], ["--all-finish"], "holds", None, "", [], True),
    (MIGRATE, ["STAYS_IN_TDCALL"], [], "violated", "assert", "on_lp[0] == on_lp[1]",
     [("TDH.VP.ENTER", "TD exit 48")], True),
    (MIGRATE, ["STAYS_IN_ACCESS"], [], "violated", "assert", "on_lp[1] == on_lp[2]",
     [("TDH.VP.ENTER", "TD exit 48")], True),
    (MEMORY, [], [], "holds", None, "", [], True),
    *((MEMORY, [f"{who}={v}"], [], "violated", "assert", f"!= {who}", [], True)
      for who in ("ITS", "MINE") for v in range(4)),
    (TWO, [], [], "holds", None, "", [], True),
    (TWO, ["BUSY_IS_FATAL"], [], "violated", "assert", "TDX_PAGE_ALREADY_ACCEPTED",
     [("TDG.MEM.PAGE.ACCEPT", "TDX_OPERAND_BUSY(RCX)")], True),
    (FINDINGS, [], [], "holds", None, "", [], True),
    (FINDINGS, [], ["--all-finish"], "holds", None, "", [], True),
    (FINDINGS, ["RACE"], [], "violated", "race", "data race", [], True),
    (FINDINGS, ["FOR_EVER"], [], "holds", None, "", [], True),
    (FINDINGS, ["FOR_EVER"], ["--all-finish"], "violated", "livelock", "certain", [], True),
    (FINDINGS, ["DEADLOCK"], [], "violated", "deadlock", "told", [("told", "store 0 -> 1")], True),
    (FINDINGS, ["CRASH"], [], "violated", "crash", "SEGV in run_guest", [], True),
    (FINDINGS, ["STACK"], [], "violated", "crash", "SEGV, out of stack,", [], True),
    (FINDINGS, ["HALT"], [], "violated", "module-halt", "PAMT",
     [("S-EPT entry 0x40000000 level 0", None)], False),
]


def run(args, env=None, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=200, check=False,
                          env={**os.environ, **(env or {})}, **kw)


class UserTd(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def build(self, cc, level, files, defines):
        program = os.path.join(self.dir.name, "program")
        r = run([SEAMLAB_CC, level, "-Wall", "-Wextra", "-I", os.path.join(ROOT, KERNEL),
                 *(f"-D{d}" for d in defines), *(os.path.join(ROOT, f) for f in files), "-o",
                 program], {"CC": cc})
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))
        return program

    def explore(self, program, *options):
        r = run([program, "--format", "json", "--time", "60", "--memory", "1000", *options])
        self.assertEqual(r.stderr, "")
        o = json.loads(r.stdout)
        self.assertEqual(r.returncode, {"holds": 0, "violated": 1, "inconclusive": 3}[o["verdict"]])
        for changing in ("seconds", "peak_memory_bytes"):
            del o[changing]
        return o

    def check(self, cc, level, row):
        files, defines, options, verdict, kind, text, rows, small = row
        program = self.build(cc, level, files, defines)
        o = self.explore(program, *options)
        self.assertEqual((o["verdict"], o["kind"]), (verdict, kind), o)
        self.assertIn(text, f"{o['id']} {o['detail']}")
        seen = [(s["object"], s["what"]) for s in o["steps"]]
        for row in rows:
            # Several: of two that are as short the compiler's code decides.
            either = row if isinstance(row, set) else {row}
            at = [i for i, s in enumerate(seen) if either & {s, (s[0], None)}]
            self.assertTrue(at, (row, seen))
            seen = seen[at[0] + 1:]
        self.assertEqual(sorted({s["step"] for s in o["steps"]}),
                         list(range(1, max([s["step"] for s in o["steps"]], default=0) + 1)))
        # Once more, the same; under another hash, too.
        self.assertEqual(self.explore(program, *options), o)
        self.assertEqual(self.explore(program, "--hash-seed", "12345", *options), o)
        if small:
            every = self.explore(program, "--no-reduction", *options)
            self.assertEqual((every["verdict"], every["kind"]), (verdict, kind))
        if verdict == "holds" and not options:
            audited = self.explore(program, "--audit")
            self.assertEqual(audited["verdict"], "holds")
            # What is said to commute has a turn of its own there.
            self.assertGreaterEqual(audited["states"], o["states"])
            # Nothing has promised anything: the module's own checkpoints are not for a user's lanes.
            self.assertEqual(self.explore(program, "--no-checkpoints"), o)

    def test_text(self):
        program = self.build(CC, "-O1", ZAP, ["ZAP_RETRIES=3"])
        r = run([program])
        self.assertEqual((r.returncode, r.stderr), (1, ""))
        self.assertRegex(r.stdout, r"\nshortest counterexample: \d+ steps, 1 preemption\n")
        self.assertRegex(r.stdout, r"\n +TDH.MEM.TRACK +TDX_OPERAND_BUSY\(TD_EPOCH\)\n")
        self.assertRegex(r.stdout, r"\n +\d+ host +epoch lock +failed cas 2 +tdh_mem_track\n")
        self.assertRegex(r.stdout, r"\n +\d+ vcpu +LP 1 bound +xchg 0 -> 1 +sl_lp_bind\n")
        self.assertNotIn("shared+0x", r.stdout)

    def test_samples(self):
        """Random runs, and schedules with few preemptions, find it as well."""
        program = self.build(CC, "-O1", ZAP, ["ZAP_RETRIES=1"])
        for options in (["--random", "500", "--seed", "3"], ["--preemptions", "1"]):
            o = self.explore(program, *options)
            self.assertEqual((o["verdict"], o["kind"]), ("violated", "assert"), o)
            self.assertEqual(self.explore(program, *options), o)
        o = self.explore(program, "--preemptions", "0")
        self.assertEqual((o["verdict"], o["limit"]), ("inconclusive", "preemptions"))
        o = self.explore(self.build(CC, "-O1", MIGRATE, []), "--random", "300")
        self.assertEqual((o["verdict"], o["limit"]), ("inconclusive", "random"))

    def test_refused(self):
        for define, text in [("LATE", "sl_guest_create() is for SL_SETUP"),
                             ("ASSERT_IN_SETUP", "SL_SETUP: ")]:
            r = run([self.build(CC, "-O1", FINDINGS, [define])])
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn(text, r.stderr)

    def test_limits(self):
        """Set-up is told of what there is no room for."""
        path = os.path.join(self.dir.name, "large.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write("#include <errno.h>\n#include <seamlab/explore.h>\n#include <seamlab/seamcall.h>\n"
                    "static void fn(void *arg)\n{\n\t(void)arg;\n}\n"
                    "SL_SETUP(s)\n{\n\tstruct sl_machine_config c;\n"
                    "\tsl_machine_config_init(&c);\n\tc.private_pages = 1000;\n"
                    "\tsl_assert(!sl_machine_create(&c) && errno == ENOMEM);\n"
                    "\tc.private_pages = 800;\n\tc.lps = 65;\n"
                    "\tsl_assert(!sl_machine_create(&c) && errno == EINVAL);\n\tc.lps = 2;\n"
                    "\tsl_assert(sl_machine_create(&c));\n"
                    "\tsl_assert(!sl_machine_create(&c) && errno == ENOMEM);\n"
                    "\tfor (int i = 0; i < 16; i++)\n\t\tsl_assert(sl_guest_create(fn, 0, 0));\n"
                    "\tsl_assert(!sl_guest_create(fn, 0, 0) && errno == ENOMEM);\n}\n"
                    "static _Atomic int w;\nSL_THREAD(t)\n{\n\tw++;\n}\n")
        program = os.path.join(self.dir.name, "program")
        r = run([SEAMLAB_CC, path, "-o", program], {"CC": CC})
        # errno is where the C library has it, one for each thread.
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(self.explore(program)["verdict"], "holds")

    def test_threads(self):
        """The same files with SL_MAIN, once and in whatever order comes."""
        env = {"PKG_CONFIG_PATH": BUILD}
        flags = run(["pkg-config", "--cflags", "--libs", "seamlab"], env).stdout.split()
        flags.append("-Wl,-rpath," + run(["pkg-config", "--variable=libdir", "seamlab"],
                                         env).stdout.strip())
        for files in (ZAP, WRAPPERS, MIGRATE, TWO, MEMORY, FINDINGS):
            program = os.path.join(self.dir.name, os.path.basename(files[0])[:-2])
            r = run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-pthread", "-I",
                     os.path.join(ROOT, KERNEL), *(os.path.join(ROOT, f) for f in files), "-o",
                     program, *flags])
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            for _ in range(5):
                r = run([program])
                self.assertEqual((r.returncode, r.stderr), (0, ""), files)
                self.assertRegex(r.stdout, r"\A\w+: \d threads? ended, and nothing was violated\n\Z")


def case(cc, level, row):
    def test(self):
        self.check(cc, level, row)
    return test


for compiler, opt in WAYS:
    for case_row in PROGRAMS:
        # What states are made of does not depend on the compiler: once is enough.
        if case_row[0] is MEMORY and case_row[1] and compiler != CC:
            continue
        stem = "_".join([os.path.basename(case_row[0][0])[:-2], *case_row[1], *case_row[2], compiler])
        setattr(UserTd, "test_" + re.sub(r"\W+", "_", stem), case(compiler, opt, case_row))

if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
