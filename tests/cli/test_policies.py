#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Host policies: the zoo of known bugs with the verdicts that its files expect, policies and switches on the
command line, in reports and in traces, and the tables that seamlab policies prints."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ZOO = os.path.join(ROOT, "scenarios", "zoo")
ZAP = os.path.join(ZOO, "r1-kick-once.yaml")
LOCK = os.path.join(ROOT, "scenarios", "locks", "mutex.yaml")
# What the finding has to be about, not only of which kind it is.
DETAIL = {
    "r1-blind-1": "TDH.MEM.RANGE.BLOCK at its last try: TDX_OPERAND_BUSY(RCX)",
    "r1-blind-16": "at its last try: TDX_OPERAND_BUSY(RCX)",
    "r1-fault-blind-16": "certain livelock",
    "r1-track-blind-16": "TDH.MEM.TRACK at its last try: TDX_OPERAND_BUSY(TD_EPOCH) 0x80000200000000a9",
    "r2-exact-92-zap": "TDX_OPERAND_BUSY(RCX) 0x8000020000000001",
    "r2-exact-92-aug": "TDH.MEM.PAGE.AUG: TDX_OPERAND_BUSY(RCX) 0x8000020000000001",
    "r3-clobbered": "after kicking all vCPUs: TDX_OPERAND_INVALID",
    "r4-endless": "adversarial livelock",
    "r5-bit-and": "certain livelock",
    "r5-upper-32": "TDX_EPT_ENTRY_STATE_INCORRECT(RCX) 0xc0000b0d00000001",
    "r7-pending-retry": "certain livelock",
    "p2-block-fail": "TDH.MEM.RANGE.BLOCK: TDX_OPERAND_BUSY",
    "p3-remove-bare": "TDH.MEM.PAGE.REMOVE: TDX_OPERAND_BUSY(RCX) 0x8000020000000001",
    "p4-track-must-succeed": "TDX_OPERAND_BUSY(TD_EPOCH) 0x80000200000000a9",
    "p5-no-kick": "TDX_TLB_TRACKING_NOT_DONE(RCX) 0xc0000b0800000001",
    "p6-acquire-release": "nobody can move: lane 1 waits for a change",
    "p6-acquire-release-on-entry": "after kicking all vCPUs: TDX_OPERAND_BUSY",
    "p7-re-enter": "certain livelock",
    "h1-resume-guest": "certain livelock",
    "h1-walk-away-timeout": "TDX_HOST_PRIORITY_BUSY_TIMEOUT 0x9000020500000000",
    "h2-other-call": "certain livelock",
    "h5-probe": "adversarial livelock",
    "h7-free-lock-priority": "certain livelock",
    "z1-resume-and-kick": "adversarial livelock",
    "z7-remap": "certain livelock",
    "r6-eagain": "TDX_OPERAND_BUSY(SEPT_TREE)",
    "z5-msr-assumed": "returns to user space with the MSR of another VM",
    "d1-slot-delete": "certain livelock",
    "d2-prefault-slot": "certain livelock",
    "d3-stale-root": "certain livelock",
    "d3-other-slot": "certain livelock",
    "d4-dead-vm": "certain livelock",
    "b1-extend-vcpu": "TDH.MR.EXTEND: TDX_OPERAND_BUSY(RDX) 0x8000020000000002",
    "b3-punch-init": "TDH.MEM.RANGE.BLOCK after kicking all vCPUs: TDX_OPERAND_BUSY",
    "b4-finalize": "TDH.MR.FINALIZE returned TDX_OPERAND_BUSY",
    "b5-list-add": "list_add corruption",
    "b6-premap": "TDX_EPT_ENTRY_STATE_INCORRECT(RCX) 0xc0000b0d00000001",
    "b7-early-prefault": "nothing to add it from",
    "b8-entropy-fatal": "status 0x8000020300000000",
    "g1-retry-ignored": "as private, which is shared",
    "g4-rtmr-fatal": "0x80000200000000a8",
}
# One for each loop that has a checkpoint of its own, and for each switch that changes what a lane knows.
AUDITED = ("r1-blind-16", "r1-kick-once", "r1-fault-blind-16", "r1-track-blind-2", "r3-clobbered", "r4-endless",
           "r5-bit-and", "h1-replay", "h1-resume-guest", "h2-other-call", "h7-free-lock-priority", "p9-wbinvd-endless",
           "t3-reclaim-10000", "z1-resume-and-kick", "z2-kick-all", "z7-remap", "r6-eagain", "z5-msr-assumed",
           "z6-stale-exit", "d1-leave-loop", "d2-prefault-again", "d3-root-stays", "b1-guard", "b4-guard",
           "g1-gives-up", "b8-entropy-again")
