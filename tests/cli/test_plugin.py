#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Policies as shared objects: the example, built against an installed tree by pkg-config alone; what makes a
plug-in unfit, named; traces that find theirs again."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SEAMLAB_BUILD"]
SET = os.path.join(ROOT, "scenarios", "bounds")
EXAMPLE = os.path.join(ROOT, "examples", "policy")
ZAP = os.path.join(SET, "zap-vs-attr.yaml")
FAULT = os.path.join(SET, "fault-vs-accept.yaml")

HEAD = """#include <stdlib.h>
#include <string.h>
#include <seamlab/policy.h>
"""
POLICY = """
SL_POLICY_EXPORT const struct sl_policy seamlab_policy = { %s, %s };
"""
ON_BUSY = """static uint32_t on_busy(const struct sl_policy_context *c) { (void)c; %s }
"""

# What a plug-in is, and what has to be said about it.
UNFIT = {
    "magic": ("1, SL_POLICY_VERSION, sizeof(struct sl_policy), 0", '.name = "p"', "",
              "found magic 0x00000001; expected 0x"),
    "version": ("SL_POLICY_MAGIC, 7, sizeof(struct sl_policy), 0", '.name = "p"', "",
                "found a policy of version 7; this program takes version 1"),
    "size": ("SL_POLICY_MAGIC, SL_POLICY_VERSION, 8, 0", '.name = "p"', "", "found size 8 and flags 0x0; expected"),
    "flags": ("SL_POLICY_MAGIC, SL_POLICY_VERSION, sizeof(struct sl_policy), 1", '.name = "p"', "", "flags 0x1"),
    "name": ("SL_POLICY_HEAD", ".title = 0", "", "found no name"),
    "odd-name": ("SL_POLICY_HEAD", '.name = "a b"', "", "found no name, or one that cannot be used"),
    "base": ("SL_POLICY_HEAD", '.name = "p", .base = "kvm-7"', "", "found base 'kvm-7'"),
    "set": ("SL_POLICY_HEAD", '.name = "p", .set = set',
            'static const char *const set[] = { "track=no-kick", "track=maybe", 0 };', "found 'track=maybe' in set"),
    "counter": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy',
                ON_BUSY % "static int n; return n++ % 2 ? SL_ACTION_KICK_ONCE : SL_ACTION_TABLE;",
                "is not deterministic: it returned 0x0 (table), and now 0x3 (kick-once)"),
    "seldom": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy',
               ON_BUSY % "static int n; return n++ == 99 ? SL_ACTION_KICK_ONCE : SL_ACTION_TABLE;",
               "is not deterministic"),
    "unknown": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy', ON_BUSY % "return 99;",
                "returned 0x63, nothing that is known; expected one of table, kick-once"),
    "not-here": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy', ON_BUSY % "return SL_ACTION_LOCAL_RETRY;",
                 "returned 0x2, local-retry; expected one of table, kick-once"),
    "bits": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy', ON_BUSY % "return SL_ACTION_KICK_ONCE | 1u << 20;",
             "with bits that mean nothing"),
    "blind-0": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy', ON_BUSY % "return SL_ACTION_BLIND_N(0);",
                "returned blind-0; expected N from 1 to 32"),
    "crash": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy',
              ON_BUSY % "return *(volatile uint32_t *)(uintptr_t)8;", "crashed: Segmentation fault"),
    "abort": ("SL_POLICY_HEAD", '.name = "p", .on_busy = on_busy', ON_BUSY % "abort();", "crashed: Aborted"),
    "enter": ("SL_POLICY_HEAD", '.name = "p", .on_enter = on_busy', ON_BUSY % "return 9;",
              "on_enter at enter (TDH.VP.ENTER, status 0x80000200000000a9, attempt 1"),
}


