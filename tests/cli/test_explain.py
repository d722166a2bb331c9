#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab explain and seamlab matrix as a user meets them: spellings, formats, exit codes, logs."""
import json
import os
import re
import subprocess
import sys
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
RELEASES = ("1.5.01", "1.5.25")


def run(*args, stdin=b""):
    return subprocess.run([PROGRAM, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)


def text(*args, stdin=b""):
    r = run(*args, stdin=stdin)
    assert r.returncode == 0 and not r.stderr, (args, r)
    return r.stdout.decode()


class Explain(unittest.TestCase):
    def test_status(self):
        out = text("explain", "0x8000020000000092")
        self.assertTrue(out.startswith("0x8000020000000092  TDX_OPERAND_BUSY, operand SEPT_TREE (146)\n"))
        self.assertIn("TREE: S-EPT tree of the TD, sharex; between callers with the same TD", out)
        self.assertIn("kick all vCPUs", out)
        self.assertEqual(out, text("explain", "-9223369837831520110"))
        self.assertEqual(out, text("explain", "--", "-9223369837831520110"))
        self.assertLessEqual(max(map(len, out.split("\n"))), 100)

    def test_several(self):
        out = text("explain", "-9223369837831520110", "--format", "text", "TDH.MEM.TRACK")
        self.assertIn("TDX_OPERAND_BUSY", out)
        self.assertIn("TDH.MEM.TRACK  SEAMCALL 38", out)

    def test_invariant(self):
        out = text("explain", "inv-accept-01", "mem.track")
        self.assertTrue(out.startswith("INV-ACCEPT-01  "))
        self.assertIn("no guest uses a page that it has not accepted", out)
        self.assertIn("as a guest uses a translation", out)
        self.assertIn("TDH.MEM.TRACK", out)
        o = json.loads(text("explain", "INV-WORD-04", "--format", "json"))["results"][0]
        self.assertEqual((o["invariant"]["name"], o["status"], o["leaves"]), ("INV-WORD-04", None, []))
        self.assertIn("hp-kept", o["invariant"]["condition"])
        r = run("explain", "INV-PAGE-99")
        self.assertEqual((r.returncode, r.stdout), (2, b""))
        self.assertIn("expected an invariant, such as INV-PAGE-01", r.stderr.decode())

    def test_leaf_narrows(self):
        wide = json.loads(text("explain", "0x8000020000000001", "--format", "json"))
        locks = wide["results"][0]["status"]["locks"]
        self.assertLessEqual({"TDR", "TDVPR", "ENTRY", "PAGE"}, {l["object"] for l in locks})
        narrow = json.loads(text("explain", "0x8000020000000001", "--format", "json", "--leaf", "mem.page.aug"))
        locks = narrow["results"][0]["status"]["locks"]
        self.assertEqual([l["object"] for l in locks], ["ENTRY"])
        self.assertEqual([t["leaf"] for t in locks[0]["refused"]], ["TDH.MEM.PAGE.AUG"])
        self.assertIn("TDG.MEM.PAGE.ACCEPT", [t["leaf"] for t in locks[0]["held_by"]])

    def test_json(self):
        o = json.loads(text("explain", "0x9000020500000000", "vp.rd", "--format", "json"))
        self.assertEqual(o["release"], "1.5.01")
        status, leaves = o["results"][0]["status"], o["results"][1]["leaves"]
        self.assertEqual(status["name"], "TDX_HOST_PRIORITY_BUSY_TIMEOUT")
        self.assertEqual(status["flags"], {"error": True, "non_recoverable": False, "fatal": False,
                                           "host_recoverability_hint": True})
        self.assertEqual([(l["name"], l["call"], l["number"]) for l in leaves],
                         [("TDH.VP.RD", "SEAMCALL", 26), ("TDG.VP.RD", "TDCALL", 9)])

    def test_release(self):
        old = text("explain", "vp.init")
        new = text("explain", "vp.init", "--release", "1.5.25")
        self.assertNotIn("version 1", old)
        self.assertIn("TDH.VP.INIT version 1", new)
        self.assertIn("not in 1.5.01", text("explain", "0x8000020600000000"))

    def test_errors(self):
        for args, want in (
                ((), "nothing to explain"), (("mem.pag.aug",), "did you mean 'MEM.PAGE.AUG'?"),
                (("0xzz",), "expected a number of at most 64 bits"), (("-", "6"), "expected it alone"),
                (("--tables", "6"), "expected nothing else"), (("6", "--release", "1.5"), "one of 1.5.01, 1.5.25"),
                (("6", "--leaf", "no.leaf"), "found 'no.leaf'; expected a leaf"),
                (("6", "--format", "xml"), "expected text or json"), (("0x2a", "--seamcall"), "expected the number")):
            r = run("explain", *args)
            self.assertEqual((r.returncode, r.stdout), (2, b""), args)
            self.assertIn(want, r.stderr.decode(), args)

    def test_write_error(self):
        with open("/dev/full", "wb") as full:
            for args in (("explain", "6"), ("explain", "-"), ("matrix",)):
                r = subprocess.run([PROGRAM, *args], input=b"x\n", stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(r.returncode, 2, args)
                self.assertIn(b"cannot write", r.stderr)


class Log(unittest.TestCase):
    LINES = (
        b"[1] tdx: SEAMCALL (0x000000000000000f) failed: 0xc0000b0800000001 RCX 0x80000004000000f7 RDX 0x400\n",
        b"[2] something else 0xffff888100000000\n",
        b"[3] SEAMCALL[TDH_MEM_PAGE_AUG] failed: 0x8000020000000092\n",
        b"[4] \xff\x00 not text 0x8000020000000001\x00\n",
        b"[5] TDH_VP_INIT failed: 0x8000020000000080",
    )

    def test_annotated(self):
        log = b"".join(self.LINES)
        out = run("explain", "-", stdin=log).stdout
        marked = re.findall(rb"^  seamlab: .*", out, re.M)
        self.assertEqual(len(marked), 4)
        self.assertIn(b"TDH.MEM.PAGE.DEMOTE: TDX_TLB_TRACKING_NOT_DONE, operand RCX (1)", marked[0])
        self.assertIn(b"level 0, state MAPPED", marked[0])
        self.assertIn(b"TDH.MEM.PAGE.AUG: TDX_OPERAND_BUSY, operand SEPT_TREE (146)", marked[1])
        self.assertIn(b"TDH.VP.INIT: ", marked[3])
        self.assertFalse(out.endswith(b"\n"))
        # What grep -v gives back; the end of the last line has come with the annotation behind it.
        self.assertEqual(re.sub(rb"^  seamlab: .*\n?", b"", out, flags=re.M), log + b"\n")

    def test_untouched(self):
        log = os.urandom(200000).replace(b"0x", b"xx") + b"\nno status here\n" + b"y" * 300000
        self.assertEqual(run("explain", "-", stdin=log).stdout, log)
        self.assertEqual(run("explain", "-", stdin=b"").stdout, b"")

    def test_json(self):
        o = json.loads(text("explain", "-", "--format", "json", stdin=b"".join(self.LINES)))
        self.assertEqual([f["line"] for f in o["findings"]], [1, 3, 4, 5])
        self.assertEqual(o["findings"][0]["text"], "0xc0000b0800000001")
        self.assertEqual(self.LINES[0][o["findings"][0]["column"] - 1:][:18], b"0xc0000b0800000001")
        self.assertEqual([f["leaf"] for f in o["findings"]],
                         ["TDH.MEM.PAGE.DEMOTE", "TDH.MEM.PAGE.AUG", None, "TDH.VP.INIT"])

    def test_line_by_line(self):
        p = subprocess.Popen([PROGRAM, "explain", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(b"SEAMCALL 6: 0x8000020000000092\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"SEAMCALL 6: 0x8000020000000092\n")
        self.assertTrue(p.stdout.readline().startswith(b"  seamlab: TDH.MEM.PAGE.AUG: "))
        p.stdin.close()
        self.assertEqual((p.stdout.read(), p.wait()), (b"", 0))
        p.stdout.close()


class Tables(unittest.TestCase):
    def test_keys(self):
        for release in RELEASES:
            t = json.loads(text("explain", "--tables", "--release", release))
            self.assertEqual(t["release"], release)
            self.assertLessEqual({"status", "operand", "seamcall", "tdcall", "sept_states", "sept_allowed",
                                  "op_allowed", "lock_plans"}, set(t))
            for name, value in t["status"].items():
                self.assertRegex(name, r"^TDX_[A-Z0-9_]+$")
                self.assertRegex(value, r"^0x[0-9a-f]{16}$")
            leaves = {**t["seamcall"], **t["tdcall"]}
            for key in ("sept_allowed", "op_allowed"):
                self.assertLessEqual(set(t[key]), set(leaves))
            self.assertLessEqual({k.split(" ")[0] for k in t["lock_plans"]}, set(leaves))
            for plan in t["lock_plans"].values():
                for row in plan:
                    self.assertEqual(set(row), {"object", "kind", "mode", "side", "busy"})

    def test_each_status_is_explained(self):
        for release in RELEASES:
            t = json.loads(text("explain", "--tables", "--release", release))
            values = sorted(t["status"].items())
            o = json.loads(text("explain", "--format", "json", "--status", "--release", release,
                                *(value for _, value in values)))
            for (name, value), result in zip(values, o["results"], strict=True):
                self.assertEqual((result["status"]["name"], result["status"]["value"]), (name, value))
                self.assertTrue(result["status"]["in_release"])
                self.assertTrue(result["status"]["meaning"])

    def test_tree_lock(self):
        for release, kind, enter in (("1.5.01", "sharex", "EX"), ("1.5.25", "sharex_hp", "SH")):
            plans = json.loads(text("explain", "--tables", "--release", release))["lock_plans"]
            rows = [(leaf, row) for leaf, plan in plans.items() for row in plan if row["object"] == "TREE"]
            self.assertEqual({row["kind"] for _, row in rows}, {kind})
            self.assertEqual({row["busy"] for _, row in rows}, {"0x8000020000000092"})
            self.assertEqual([row["mode"] for leaf, row in rows if leaf == "TDH.VP.ENTER"], [enter])
            exclusive = {leaf for leaf, row in rows if row["mode"] == "EX"}
            self.assertEqual(exclusive, {"TDH.MEM.RANGE.BLOCK", "TDH.MEM.RANGE.UNBLOCK", "TDH.MEM.SEPT.REMOVE"} |
                             ({"TDH.VP.ENTER"} if kind == "sharex" else {"TDH.MEM.PAGE.PROMOTE"}))


class Matrix(unittest.TestCase):
    def test_grid(self):
        for release in RELEASES:
            out = text("matrix", "--release", release)
            rows = {m[2]: m[3] for m in re.finditer(r"^( \d|\d\d) (\S.{19}) (\S+)$", out, re.M)}
            rows = {name.strip(): cells for name, cells in rows.items()}
            names = list(rows)
            self.assertEqual({len(cells) for cells in rows.values()}, {len(names)})
            self.assertLessEqual(max(len(l) for l in out.split("\n") if re.match(r"^( \d|\d\d) ", l)), 80)
            cell = lambda a, b: rows[a][names.index(b)]
            for a in names:
                for b in names:
                    self.assertEqual(cell(a, b), cell(b, a))
            self.assertEqual(cell("MEM.PAGE.AUG", "MEM.RANGE.BLOCK"), "T")
            self.assertEqual(cell("MEM.TRACK", "VP.ENTER"), "E")
            self.assertEqual(cell("MEM.TRACK", "MEM.RANGE.BLOCK"), ".")
            self.assertEqual(cell("MR.EXTEND", "VP.ENTER"), "R")
            self.assertEqual(cell("MR.EXTEND", "other TDCALLs"), "R")
            self.assertEqual(cell("TDG.MEM.PAGE.ACCEPT", "MEM.PAGE.REMOVE"), "e")
            self.assertEqual(cell("MEM.PAGE.REMOVE", "VP.ENTER") == "T", release == "1.5.01")

    def test_pair(self):
        out = text("matrix", "vp.enter", "mem.track")
        self.assertIn("EPOCH", out)
        self.assertEqual(out.count("second: 0x80000200000000a9 TDX_OPERAND_BUSY|TD_EPOCH"), 2)
        self.assertIn("they meet on no lock", text("matrix", "sys.init", "mem.track"))

    def test_formats_agree(self):
        for release in RELEASES:
            o = json.loads(text("matrix", "--format", "json", "--release", release))
            csv = text("matrix", "--format", "csv", "--release", release).strip().split("\n")
            self.assertEqual(len(csv) - 1, sum(len(p["meetings"]) for p in o["pairs"]))
            html = text("matrix", "--format", "html", "--release", release)
            self.assertEqual(html.count("<section id="), len(o["pairs"]))
            self.assertNotRegex(html, r"https?://|<script|\bsrc=")
            anchors = set(re.findall(r'href="#(p[\d-]+)"', html))
            self.assertEqual(anchors, set(re.findall(r'<section id="(p[\d-]+)"', html)))

    def test_errors(self):
        for args, want in ((("no.leaf",), "expected a leaf"), (("mem.rd", "mem.wr", "x"), "at most two"),
                           (("export.mem",), "not described"),
                           (("--format", "pdf"), "expected text, csv, json or html"),
                           (("vp.init/1",), "one version of locks"), (("mem.rd/2",), "one version of locks")):
            r = run("matrix", *args)
            self.assertEqual((r.returncode, r.stdout), (2, b""), args)
            self.assertIn(want, r.stderr.decode(), args)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