# A search for safety that finishes without reduction in a few seconds.
UNREDUCED = ("p4-track-must-succeed", "p5-no-kick", "r1-blind-3", "r2-upper-32-aug", "t3-reclaim-10000",
             "h7-free-lock-priority", "z7-remap", "b5-list-add", "d3-other-slot-leaves", "g4-rtmr-retry")


def seamlab(*args):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)


def check(path, *options):
    r = seamlab("check", "--format", "json", "--time", "120", *options, path)
    return r, json.loads(r.stdout)


def zoo(name, *options):
    return check(os.path.join(ZOO, name + ".yaml"), *options)


def names():
    return sorted(f[:-5] for f in os.listdir(ZOO) if f.endswith(".yaml"))


def read(name):
    with open(os.path.join(ZOO, name + ".yaml"), encoding="utf-8") as f:
        return f.read()


class Zoo(unittest.TestCase):
    def test_verdicts(self):
        results = {}
        with open(os.path.join(ZOO, "zoo.json"), encoding="utf-8") as f:
            table = json.load(f)
        listed = {name for e in table.values() for name in e.get("bug", []) + e.get("fix", [])}
        self.assertLessEqual(set(names()), listed, "scenarios that zoo.json does not name")
        for name in sorted(listed):
            with self.subTest(name):
                r, o = zoo(name)
                results[name] = o
                self.assertEqual((r.returncode, o["as_expected"]), (0, True), o["detail"])
                self.assertTrue(o["complete"] or o["kind"])
                self.assertIn(DETAIL.get(name, ""), o["detail"] or "")
        self.assertLessEqual(set(DETAIL), set(names()))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(results, f)
            f.flush()
            r = subprocess.run([os.path.join(ROOT, "tools", "zoo_docs"), "--check", f.name],
                               stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_entries_and_twins(self):
        text = {name: read(name) for name in names()}
        for entry in ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9",
                      "Z1", "Z2", "Z3", "Z4", "Z5", "Z6", "Z7", "D1", "D2", "D3", "D4", "D5", "H1", "H2", "H3", "H4",
                      "H5", "H6", "H7", "H9", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "T3", "G1", "G4"):
            self.assertTrue(any(t.startswith("# " + entry + " ") for t in text.values()), entry)
        for name, t in text.items():
            for twin in re.findall(r"^# Twin: ([a-z0-9-]+)", t, re.M):
                self.assertIn(twin, text, name)
        for policy in ("kvm-6.19", "kvm-6.18", "kvm-6.16", "resume-and-kick", "out-of-tree-2023", "exact-92",
                       "blind-1", "blind-2", "blind-3", "blind-16"):
            self.assertTrue(any("policy: " + policy in t for t in text.values()), policy)

    def test_one_retry_is_the_bound(self):
        for name in ("r1-kick-once", "p3-remove-kick", "p4-kick-once"):
            bounds = zoo(name)[1]["bounds"]
            for site in ("zap-block", "zap-track", "zap-remove"):
                self.assertLessEqual(bounds[site], 1, (name, site))
        self.assertEqual(zoo("z2-kick-all")[1]["bounds"]["enter"], 1)

    def test_loops_that_are_never_used(self):
        self.assertEqual(zoo("t3-reclaim-10000")[1]["states"], zoo("t3-reclaim-must-succeed")[1]["states"])
        self.assertEqual(zoo("p9-wbinvd-endless")[1]["states"], zoo("p9-wbinvd")[1]["states"])
        self.assertEqual(zoo("p9-wbinvd-endless")[1]["bounds"]["zap-wbinvd"], 0)

    def test_audit(self):
        """Checkpoints between two tries promise what they should; liveness is no part of an audit."""
        for name in AUDITED:
            with self.subTest(name):
                o = zoo(name, "--audit")[1]
                expected = re.search(r"^expect: (.*)$", read(name), re.M).group(1)
                if expected in ("holds", "violated(livelock)"):
                    self.assertEqual(o["verdict"], "holds", o["detail"])
                else:
                    self.assertEqual(f"violated({o['kind']})", expected, o["detail"])

    def test_no_reduction(self):
        for name in UNREDUCED:
            with self.subTest(name):
                self.assertTrue(zoo(name, "--no-reduction")[1]["as_expected"])