def run(args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False, **kw)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="seamlab-plugin-")
        cls.tree = os.path.join(cls.dir.name, "tree")
        r = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.tree])
        assert r.returncode == 0, r.stdout + r.stderr
        found = {name: os.path.join(at, name) for at, _, names in os.walk(cls.tree) for name in names
                 if name in ("seamlab", "seamlab.pc")}
        cls.program = found["seamlab"]
        cls.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found["seamlab.pc"]))
        shutil.copytree(EXAMPLE, os.path.join(cls.dir.name, "policy"))
        r = run(["make", "-C", os.path.join(cls.dir.name, "policy"), "CFLAGS=-Wall -Wextra -Werror"], env=cls.env)
        assert r.returncode == 0, r.stdout + r.stderr
        cls.third = os.path.join(cls.dir.name, "policy", "kick_when_third.so")

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def seamlab(self, *args, **kw):
        return run([self.program, *args], **kw)

    def path(self, *names):
        return os.path.join(self.dir.name, *names)

    def build(self, name, text, cc="cc"):
        source, out = self.path(name + ".c"), self.path(name + ".so")
        with open(source, "w", encoding="utf-8") as f:
            f.write(HEAD + text)
        flags = run(["pkg-config", "--cflags", "seamlab"], env=self.env).stdout.split()
        lang = ["-x", "c++"] if cc.endswith("++") else ["-std=c11"]
        r = run([cc, *lang, *flags, "-Wall", "-Wextra", "-shared", "-fPIC", "-o", out, source])
        self.assertEqual(r.returncode, 0, r.stderr)
        return out

    def check(self, *args):
        r = self.seamlab("check", "--format", "json", *args)
        return r, json.loads(r.stdout) if r.stdout else {}

    def test_example(self):
        """Two tries, then the kick: three BUSY at most, and nothing fails behind it."""
        r, o = self.check("--policy", self.third, "--bounds", ZAP)
        self.assertEqual((r.returncode, o["verdict"], o["policy"]), (0, "holds", "kick-when-third"), r.stderr)
        self.assertEqual(o["plugin"], self.third)
        self.assertEqual([o["bounds"][s] for s in ("zap-block", "zap-track", "zap-remove")], [3, 3, 3])
        _, o = self.check("--policy", self.third, "--bounds", FAULT)
        self.assertEqual(o["bounds"]["fault-aug"], 4)
        for option in ("--audit", "--no-reduction"):
            r, o = self.check("--policy", self.third, "--time", "100", option, FAULT)
            self.assertEqual((r.returncode, o["verdict"]), (0, "holds"), option)
        r = self.seamlab("run", "--seconds", "0.3", "--policy", self.third, ZAP)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertIn("kick-when-third", r.stdout)
        r = self.seamlab("policies", self.third)
        self.assertEqual(r.returncode, 0, r.stderr)
        for text in ("kick-when-third, from kvm-6.19", "Two tries on the spot", "on_busy: asked", "on_fault: asked"):
            self.assertIn(text, r.stdout)
        self.assertNotIn("on_enter: asked", r.stdout)
        r = self.seamlab("bounds", "--policy", self.third, ZAP)
        self.assertIn(f"\npolicy {self.third}\n", r.stdout)

    def test_the_tables_in_code(self):
        """A plug-in that says what the tables say is the preset, state by state in what matters."""
        same = self.build("same", """
static uint32_t on_busy(const struct sl_policy_context *c)
{
	if (!strncmp(c->site_name, "fault-", 6))
		return c->mmu_lock == SL_MMU_LOCK_READ ? SL_ACTION_BLIND_N(5) : SL_ACTION_MUST_SUCCEED;
	return SL_ACTION_TABLE;
}
static uint32_t on_fault(const struct sl_policy_context *c) { (void)c; return SL_FAULT_GUEST; }
static uint32_t on_enter(const struct sl_policy_context *c) { (void)c; return SL_ENTER_KICK_ALL; }
""" + POLICY % ("SL_POLICY_HEAD", '.name = "same", .on_busy = on_busy, .on_fault = on_fault, .on_enter = on_enter'))
        settings = ("--set", "install-on-busy=blind-5", "--set", "enter-on-busy=kick-all")
        for name in ("fault-vs-accept", "track-vs-enter", "zap-vs-attr"):
            path = os.path.join(SET, name + ".yaml")
            _, mine = self.check("--policy", same, "--bounds", path)
            _, table = self.check("--policy", "kvm-6.19", *settings, "--bounds", path)
            self.assertEqual([mine[k] for k in ("verdict", "bounds")], [table[k] for k in ("verdict", "bounds")], name)
        plain = self.build("plain", POLICY % ("SL_POLICY_HEAD", '.name = "plain"'))
        _, mine = self.check("--policy", plain, ZAP)
        _, table = self.check("--policy", "kvm-6.19", ZAP)
        self.assertEqual((mine["states"], mine["verdict"]), (table["states"], table["verdict"]))
        cxx = self.build("cxx", ON_BUSY % "return SL_ACTION_TABLE;" + """
static sl_policy mine(void)
{
	sl_policy p = { SL_POLICY_HEAD, "cxx", 0, 0, 0, on_busy, 0, 0 };
	return p;
}
SL_POLICY_EXPORT const sl_policy seamlab_policy = mine();
""", "c++")
        self.assertEqual(self.check("--policy", cxx, ZAP)[1]["verdict"], "holds")

    def test_unfit(self):
        for name, (head, members, code, text) in UNFIT.items():
            with self.subTest(name):
                so = self.build("unfit-" + name, code + POLICY % (head, members))
                path = os.path.join(SET, "track-vs-enter.yaml") if name == "enter" else ZAP
                r = self.seamlab("check", "--policy", so, path)
                self.assertEqual(r.returncode, 2, r.stdout + r.stderr)
                self.assertEqual(r.stdout, "")
                self.assertIn(text, r.stderr)
                self.assertIn(so, r.stderr)
        with open(self.path("text.so"), "w", encoding="utf-8") as f:
            f.write("no shared object")
        none = self.build("none", "int other;")
        for so, text in ((self.path("text.so"), "cannot be loaded as a policy"),
                         (self.path("missing.so"), "cannot open the policy: No such file"),
                         (none, "found no symbol seamlab_policy")):
            for command in ("check", "run", "bounds", "policies"):
                r = self.seamlab(command, "--policy", so, ZAP) if command != "policies" else \
                    self.seamlab(command, so)
                self.assertEqual(r.returncode, 2, command)
                self.assertIn(text, r.stderr)

    def test_in_a_scenario(self):
        """A path in a file is relative to the file; the file's switches come on top of the plug-in's."""
        with open(ZAP, encoding="utf-8") as f:
            text = f.read()
        path = self.path("policy", "mine.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("expect: holds", "expect: violated(host-assert)") +
                    "host: {policy: ./kick_when_third.so, set: {track: no-kick}}\n")
        trace = self.path("mine.trace")
        r, o = self.check("--trace", trace, path)
        self.assertEqual((r.returncode, o["policy"], o["set"]), (0, "kick-when-third", {"track": "no-kick"}), r.stderr)
        self.assertEqual(self.seamlab("replay", trace).returncode, 0)
        r, o = self.check("--policy", "kvm-6.19", path)
        self.assertEqual((o["verdict"], o["plugin"]), ("holds", None))

    def test_traces_know_their_plugin(self):
        folder = self.path("with space=%")
        os.mkdir(folder)
        so, trace = os.path.join(folder, "p.so"), self.path("t.trace")
        shutil.copy(self.third, so)
        r, _ = self.check("--policy", so, "--set", "track=no-kick", "--trace", trace, ZAP)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertEqual(self.seamlab("replay", trace, cwd="/").returncode, 0)
        # Named from its own folder, it is found from any other.
        r = self.seamlab("check", "--policy", "p.so", "--set", "track=no-kick", "--trace", trace, ZAP, cwd=folder)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertEqual(self.seamlab("replay", trace, cwd="/").returncode, 0)
        shutil.copy(self.build("other", POLICY % ("SL_POLICY_HEAD", '.name = "p"')), so)
        r = self.seamlab("replay", trace)
        self.assertEqual(r.returncode, 2)
        self.assertIn("found a plug-in that has changed", r.stderr)
        os.unlink(so)
        r = self.seamlab("replay", trace)
        self.assertEqual(r.returncode, 2)
        self.assertIn("cannot open the policy", r.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
