#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab matrix --confirm: each refusal that the lock plans predict is seen, and no other; on one page, from
every state, no two leaves break an invariant, race or halt the module but as the published flavour is known
to."""
import json
import os
import subprocess
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")

# All that works on memory, the guests' calls included, and what enters a vCPU.
MEMORY = ["TDH.MEM.SEPT.ADD", "TDH.MEM.SEPT.RD", "TDH.MEM.SEPT.REMOVE", "TDH.MEM.PAGE.ADD", "TDH.MEM.PAGE.AUG",
          "TDH.MEM.PAGE.REMOVE", "TDH.MEM.PAGE.DEMOTE", "TDH.MEM.PAGE.PROMOTE", "TDH.MEM.PAGE.RELOCATE",
          "TDH.MEM.RANGE.BLOCK", "TDH.MEM.RANGE.UNBLOCK", "TDH.MEM.TRACK", "TDH.MEM.RD", "TDH.MEM.WR",
          "TDG.MEM.PAGE.ACCEPT", "TDG.MEM.PAGE.ATTR.RD", "TDG.MEM.PAGE.ATTR.WR", "TDH.VP.ENTER"]
# The published module halts: AUG lets others at the entry before the page is the TD's.
H1 = {frozenset(["TDH.MEM.PAGE.AUG", other])
      for other in ("TDH.MEM.PAGE.REMOVE", "TDH.MEM.PAGE.RELOCATE", "TDH.MEM.PAGE.DEMOTE")}


def run(*args, seconds=300):
    return subprocess.run([PROGRAM, "matrix", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=seconds)


def confirm(*args):
    r = run("--confirm", "--format", "json", *args)
    assert not r.stderr, r.stderr
    return r.returncode, json.loads(r.stdout)


def full_name(leaf):
    return leaf["name"] + ("/%d" % leaf["version"] if leaf["version"] else "")


def predicted(release):
    """Pair -> {(lock, loser, status)}, from the matrix as it is without --confirm."""
    pairs = {}
    r = run("--format", "json", "--release", release)
    assert r.returncode == 0
    for pair in json.loads(r.stdout)["pairs"]:
        cells = set()
        for m in pair["meetings"]:
            for side in "ab":
                if m[side]["second"]:
                    cells.add((m["lock"], full_name(pair[side]), m[side]["second"]))
        pairs[frozenset([full_name(pair["a"]), full_name(pair["b"])])] = cells
    return pairs


class Confirm(unittest.TestCase):
    def check(self, release, flavour):
        code, o = confirm("--release", release, "--flavour", flavour)
        wanted = predicted(release)
        pairs = {frozenset([p["a"], p["b"]]): p for p in o["pairs"]}
        self.assertEqual((o["release"], o["flavour"]), (release, flavour))
        for i, a in enumerate(MEMORY):
            for b in MEMORY[i:]:
                pair = frozenset([a, b])
                p = pairs[pair]
                self.assertGreater(p["worlds"], 0, pair)
                got = {}
                for c in p["cells"]:
                    got.setdefault((c["loser"], c["status"]), []).append(c)
                for lock, loser, status in wanted.get(pair, ()):
                    cells = got.get((loser, status), [])
                    self.assertTrue(cells, (pair, lock, loser, status))
                    for c in cells:
                        self.assertIn(c["verdict"], ("seen", "not modelled"), (pair, c))
                        if c["verdict"] == "not modelled":
                            self.assertIn(c["why"], ("no L2 VMs in this model",
                                                       "only with dynamic PAMT, which these worlds do not have"))
        # All others, too.
        for p in o["pairs"]:
            for c in p["cells"]:
                self.assertIn(c["verdict"], ("seen", "not modelled"), (p["a"], p["b"], c))
            for f in p["findings"]:
                self.assertEqual((flavour, f["kind"]), ("published", "module-halt"), (p["a"], p["b"], f))
                self.assertIn(frozenset([p["a"], p["b"]]), H1)
                self.assertTrue(f["known"].startswith("H1"))
        found = {frozenset([p["a"], p["b"]]) for p in o["pairs"] if p["findings"]}
        self.assertEqual(found, H1 if flavour == "published" else set())
        self.assertEqual((code, o["confirmed"]), (0, True))

    def test_published(self):
        self.check("1.5.01", "published")

    def test_published_later(self):
        self.check("1.5.25", "published")

    def test_hardened(self):
        self.check("1.5.01", "hardened")

    def test_hardened_later(self):
        self.check("1.5.25", "hardened")

    def test_pair(self):
        r = run("--confirm", "mem.page.aug", "tdg.mem.page.accept")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("  ENTRY      TDH.MEM.PAGE.AUG        TDX_OPERAND_BUSY|RCX: seen\n", r.stdout)
        self.assertIn("  ENTRY      TDG.MEM.PAGE.ACCEPT     TDX_OPERAND_BUSY|RCX: seen\n", r.stdout)
        self.assertIn("an interleaving of", r.stdout)
        r = run("--confirm", "mem.page.aug", "mem.range.block")
        self.assertIn("  ENTRY      cannot meet here: the S-EPT tree, which both take before, keeps them apart\n",
                      r.stdout)
        self.assertIn("  TREE       TDH.MEM.RANGE.BLOCK     TDX_OPERAND_BUSY|SEPT_TREE: seen\n", r.stdout)

    def test_trace_and_scenario(self):
        """What the report shows is a scenario that shows the same to seamlab check."""
        code, o = confirm("mem.track", "vp.enter")
        self.assertEqual(code, 0)
        cells = {(c["loser"], c["status"]): c for c in o["pairs"][0]["cells"]}
        self.assertEqual({loser for loser, _ in cells}, {"TDH.MEM.TRACK", "TDH.VP.ENTER"})
        for c in cells.values():
            self.assertTrue(c["trace"])
            self.assertTrue(all(step["lane"] in ("lp0", "lp1") for step in c["trace"]))
            path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "confirm-%d.yaml" % os.getpid())
            with open(path, "w", encoding="utf-8") as f:
                f.write(c["scenario"] + 'claims: ["never TDX_OPERAND_BUSY(TD_EPOCH)"]\nexpect: violated(bound)\n')
            try:
                check = subprocess.run([PROGRAM, "check", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, timeout=60)
            finally:
                os.unlink(path)
            self.assertEqual(check.returncode, 0, check)

    def test_refused(self):
        for args, code, message in (
                (["--confirm", "mem.page.augg"], 2, "mem.page.augg"),
                (["--flavour", "hardened"], 2, "--confirm"),
                (["--confirm", "--format", "csv"], 2, "text or json"),
                (["--confirm", "--flavour", "soft"], 2, "published or hardened"),
                (["--confirm", "sys.init"], 77, "TDH.SYS.INIT: there is no world to try it out in"),
                (["--confirm", "sys.shutdown", "vp.enter"], 77, "for it is not modelled")):
            r = run(*args)
            self.assertEqual(r.returncode, code, (args, r))
            self.assertIn(message, r.stderr)
            self.assertEqual(r.stdout, "")


if __name__ == "__main__":
    unittest.main()