class CommandLine(unittest.TestCase):
    def test_policy_and_set(self):
        r, o = check(ZAP, "--policy", "blind-2")
        self.assertEqual((r.returncode, o["kind"], o["policy"], o["set"]), (1, "host-assert", "blind-2", {}))
        r, o = check(ZAP, "--set", "track=no-kick", "--set", "zap-block=blind-7")
        self.assertEqual((r.returncode, o["kind"], o["policy"]), (1, "host-assert", "kvm-6.19"))
        self.assertEqual(o["set"], {"track": "no-kick", "zap-block": "blind-7"})
        r, o = check(os.path.join(ZOO, "r3-clobbered.yaml"), "--policy", "kvm-6.16")
        self.assertEqual((r.returncode, o["verdict"], o["set"]), (1, "holds", {}))
        r = seamlab("check", "--policy", "kvm-6.16", "--set", "track=no-kick", ZAP)
        self.assertIn("policy kvm-6.16 with track no-kick, 2 lanes", r.stdout)
        self.assertIn(f"\nagain: seamlab check --policy kvm-6.16 --set track=no-kick {ZAP}\n", r.stdout)

    def test_run(self):
        r = seamlab("run", "--seconds", "0.2", "--policy", "blind-16", "--set", "operands=clobbered", "--format",
                    "json", os.path.join(ROOT, "scenarios", "boot-accept.yaml"))
        o = json.loads(r.stdout)
        self.assertEqual((o["policy"], o["set"]), ("blind-16", {"operands": "clobbered"}), r.stderr)

    def test_refused(self):
        known = ("kvm-6.19, kvm-6.18, kvm-6.16, resume-and-kick, out-of-tree-2023, exact-92, blind-N with N from "
                 "1 to 1000000")
        for args, text in (
                (["--policy", "kvm"], f"--policy: found 'kvm'; expected a policy that this version knows: {known}"),
                (["--policy", "blind-0"], "--policy: found 'blind-0'; expected a policy"),
                (["--set", "track"], "--set: found 'track'; expected SWITCH=VALUE"),
                (["--set", "=x"], "--set: found switch ''; expected one of install-on-busy, "),
                (["--set", "build-locking=6.19"],
                 "--set build-locking: found '6.19'; expected one of all-vcpus, per-ioctl"),
                (["--set", "teardown=6.19"],
                 "--set teardown: found '6.19'; expected one of pages-first, key-first"),
                (["--set", "track=now"],
                 "--set track: found 'now'; expected one of kick-after, no-kick, kick-on-busy"),
        ):
            for command in ("check", "run"):
                with self.subTest(command=command, args=args):
                    r = seamlab(command, *args, ZAP)
                    self.assertEqual((r.returncode, r.stdout), (2, ""))
                    self.assertIn(f"seamlab {command}: {text}", r.stderr)
        r = seamlab("check", *["--set=track=no-kick"] * 65, ZAP)
        self.assertEqual(r.returncode, 2)
        self.assertIn("--set: found more than 64; expected fewer", r.stderr)
        r = seamlab("check", "--policy", "kvm-6.19", LOCK)
        self.assertEqual(r.returncode, 2)
        self.assertIn("found a scenario of a lock word, which has no host", r.stderr)
        r = seamlab("check", "--policy", "kvm-6.19", os.path.dirname(LOCK))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout, r"\n\d+ as expected, 0 not, \d+ skipped "
                                   r"\(for seamlab run only, or slow, or without a host\)")

    def test_trace_remembers(self):
        with tempfile.TemporaryDirectory() as d:
            trace = os.path.join(d, "t.trace")
            options = ("--policy", "blind-3", "--set", "operands=clobbered", "--trace", trace)
            self.assertEqual(check(ZAP, *options)[1]["kind"], "host-assert")
            for more in ((), ("--scenario", ZAP)):
                r = seamlab("replay", "--format", "json", *more, trace)
                o = json.loads(r.stdout)
                self.assertEqual((r.returncode, o["outcome"]), (0, "reproduced"), r.stderr)
                self.assertEqual((o["policy"], o["set"]), ("blind-3", {"operands": "clobbered"}))
            self.assertIn("policy blind-3 with operands clobbered", seamlab("replay", trace).stdout)

    def test_trace_of_a_file_that_begins_like_one(self):
        """A first line that looks like the trace's own is the file's, and stays a comment."""
        with tempfile.TemporaryDirectory() as d:
            path, trace = os.path.join(d, "s.yaml"), os.path.join(d, "t.trace")
            with open(path, "w", encoding="utf-8") as f:
                f.write("#seamlab: kvm-6.19\n" + read("p2-block-fail"))
            self.assertEqual(check(path, "--trace", trace)[1]["kind"], "host-assert")
            r = seamlab("replay", "--scenario", path, "--format", "json", trace)
            o = json.loads(r.stdout)
            self.assertEqual((r.returncode, o["set"]), (0, {"remove-on-busy": "fail"}), r.stderr)


