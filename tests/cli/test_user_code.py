#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that seamlab-cc makes, with each compiler at each level: verdicts, traces, exit codes."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEAMLAB_CC = os.environ["SEAMLAB_CC"]
COMPILERS = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
LEVELS = ("-O0", "-O1", "-O2", "-O3")

# file, options, verdict, kind, variables of the trace, text of the finding
PROGRAMS = [
    ("examples/ticket_lock.c", [], "holds", None, [], ""),
    ("examples/ticket_lock.c", ["--all-finish"], "holds", None, [], ""),
    ("examples/peterson_broken.c", [], "violated", "oracle", ["turn", "wants", "inside"],
     "mutual_exclusion"),
    ("tests/user/race.c", [], "violated", "race", ["counter"], "counter"),
    ("tests/user/unordered.c", [], "violated", "race", ["message", "ready"], "nothing orders"),
    ("tests/user/ordered.c", [], "holds", None, [], ""),
    ("tests/user/lost.c", [], "violated", "oracle", ["counter"], "both_counted"),
    ("tests/user/deadlock.c", [], "violated", "deadlock", ["fork_a", "fork_b"], "fork_a"),
    ("tests/user/livelock.c", [], "holds", None, [], ""),
    ("tests/user/livelock.c", ["--all-finish"], "violated", "livelock", ["wants"], "adversarial"),
    ("tests/user/spin.c", [], "holds", None, [], ""),
    ("tests/user/spin.c", ["--all-finish"], "holds", None, [], ""),
    ("tests/user/plain_wait.c", [], "violated", "race", ["ready"], "ready"),
    ("tests/user/plain_invariant.c", [], "violated", "oracle", ["a_inside", "b_inside"], "alone"),
    ("tests/user/crash.c", [], "violated", "crash", ["pointer"], "SEGV"),
    ("tests/user/choice.c", [], "violated", "assert", ["answer", "sl_choose"], "answer != 2"),
    ("tests/user/accesses.c", [], "holds", None, [], ""),
]


def run(args, env=None, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=200, check=False,
                          env={**os.environ, **(env or {})}, **kw)


