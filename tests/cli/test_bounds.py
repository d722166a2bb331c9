#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab bounds: the table of all presets, the commands that it gives, and what claims say of its numbers."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("SEAMLAB", "build/seamlab")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SET = os.path.join(ROOT, "scenarios", "bounds")
LOCK = os.path.join(ROOT, "scenarios", "locks", "mutex.yaml")


def seamlab(*args):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)


def scenario(name):
    return os.path.join(SET, name + ".yaml")


def with_claims(name, claims):
    with open(scenario(name), encoding="utf-8") as f:
        text = "\n".join(line for line in f.read().split("\n") if not line.startswith("claims:"))
    f = tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8")
    f.write(text + f"\nclaims: [{claims}]\n")
    f.flush()
    return f


class Table(unittest.TestCase):
    def test_every_preset(self):
        """The numbers that the policies' own rules allow to work out by hand, for what comes with the program."""
        r = seamlab("bounds", "--format", "json")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        o = json.loads(r.stdout)
        self.assertTrue(o["complete"])
        policies = {p["policy"]: p["sites"] for p in o["policies"]}
        listed = json.loads(seamlab("policies", "--format", "json").stdout)["policies"]
        self.assertEqual(list(policies), [p["name"].replace("-N", "-16") for p in listed])
        files = sorted(f for f in os.listdir(SET) if f.endswith(".yaml"))
        for p in o["policies"]:
            self.assertEqual([os.path.basename(s["file"]) for s in p["scenarios"]], files)
            self.assertTrue(all(s["complete"] and s["states"] for s in p["scenarios"]))

        def cell(policy, site):
            s = policies[policy][site]
            self.assertTrue(s["exact"])
            return s["in_one_visit"], s["in_a_row"]
        for zap in ("zap-block", "zap-track", "zap-remove"):
            for policy in ("kvm-6.19", "kvm-6.18", "kvm-6.16", "resume-and-kick"):
                self.assertEqual(cell(policy, zap), (1, 1), (policy, zap))
            self.assertEqual(cell("blind-16", zap), (16, 16))
        self.assertEqual(cell("out-of-tree-2023", "zap-track"), ("unfair", "unfair"))
        self.assertEqual(cell("kvm-6.19", "fault-aug"), ("unbounded", "unbounded"))
        self.assertEqual(cell("exact-92", "fault-aug"), (16, "unbounded"))
        for policy in policies:
            for site in ("split-block", "split-demote"):
                self.assertEqual(cell(policy, site), (1, 1), (policy, site))
            track = ("unfair", "unfair") if policy == "out-of-tree-2023" else (1, 1)
            self.assertEqual(cell(policy, "split-track"), track, policy)
            # Before there was one guard around them, the ioctls that build met each other.
            busy = (1, 1) if policy in ("kvm-6.18", "kvm-6.16") else (0, 0)
            for site in ("build-vp-create", "build-vp-addcx", "build-vp-init", "init-mem-add", "init-mem-extend",
                         "init-mem-finalize"):
                self.assertEqual(cell(policy, site), busy, (policy, site))
        self.assertEqual(cell("out-of-tree-2023", "promote-page"), (1, 1))
        # Every site has a number or a reason.
        with open(os.path.join(ROOT, "src", "host", "site.def"), encoding="utf-8") as f:
            sites = set(re.findall(r'^SL_HOST_SITE\(\w+, "([^"]+)"', f.read(), re.M))
        self.assertGreater(len(sites), 40)
        for p in o["policies"]:
            self.assertEqual(set(p["sites"]) | set(p["not_reached"]), sites)
            self.assertFalse(set(p["sites"]) & set(p["not_reached"]))
            self.assertEqual(p["not_reached"]["hp-replay"], "only with on-hp-timeout=replay")
            self.assertEqual("promote-page" in p["not_reached"], p["policy"] != "out-of-tree-2023")
        for policy, sites in policies.items():
            for site in ("build-create", "build-key-config", "build-addcx", "build-init", "reclaim-leaf", "reclaim-tdr",
                         "vpflushdone", "freeid", "cache-wb", "zap-wbinvd", "pamt-add", "pamt-remove"):
                self.assertEqual(cell(policy, site), (0, 0), (policy, site))
            self.assertEqual(sites["zap-wbinvd"]["scenario"], None)

    def test_hardened_mends_local_retry(self):
        r = seamlab("bounds", "--policy", "kvm-6.19", "--flavour", "hardened", "--format", "json")
        sites = json.loads(r.stdout)["policies"][0]["sites"]
        self.assertEqual(sites["fault-aug"]["in_one_visit"], "unfair")

    def test_all_presets_text(self):
        """One table with a column for each preset, and for each cell a command that comes to what it says."""
        few = ("bounds", scenario("track-vs-enter"), scenario("zap-vs-attr"), scenario("promote-vs-attr"))
        first = seamlab(*few)
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertEqual(seamlab(*few).stdout, first.stdout)
        table = first.stdout.split("\nnever BUSY")[0].split("\n")
        self.assertLess(max(map(len, table)), 101)
        self.assertFalse([line for line in table if line != line.rstrip()])
        rows = {line.split()[0]: line.split()[1:] for line in table if re.match(r"[a-z]+-[a-z]+ |enter ", line)}
        self.assertEqual(rows["zap-track"], ["1", "1", "1", "1", "unfair", "1", "16"])
        self.assertEqual(rows["promote-page"], ["-", "-", "-", "-", "1", "-", "-"])
        self.assertIn("only with on-hp-timeout=replay", first.stdout)
        self.assertRegex(first.stdout, r"pamt-remove.*:\n +not in these scenarios")
        commands = re.findall(r"^ +(seamlab check .*)$", first.stdout, re.M)
        self.assertGreater(len(commands), 4)
        with tempfile.TemporaryDirectory() as d:
            for n, command in enumerate(commands):
                words = shlex.split(command)[1:]
                trace = os.path.join(d, f"{n}.trace")
                if "--cycle" not in words:
                    o = json.loads(seamlab(*words, "--format", "json").stdout)
                    self.assertTrue(o["bounds_exact"], command)
                    self.assertIn(16 if "blind-16" in words else 1, o["bounds"].values(), command)
                    continue
                r = seamlab(*words, "--trace", trace)
                self.assertEqual(r.returncode, 0, command + r.stdout + r.stderr)
                self.assertIn("are the loop", r.stdout)
                replay = seamlab("replay", trace)
                self.assertEqual(replay.returncode, 0, replay.stdout + replay.stderr)

    def test_one_preset_is_one_screen(self):
        """80 columns, 48 lines to the end of the table and what explains it; each row's scenario shows the number."""
        for policy in ("kvm-6.18", "out-of-tree-2023"):
            r = seamlab("bounds", "--policy", policy)
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            lines = r.stdout.split("\nsome schedules end")[0].split("\n")
            self.assertLessEqual(len(lines), 48, policy)
            self.assertLessEqual(max(map(len, r.stdout.split("\n"))), 80, policy)
        rows = re.findall(r"^(\S+) +(\S+) +(scenarios/bounds/\S+)$", r.stdout, re.M)
        self.assertIn(("split-track", "unfair", "scenarios/bounds/split-vs-attr.yaml"), rows)
        number, loop = re.findall(r"^a (?:number|loop) +seamlab (.*)$", r.stdout, re.M)
        for site, busy, path in rows:
            quick = ("promote-vs-attr", "split-vs-attr", "track-vs-enter")
            if path not in (scenario(n)[len(ROOT) + 1:] for n in quick):
                continue
            if busy == "unfair":
                o = seamlab(*loop.replace("SITE", site).replace("SCENARIO", path).split())
                self.assertIn("are the loop", o.stdout, site)
            else:
                o = json.loads(seamlab(*number.replace("SCENARIO", path).split(), "--format", "json").stdout)
                self.assertEqual(str(o["bounds"][site]), busy)

    def test_switches_and_releases(self):
        """A switch brings sites into the table; a release without dynamic PAMT leaves its scenario out."""
        files = [scenario(n) for n in ("prefault-vs-accept", "vcpu-vs-finalize")]
        for args, there in (((), False), (("--set", "on-hp-timeout=replay"), True)):
            r = seamlab("bounds", "--policy", "kvm-6.19", *args, "--format", "json", *files)
            o = json.loads(r.stdout)["policies"][0]
            self.assertEqual("hp-replay" in o["sites"], there, r.stdout)
            self.assertEqual("hp-replay" in o["not_reached"], not there)
        self.assertEqual(o["sites"]["hp-replay"]["in_one_visit"], 1)
        r = seamlab("bounds", "--policy", "kvm-6.19", "--release", "1.5.01", "--format", "json")
        self.assertEqual(r.returncode, 0, r.stderr)
        o = json.loads(r.stdout)["policies"][0]
        left = [s for s in o["scenarios"] if s["left_out"]]
        self.assertEqual([os.path.basename(s["file"]) for s in left], ["dynamic-pamt.yaml"])
        self.assertIn("has no dynamic PAMT", left[0]["detail"])
        self.assertEqual(o["not_reached"]["pamt-add"], "not in these scenarios")
        r = seamlab("bounds", "--policy", "kvm-6.19", "--release", "1.5.01", scenario("dynamic-pamt"))
        self.assertEqual(r.returncode, 2)
        self.assertIn("has no dynamic PAMT", r.stderr)

    def test_limits(self):
        r = seamlab("bounds", "--policy", "kvm-6.19", "--time", "0.02")
        self.assertEqual(r.returncode, 3, r.stderr)
        self.assertIn("inconclusive (?)", r.stdout)
        self.assertIn("(limit reached: time)", r.stdout)
        r = seamlab("bounds", "--policy", "kvm-6.19", "--time", "0.02", "--format", "json")
        o = json.loads(r.stdout)
        self.assertFalse(o["complete"])
        self.assertIn("time", [s["limit"] for s in o["policies"][0]["scenarios"]])

    def test_bad_input(self):
        for args, expected in ((("--policy", "kvm"), "expected a policy"),
                               (("--release", "9"), "release: found '9'; expected one of 1.5.01"),
                               (("--flavour", "x"), "flavour: found 'x'; expected one of"),
                               (("--time", "x"), "--time: found 'x'"),
                               (("--set", "track"), "expected SWITCH=VALUE"),
                               ((LOCK,), "a lock word"),
                               (("no.yaml",), "no.yaml")):
            r = seamlab("bounds", *args)
            self.assertEqual(r.returncode, 2, args)
            self.assertIn(expected, r.stderr)
        r = seamlab("check", "--cycle", "fault", scenario("fault-vs-accept"))
        self.assertEqual(r.returncode, 2)
        self.assertIn("expected a site of the host", r.stderr)