class Policies(unittest.TestCase):
    def test_each_on_a_screen(self):
        for policy in json.loads(seamlab("policies", "--format", "json").stdout)["policies"]:
            name = policy["name"].replace("-N", "-16")
            with self.subTest(name):
                r = seamlab("policies", name)
                self.assertEqual((r.returncode, r.stderr), (0, ""))
                lines = r.stdout.splitlines()
                self.assertEqual(lines[0], name)
                self.assertLessEqual(len(lines), 60)
                self.assertLessEqual(max(map(len, lines)), 100)
                o = json.loads(seamlab("policies", name, "--format", "json").stdout)
                flat = " ".join(r.stdout.split())
                for site, action in o["sites"].items():
                    self.assertRegex(flat, rf"\b{action} [^:]*\b{site}\b")
                for switch, value in o["switches"].items():
                    self.assertRegex(flat, rf"\b{switch} {value}[:,]|beside BUSY .*\b{switch} {value}$")

    def test_all(self):
        r = seamlab("policies")
        o = json.loads(seamlab("policies", "--format", "json").stdout)
        flat = " ".join(r.stdout.split())
        self.assertEqual(r.returncode, 0)
        for policy in o["policies"]:
            self.assertIn(policy["name"] + " " + policy["text"], flat)
        for setting, values in o["settings"].items():
            self.assertIn(setting, flat)
            self.assertIn(" | ".join(values), flat)

    def test_refused(self):
        r = seamlab("policies", "blind-N")
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("seamlab policies: found 'blind-N'; expected a policy that this version knows: ", r.stderr)
        self.assertEqual(seamlab("policies", "blind-1", "blind-2").returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