class UserCode(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def write(self, text, name="u.c"):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def build(self, cc, *args, code=0):
        program = os.path.join(self.dir.name, "program")
        r = run([SEAMLAB_CC, *args, "-Wall", "-Wextra", "-o", program], {"CC": cc})
        self.assertEqual(r.returncode, code, r.stderr)
        if not code:
            self.assertEqual((r.stdout, r.stderr), ("", ""))
        return program if not code else r.stderr

    def explore(self, program, *options):
        r = run([program, "--format", "json", *options])
        self.assertEqual(r.stderr, "")
        return r.returncode, json.loads(r.stdout)

    def check(self, cc, level, source, options, verdict, kind, variables, text):
        program = self.build(cc, level, os.path.join(ROOT, source))
        code, o = self.explore(program, *options)
        self.assertEqual((o["verdict"], o["kind"]), (verdict, kind), o)
        self.assertEqual(code, 1 if verdict == "violated" else 0)
        seen = {s["object"].split("+")[0] for s in o["steps"]}
        for v in variables:
            self.assertIn(v, seen)
        if text:
            self.assertIn(text, o["id"] + o["detail"])
        if verdict == "violated":
            self.assertGreater(len(o["steps"]), 0)
        # A trace is as long as its last step says; every step has a line.
        self.assertEqual(sorted({s["step"] for s in o["steps"]}),
                         list(range(1, max([s["step"] for s in o["steps"]], default=0) + 1)))
        _, again = self.explore(program, "--hash-seed", "12345", *options)
        self.assertEqual((again["verdict"], again["kind"], again["states"], again["transitions"]),
                         (verdict, kind, o["states"], o["transitions"]))
        # All accesses as scheduling points: the same verdict, and no fewer states, but for a handful: what a thread
        # leaves on its stack differs with where its steps end.
        _, all_points = self.explore(program, "--no-reduction", *options)
        self.assertEqual((all_points["verdict"], all_points["kind"]), (verdict, kind))
        # What is violated ends where the first finding is, early or late.
        if verdict == "holds":
            self.assertGreaterEqual(all_points["states"] + 10, o["states"])
        if verdict == "holds" and not options:
            code, audited = self.explore(program, "--audit")
            self.assertEqual((code, audited["verdict"]), (0, "holds"), audited)

    def test_text(self):
        program = self.build(COMPILERS[0], "-O1", os.path.join(ROOT, "examples/peterson_broken.c"))
        r = run([program])
        self.assertEqual((r.returncode, r.stderr), (1, ""))
        self.assertIn("program: violated(oracle)\n", r.stdout)
        self.assertIn("shortest counterexample: ", r.stdout)
        self.assertRegex(r.stdout, r"\n +\d+ peterson [01] +inside +add 1 -> 2 ")
        self.assertLessEqual(max(len(line) for line in r.stdout.split("\n")), 100)

    def test_several_files_and_options(self):
        self.write("extern _Atomic int WORD;\nvoid add(void);\nvoid add(void)\n{\n\tWORD++;\n}\n",
                   "b.c")
        a = self.write('#include <seamlab/explore.h>\n#include "add.h"\n_Atomic int WORD;\n'
                       "SL_THREADS(t, 2)\n{\n\tadd();\n}\nSL_FINALLY(two)\n{\n"
                       "\treturn WORD == 2;\n}\n", "a.c")
        os.mkdir(os.path.join(self.dir.name, "inc"))
        self.write("void add(void);\n", "inc/add.h")
        for cc in COMPILERS:
            program = self.build(cc, "-DWORD=word", "-I", os.path.join(self.dir.name, "inc"),
                                 "-O2", "-std=c17", a, os.path.join(self.dir.name, "b.c"))
            code, o = self.explore(program)
            self.assertEqual((code, o["verdict"]), (0, "holds"))

    def test_limits_and_usage(self):
        many = self.write("#include <seamlab/explore.h>\nstatic _Atomic int w[8];\n"
                          "SL_THREADS(t, 8)\n{\n\tfor (int i = 0; i < 8; i++)\n"
                          "\t\tw[i] = w[(i + 1) % 8] + (int)me;\n}\n")
        program = self.build(COMPILERS[0], "-O1", many)
        code, o = self.explore(program, "--time", "0.5")
        self.assertEqual((code, o["verdict"], o["limit"]), (3, "inconclusive", "time"))
        code, o = self.explore(program, "--memory", "20")
        self.assertEqual((code, o["verdict"], o["limit"]), (3, "inconclusive", "memory"))
        for args, text in [(("--format", "xml"), "expected text or json"),
                           (("--time", "-1"), "--time: found '-1'"), (("x",), "found 'x'"),
                           (("--audit", "--all-finish"), "expected one of them")]:
            r = run([program, *args])
            self.assertEqual((r.returncode, r.stdout), (2, ""), args)
            self.assertIn(text, r.stderr)
        r = run([program, "--help"])
        self.assertEqual(r.returncode, 0)
        self.assertIn("Exit status", r.stdout)

    def test_refused(self):
        head = "#include <seamlab/explore.h>\n"
        thread = "static _Atomic int w;\nSL_THREAD(t)\n{\n\tw++;\n}\n"
        cc = COMPILERS[0]
        for text, message in [
            (head + thread + "int main(void)\n{\n\treturn 0;\n}\n", "found a main()"),
            (head + "_Thread_local int x;\n" + thread, "thread-local"),
            (head + "#include <pthread.h>\n" + thread +
             "SL_THREAD(u)\n{\n\tpthread_exit(0);\n}\n", "pthread_exit"),
        ]:
            self.assertIn(message, self.build(cc, "-O1", self.write(text), code=2))
        self.assertIn("no C file", self.build(cc, code=2))
        self.assertIn("-fsanitize=address", self.build(cc, "-fsanitize=address", "x.c", code=2))
        self.build(cc, self.write("nonsense\n"), code=2)
        program = self.build(cc, self.write(head + "int x;\n"))
        r = run([program])
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("no SL_THREAD", r.stderr)
        many = self.write(head + "_Atomic int w;\nSL_THREADS(t, 17)\n{\n\tw++;\n}\n")
        r = run([self.build(cc, many)])
        self.assertEqual(r.returncode, 2)
        self.assertIn("more than 16", r.stderr)

    def test_unseen_write(self):
        """A library function that writes shared data: said when it is built, caught when it runs."""
        path = self.write("#include <seamlab/explore.h>\n#include <stdlib.h>\n#include <string.h>\n"
                          "static char text[64];\nstatic _Atomic int w;\nSL_THREAD(t)\n{\n\tw++;\n"
                          '\tstrncat(text, getenv("PATH"), 20);\n\tw++;\n}\n')
        program = os.path.join(self.dir.name, "program")
        r = run([SEAMLAB_CC, path, "-o", program], {"CC": COMPILERS[0]})
        self.assertEqual(r.returncode, 0)
        self.assertIn("strncat is not explored", r.stderr)
        r = run([program])
        self.assertEqual(r.returncode, 2)
        self.assertIn("without a write that the explorer sees", r.stderr)


def case(cc, level, row):
    def test(self):
        self.check(cc, level, *row)
    return test


for compiler in COMPILERS:
    for opt in LEVELS:
        for case_row in PROGRAMS:
            stem = os.path.basename(case_row[0])[:-2] + "".join(case_row[1]).replace("-", "_")
            setattr(UserCode, f"test_{stem}_{compiler}{opt.replace('-', '_')}",
                    case(compiler, opt, case_row))

if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