class Numbers(unittest.TestCase):
    def verdict(self, name, claims, *options):
        with with_claims(name, claims) as f:
            r = seamlab("check", "--format", "json", *options, f.name)
            return json.loads(r.stdout)["verdict"]

    def test_claims_agree(self):
        """A claim with the number holds, and with one less it does not: in a visit, and in a row."""
        for name, policy, site, leaf in (("fault-vs-accept", "blind-5", "fault-aug", "TDH.MEM.PAGE.AUG"),
                                         ("fault-vs-accept", "resume-and-kick", "fault-aug", "TDH.MEM.PAGE.AUG"),
                                         ("track-vs-enter", "blind-7", "zap-track", "TDH.MEM.TRACK"),
                                         ("zap-vs-attr", "kvm-6.19", "zap-block", "TDH.MEM.RANGE.BLOCK")):
            r = seamlab("bounds", "--policy", policy, "--format", "json", scenario(name))
            s = json.loads(r.stdout)["policies"][0]["sites"][site]
            for claim, most in ((f"retries({site})", s["in_one_visit"]), (f"busy({leaf})", s["in_a_row"])):
                self.assertGreater(most, 0)
                below = self.verdict(name, f"{claim} <= {most - 1}", "--policy", policy)
                self.assertEqual(below, "violated", (name, policy, claim))
                # The last BUSY of blind-N bugs the VM in a zap: that is no bound.
                if policy != "blind-7":
                    at = self.verdict(name, f"{claim} <= {most}", "--policy", policy)
                    self.assertEqual(at, "holds", (name, policy, claim))

    def test_the_same_without_checkpoints_reduction_and_fingerprints(self):
        """Bounds are a matter of the program, not of how states are told apart."""
        for policy in ("kvm-6.19", "blind-3"):
            seen = set()
            for options in ((), ("--no-reduction",), ("--hash-seed", "7"), ("--exact",)):
                r = seamlab("check", "--bounds", "--format", "json", "--policy", policy, *options,
                            scenario("fault-vs-accept"))
                o = json.loads(r.stdout)
                self.assertTrue(o["bounds_exact"], r.stdout)
                seen.add(json.dumps(o["bounds"]))
            self.assertEqual(len(seen), 1, (policy, seen))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
