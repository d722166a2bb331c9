#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seamlab report in all its forms, and check over many files: what they say is what replay and run say, and
the forms keep their own rules. The pages are opened in headless Chromium, which playwright-core drives: npm
fetches it into the build directory once. Screenshots stay there, in browser/."""
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

PROGRAM = os.path.abspath(os.environ.get("SEAMLAB", "build/seamlab"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BROWSER = os.path.join(os.path.dirname(PROGRAM), "browser")
SVG = "{http://www.w3.org/2000/svg}"

TITLE = "Evil </script><b>bold</b> & \"quoted\" <!-- ]]> 'too'"
HOSTILE = f"""title: {json.dumps(TITLE)}
td: {{vcpus: 2, memory: {{a: {{state: pending}}}}}}
guest: {{on-busy: fatal}}
run: {{vcpu0: [accept a], vcpu1: [accept a]}}
expect: violated(td-killed)
# </script><img src=x onerror=alert(1)>
"""
FIVE = """title: Five callers on one lock word; what is left of two of them comes to light at the end
lock: {kind: sharex-hp, flavour: published}
run:
  caller0: [exclusive host, release]
  caller1: [shared guest, release]
  caller2: [exclusive host, release]
  caller3: [{loop 22: [exclusive host, release]}]
  caller4: [{loop 22: [exclusive host, release]}]
expect: violated(oracle)
"""
SHIPPED = ["contention/zero-step-pending", "contention/aug-vs-accept-livelock",
           "locks/f1-backoff-corrupts", "zoo/r1-blind-16"]
STATUS_LEAF = "TDH.MEM.PAGE.AUG"


def run(*args, code=0):
    r = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=300, cwd=ROOT)
    if r.returncode != code:
        raise AssertionError(f"{args}: exit {r.returncode}, expected {code}\n{r.stdout[-2000:]}{r.stderr}")
    return r


def setUpModule():
    global DIR, TRACES
    DIR = tempfile.mkdtemp()
    TRACES = {}
    for name, text in (("hostile", HOSTILE), ("five", FIVE)):
        with open(os.path.join(DIR, name + ".yaml"), "w", encoding="utf-8") as f:
            f.write(text)
    files = [os.path.join(ROOT, "scenarios", s + ".yaml") for s in SHIPPED]
    files = [os.path.relpath(f, ROOT) for f in files] + [os.path.join(DIR, n + ".yaml") for n in ("hostile", "five")]
    run("check", "--memory", "1000", "--trace-dir", os.path.join(DIR, "traces"), *files)
    for f in files:
        name = os.path.basename(f).removesuffix(".yaml")
        TRACES[name] = os.path.join(DIR, "traces", name + ".trace")


def tearDownModule():
    shutil.rmtree(DIR)


def path(name):
    return os.path.join(DIR, name)


def report(name, suffix, *options):
    out = path(name + suffix)
    r = run("report", *options, TRACES.get(name, name), "-o", out)
    assert (r.stdout, r.stderr) == ("", ""), r
    with open(out, encoding="utf-8") as f:
        return f.read()


class Page(html.parser.HTMLParser):
    """Elements with their attributes, and the text in scripts, headings and titles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.stack.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if self.stack:
            self.texts[self.stack[-1]][-1] += data


def page_data(text):
    page = Page(text)
    scripts = [s for s in page.texts["script"] if s.strip().startswith("{")]
    assert len(scripts) == 1
    return page, json.loads(scripts[0])


def replayed(name):
    return json.loads(run("replay", "--format", "json", TRACES[name]).stdout)


class Html(unittest.TestCase):
    def test_says_what_replay_says(self):
        for name in TRACES:
            with self.subTest(name):
                _, data = page_data(report(name, ".html"))
                told, replay = data["events"], replayed(name)
                access = [e for e in told if e["kind"] == "access"]
                rows = [s for s in replay["steps"] if re.search(r"\b0x", s["what"])]
                self.assertEqual(len(access), len(rows))
                for e, s in zip(access, rows):
                    values = re.findall(r"0x[0-9a-f]+", s["what"])
                    self.assertEqual((e["step"], data["lanes"][e["lane"]], e["old"], e["new"]),
                                     (s["step"], s["lane"], values[0], values[-1]))
                    name = data["objects"][e["object"]]["name"]
                    self.assertEqual(re.sub(r" \(\d+\)$", "", name), s["object"])
                ends = [(e["step"], e["call"]) for e in told if e["kind"] == "end"]
                self.assertEqual(ends, [(s["step"], s["object"]) for s in replay["steps"]
                                        if not re.search(r"\b0x", s["what"])])
                self.assertEqual(data["steps"], replay["steps_total"])
                self.assertEqual({e["step"] for e in told}, set(range(1, data["steps"] + 1)))
                start = replay["loop_start"]
                if start is None:
                    self.assertIsNone(data["loop"])
                else:
                    self.assertEqual(told[data["loop"]]["step"], start)
                    self.assertLess(told[data["loop"] - 1]["step"], start)

    def test_values_are_decoded(self):
        _, data = page_data(report("aug-vs-accept-livelock", ".html"))
        entry = [e for e in data["events"] if e["kind"] == "access"
                 and data["objects"][e["object"]]["name"].startswith("S-EPT entry")]
        self.assertTrue(entry)
        for e in entry:
            for raw, state in ((e["old"], e["before"]), (e["new"], e["after"])):
                v = int(raw, 16)
                self.assertEqual("+lock" in state, bool(v >> 11 & 1), (raw, state))
                self.assertEqual("+HP" in state, bool(v >> 52 & 1), (raw, state))
        self.assertTrue(any("+HP" in e["after"] for e in entry))
        self.assertTrue(any("+lock" in e["after"] for e in entry))
        busy = [e for e in data["events"] if e.get("tone") == "busy"]
        self.assertTrue(busy)
        for e in busy:
            self.assertIn("BUSY", e["text"])
            self.assertTrue(e["meaning"])
        _, data = page_data(report("five", ".html"))
        for e in data["events"]:
            if e["kind"] == "access":
                v, state = int(e["new"], 16), e["after"]
                self.assertEqual(("EX" in state, "+HP" in state, v < 4),
                                 (bool(v & 1), bool(v & 2), "SH" not in state), (v, state))

    def test_names_functions_and_lines(self):
        for name in SHIPPED:
            _, data = page_data(report(os.path.basename(name), ".html"))
            for e in data["events"]:
                if e["kind"] != "access":
                    continue
                self.assertTrue(e["where"])
                for where in e["where"]:
                    m = re.fullmatch(r"(\w+)  ((?:src|include)/[\w/.]+):(\d+)", where)
                    self.assertTrue(m, where)
                    with open(os.path.join(ROOT, m.group(2)), encoding="utf-8") as f:
                        lines = f.read().split("\n")
                    self.assertLessEqual(int(m.group(3)), len(lines))
                    above = "\n".join(lines[:int(m.group(3))])
                    self.assertIn(re.sub(r"\.(constprop|part|isra|cold).*", "", m.group(1)) + "(", above)

    def test_fetches_nothing_and_escapes(self):
        for name in TRACES:
            text = report(name, ".html")
            page, _ = page_data(text)
            self.assertNotRegex(text, r"https?:|@import|url\(|//[a-z]+\.[a-z]")
            for tag, attrs in page.elements:
                self.assertFalse({"src", "href", "srcset", "data"} & set(attrs), (tag, attrs))
                self.assertNotIn(tag, ("img", "link", "iframe", "object", "embed", "base"))
                self.assertFalse([a for a in attrs if a.startswith("on")], (tag, attrs))
            self.assertEqual(len(page.texts["script"]), 2)
        page, data = page_data(report("hostile", ".html"))
        self.assertEqual(data["title"], TITLE)
        self.assertEqual(page.texts["h1"], [TITLE])
        self.assertEqual(page.texts["title"][0], TITLE)


class Svg(unittest.TestCase):
    def test_is_xml_with_a_row_for_each_event(self):
        for name in TRACES:
            with self.subTest(name):
                _, data = page_data(report(name, ".html"))
                root = ElementTree.fromstring(report(name, ".svg"))
                self.assertEqual(root.tag, SVG + "svg")
                self.assertFalse([e.tag for e in root.iter() if e.tag in (SVG + "script", SVG + "image")])
                rows = [g for g in root.iter(SVG + "g") if (g.get("class") or "").split()[:1] == ["r"]]
                self.assertEqual(len(rows), len(data["events"]))
                loop = [g for g in rows if g.find(SVG + "path[@class='lp']") is not None]
                self.assertEqual(len(loop), len(rows) - data["loop"] if data["loop"] is not None else 0)
                for g, e in zip(rows, data["events"]):
                    self.assertTrue(g.find(SVG + "title").text.startswith(
                        f"step {e['step']}, {data['lanes'][e['lane']]}"))
        root = ElementTree.fromstring(report("hostile", ".svg"))
        self.assertIn(TITLE, ["".join(t.itertext()) for t in root.iter(SVG + "text")])

    def test_states_are_drawn(self):
        """The bars say what the values say: priority has its colour in just the rows in which it stands."""
        _, data = page_data(report("five", ".html"))
        root = ElementTree.fromstring(report("five", ".svg"))
        rows = [g for g in root.iter(SVG + "g") if (g.get("class") or "").split()[:1] == ["r"]]
        now = 0
        for g, e in zip(rows, data["events"]):
            now = int(e["new"], 16) if "new" in e else now
            classes = {r.get("class").split()[0] for r in g.findall(SVG + "rect")}
            self.assertEqual("s-hp" in classes, bool(now & 2))
            self.assertEqual(classes & {"s-free", "s-sh", "s-ex"},
                             {"s-ex" if now & 1 else "s-sh" if now >> 2 else "s-free"})

    def test_without_source(self):
        text = report("aug-vs-accept-livelock", ".svg")
        self.assertRegex(text, r"hplock\.h:\d+")
        self.assertNotRegex(report("aug-vs-accept-livelock", ".svg", "--no-source"), r"\.[ch]:\d|sept_walk")

    def test_picture_in_the_docs(self):
        r = subprocess.run([os.path.join(ROOT, "tools", "picture_docs"), "--check"], text=True,
                           env={**os.environ, "SEAMLAB": PROGRAM}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        self.assertEqual(r.returncode, 0, r.stdout)


class Perfetto(unittest.TestCase):
    def check_rules(self, events):
        """What the format of Chrome's trace events asks for."""
        last, open_slices, ends = {}, {}, {}
        for e in events:
            self.assertIsInstance(e["name"], str)
            self.assertIn(e["ph"], "MBEXiC")
            self.assertTrue(len(e["ph"]) == 1 and all(isinstance(e[k], int) for k in ("pid", "tid")))
            self.assertTrue(isinstance(e["ts"], (int, float)) and e["ts"] >= 0)
            track = e["pid"], e["tid"]
            if e["ph"] == "M":
                self.assertIn(e["name"], ("process_name", "thread_name"))
                self.assertIsInstance(e["args"]["name"], str)
                continue
            self.assertGreaterEqual(e["ts"], last.get(track, 0), e)
            last[track] = e["ts"]
            stack = open_slices.setdefault(track, [])
            if e["ph"] == "B":
                stack.append(e["name"])
            elif e["ph"] == "E":
                self.assertTrue(stack, e)
                self.assertEqual(stack.pop(), e["name"])
            elif e["ph"] == "X":
                self.assertGreater(e["dur"], 0)
                self.assertLessEqual(ends.get(track, 0), e["ts"] + 1e-9)
                ends[track] = e["ts"] + e["dur"]
            elif e["ph"] == "i":
                self.assertIn(e["s"], "gpt")
            elif e["ph"] == "C":
                self.assertTrue(all(isinstance(v, (int, float)) for v in e["args"].values()) and e["args"])
        self.assertEqual([s for s in open_slices.values() if s], [])

    def test_rules(self):
        for name in TRACES:
            with self.subTest(name):
                o = json.loads(report(name, ".json"))
                self.assertEqual(set(o), {"traceEvents", "displayTimeUnit", "otherData"})
                self.assertIn(o["displayTimeUnit"], ("ms", "ns"))
                self.check_rules(o["traceEvents"])
        self.assertEqual(o["otherData"]["program"], run("--version").stdout.split()[1])

    def test_says_what_replay_says(self):
        name = "aug-vs-accept-livelock"
        events, replay = json.loads(report(name, ".json"))["traceEvents"], replayed(name)
        threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
        ends = [(e["name"], e["args"]["status"]) for e in events if e["ph"] == "E" and e["pid"] == 1
                and e["args"]["status"] != "has not ended"]
        self.assertEqual(ends, [(s["object"], s["what"]) for s in replay["steps"] if "0x" not in s["what"]])
        slices = [e for e in events if e["ph"] == "X"]
        for e in slices:
            step = int(e["ts"]) + 1
            lanes = {s["lane"] for s in replay["steps"] if s["step"] == step}
            self.assertTrue(not lanes or threads[1, e["tid"]] in lanes, e)
        marks = [e["name"] for e in events if e["ph"] == "i"]
        sets = [s for s in replay["steps"] if (m := re.search(r"(0x\w+) -> (0x\w+)", s["what"]))
                and s["object"].startswith("S-EPT entry")
                and (int(m.group(1), 16) ^ int(m.group(2), 16)) >> 52 & 1]
        self.assertEqual(len([m for m in marks if m.startswith("HP ")]), len(sets))
        self.assertTrue(sets)
        self.assertEqual(marks.count("the loop begins"), 1)
        self.assertTrue([e for e in events if e["ph"] == "B" and e["pid"] == 2])


class Text(unittest.TestCase):
    def test_replay_fits_a_mail(self):
        for name in TRACES:
            out = run("replay", TRACES[name]).stdout
            self.assertEqual([line for line in out.split("\n") if len(line) > 100
                              and not line.startswith(DIR)], [])
            self.assertEqual(run("report", TRACES[name]).stdout, out)
            self.assertEqual(run("report", "--format", "text", "-o", "-", TRACES[name]).stdout, out)

    def test_bug(self):
        for name in TRACES:
            with self.subTest(name):
                out = run("report", "--bug", TRACES[name]).stdout
                told = out.split("The scenario, ")[0]
                self.assertEqual([line for line in told.split("\n") if len(line) > 100], [])
                self.assertIn(f"seamlab       {run('--version').stdout.split()[1]}, build ", told)
                replay = replayed(name)
                self.assertIn(f"({replay['steps_total']} steps", told)
                self.assertEqual("again and again" in told, replay["loop_start"] is not None)
                for s in replay["steps"]:
                    if "0x" not in s["what"]:
                        self.assertRegex(told, rf"(?m)^ +{s['step']} {s['lane']} +{re.escape(s['object'])}: ")
                command = re.search(r"Reproduce it:\n  seamlab (.*)\n$", out).group(1).split()
                self.assertIn(f"violated({replay['kind']})", run(*command).stdout)
        with open(os.path.join(ROOT, "scenarios", SHIPPED[1] + ".yaml"), encoding="utf-8") as f:
            scenario = "".join(f"    {line}" if line.strip() else line for line in f)
        self.assertIn(scenario, run("report", "--bug", TRACES["aug-vs-accept-livelock"]).stdout)

    def test_bug_keeps_the_policy(self):
        trace = path("policy.trace")
        run("check", "--policy", "blind-2", "--set", "track=no-kick", "--trace", trace,
            "scenarios/zoo/r1-kick-once.yaml", code=1)
        out = run("report", "--bug", trace).stdout
        self.assertIn("seamlab check --policy blind-2 --set track=no-kick scenarios/zoo/r1-kick-once.yaml", out)
        self.assertIn("policy blind-2 with track no-kick", out)


class Errors(unittest.TestCase):
    def test_usage(self):
        trace = TRACES["hostile"]
        for args, text in [
            ((), "no file"),
            ((trace, "-o", path("x.pdf")), "expected a name in .html, .svg, .json or .txt, or --format"),
            ((trace, "--format", "pdf"), "expected html, svg, perfetto or text"),
            ((trace, trace), "a second file"),
            ((trace, "--bug", "--format", "svg"), "found --bug with another format"),
            ((path("none"),), "none: cannot open"),
            ((trace, "-o", os.path.join(DIR, "no", "x.svg")), "cannot write"),
        ]:
            r = run("report", *args, code=2)
            self.assertEqual(r.stdout, "")
            self.assertIn(text, r.stderr)

    def test_no_run(self):
        for text, what in (("{\"leaves\": 1}", "expected what seamlab run --format json wrote"),
                           ("{\"leaves\": ", ":1:"), ("{}", "'leaves', 'sites' and 'counters'")):
            with open(path("bad.json"), "w", encoding="utf-8") as f:
                f.write(text)
            self.assertIn(what, run("report", path("bad.json"), "--format", "html", code=2).stderr)
        with open(path("bad.json"), "w", encoding="utf-8") as f:
            f.write("SLTRACE or not")
        self.assertIn("a file of another kind", run("report", path("bad.json"), code=2).stderr)


class Run(unittest.TestCase):
    def test_page(self):
        out = run("run", "--format", "json", "--seconds", "1", "scenarios/accept-storm.yaml").stdout
        o = json.loads(out)
        with open(path("run.json"), "w", encoding="utf-8") as f:
            f.write(out)
        for name, site in o["sites"].items():
            self.assertEqual(sum(n for _, n in site["histogram"]), site["contended"], name)
        times = o["timeline"]["seconds"]
        self.assertGreaterEqual(len(times), 5)
        self.assertEqual(times, sorted(times))
        for name, values in o["timeline"].items():
            self.assertEqual(values, sorted(values), name)
            self.assertEqual(len(values), len(times), name)
            if name != "seconds":
                self.assertLessEqual(values[-1], o["counters"][name])
        run("report", path("run.json"), "-o", path("run.html"))
        with open(path("run.html"), encoding="utf-8") as f:
            text = f.read()
        page = Page(text)
        self.assertNotIn("script", page.texts)
        self.assertNotRegex(text, r"https?:|url\(")
        busy = [(leaf, operand) for leaf, v in o["leaves"].items() for operand in v["busy_by_operand"]]
        self.assertTrue(busy)
        for leaf, operand in busy:
            self.assertIn(f"<td>{leaf}</td><td>{operand}</td>", text)
        self.assertEqual(len([s for s in o["sites"].values() if s["contended"]]) +
                         len([v for k, v in o["timeline"].items() if k != "seconds" and v[0] < v[-1]]),
                         len(page.texts["h3"]))
        run("report", path("run.json"), "-o", path("run.svg"), code=2)

    def test_escapes(self):
        evil = "</title><script>alert(1)</script>"
        o = {"title": evil, "verdict": evil, "kind": evil, "release": evil, "file": evil, "seed": evil,
             "policy": evil, "counters": {}, "seconds": 1,
             "leaves": {evil: {"calls": 2, "busy_by_operand": {evil: 1}}},
             "sites": {evil: {"contended": 1, "histogram": [[1, 1], ["x"], 5]}},
             "timeline": {"seconds": [1, 2], evil: [1, 5], "x": [1], "y": 3},
             "findings": [{"kind": evil, "lane": evil, "id": evil, "text": evil}, 7]}
        with open(path("evil.json"), "w", encoding="utf-8") as f:
            json.dump(o, f)
        run("report", path("evil.json"), "-o", path("evil.html"))
        with open(path("evil.html"), encoding="utf-8") as f:
            page = Page(f.read())
        self.assertNotIn("script", page.texts)
        self.assertEqual(page.texts["h1"], [evil])


class Many(unittest.TestCase):
    FILES = ["scenarios/locks/mutex.yaml", "scenarios/locks/f1-backoff-corrupts.yaml"]

    def setUp(self):
        self.wrong = path("wrong#1\".yaml")
        with open(self.wrong, "w", encoding="utf-8") as f:
            f.write(HOSTILE.replace("violated(td-killed)", "holds"))
        self.none = path("none.yaml")
        self.all = [*self.FILES, self.wrong, self.none]

    def test_ktap(self):
        lines = run("check", "--format", "ktap", *self.all, code=2).stdout.split("\n")
        self.assertEqual(lines[:2], ["KTAP version 1", "1..4"])
        self.assertEqual(lines.pop(), "")
        results = []
        for line in lines[2:]:
            m = re.fullmatch(r"(ok|not ok) (\d+) ([^#]*)|# .*", line)
            self.assertTrue(m, line)
            if m.group(1):
                results.append(m.groups())
        self.assertEqual([int(r[1]) for r in results], [1, 2, 3, 4])
        self.assertEqual([r[0] for r in results], ["ok", "ok", "not ok", "not ok"])
        self.assertEqual([r[2] for r in results], [*self.FILES, self.wrong.replace("#", "_"), self.none])
        self.assertEqual(lines[-1], "# Totals: pass:2 fail:1 xfail:0 xpass:0 skip:0 error:1")
        self.assertIn("violated(td-killed), expected holds", "\n".join(lines))

    def test_junit(self):
        root = ElementTree.fromstring(run("check", "--format", "junit", *self.all, code=2).stdout)
        suite = root.find("testsuite")
        self.assertEqual([suite.get(k) for k in ("tests", "failures", "errors", "skipped")], ["4", "1", "1", "0"])
        cases = suite.findall("testcase")
        self.assertEqual([os.path.join(c.get("classname"), c.get("name")) for c in cases], self.all)
        self.assertEqual([[e.tag for e in c] for c in cases], [[], [], ["failure"], ["error"]])
        self.assertIn("violated(td-killed), expected holds", cases[2][0].get("message"))

    def test_json(self):
        o = json.loads(run("check", "--format", "json", *self.all, code=2).stdout)
        self.assertEqual([r["file"] for r in o["results"]], self.all)
        self.assertEqual([o[k] for k in ("as_expected", "not_as_expected", "errors", "skipped")], [2, 1, 1, 0])
        self.assertIn("cannot open", o["results"][3]["error"])
        one = json.loads(run("check", "--format", "json", self.FILES[1]).stdout)
        same = o["results"][1]
        self.assertEqual({k for k in one if one[k] != same[k]} - {"seconds", "states_per_second",
                                                                 "transitions_per_second"}, set())

    def test_folder(self):
        folder = path("folder")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(ROOT, "scenarios", "boot-accept.yaml"), folder)
        shutil.copy(os.path.join(ROOT, self.FILES[0]), folder)
        out = run("check", "--format", "ktap", folder).stdout
        self.assertRegex(out, r"(?m)^ok 1 .*/boot-accept\.yaml # SKIP ")
        self.assertIn("skip:1", out)
        self.assertEqual(json.loads(run("check", "--format", "json", folder).stdout)["skipped"], 1)
        root = ElementTree.fromstring(run("check", "--format", "junit", folder).stdout)
        self.assertEqual([e.tag for e in root.find("testsuite/testcase")], ["skipped"])

    def test_slow(self):
        """Left out of a folder, checked where it is named."""
        folder = path("slow")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(ROOT, self.FILES[0]), encoding="utf-8") as f:
            text = f.read()
        slow = os.path.join(folder, "slow.yaml")
        with open(slow, "w", encoding="utf-8") as f:
            f.write(text + "slow: true\n")
        out = run("check", "--format", "ktap", folder).stdout
        self.assertRegex(out, r"(?m)^ok 1 .*/slow\.yaml # SKIP .*slow")
        self.assertNotIn("SKIP", run("check", "--format", "ktap", slow).stdout)


class Browser(unittest.TestCase):
    def install(self):
        source = os.path.join(ROOT, "tests", "browser", "package.json")
        with open(source, encoding="utf-8") as f:
            wanted = json.load(f)["dependencies"]["playwright-core"]
        installed = os.path.join(BROWSER, "node_modules", "playwright-core", "package.json")
        if os.path.exists(installed):
            with open(installed, encoding="utf-8") as f:
                if json.load(f)["version"] == wanted:
                    return
        os.makedirs(BROWSER, exist_ok=True)
        shutil.copy(source, BROWSER)
        r = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund",
                            "--ignore-scripts", "--loglevel=error"], cwd=BROWSER, text=True, timeout=300,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_pages(self):
        chromium = shutil.which("chromium")
        self.assertTrue(chromium, "no chromium; see tools/packages.txt")
        self.install()
        traces, pages = [], []
        for name in ("zero-step-pending", "r1-blind-16", "five", "hostile"):
            _, data = page_data(report(name, ".html"))
            shutil.copy(path(name + ".html"), BROWSER)
            state = {o["name"]: o["first"] for o in data["objects"]}
            for e in data["events"]:
                if e["kind"] == "access":
                    state[data["objects"][e["object"]]["name"]] = e["after"]
            first = [i for i, e in enumerate(data["events"]) if e["lane"] == 0]
            traces.append({"name": name, "file": os.path.join(BROWSER, name + ".html"), "limit": 2,
                           "events": len(data["events"]), "steps": data["steps"], "loop": data["loop"],
                           "states": state, "first_lane": len(first), "rows_of_first_lane": first})
        with open(path("run.json"), "w", encoding="utf-8") as f:
            f.write(run("run", "--format", "json", "--seconds", "1", "scenarios/accept-storm.yaml").stdout)
        run("report", path("run.json"), "-o", os.path.join(BROWSER, "run.html"))
        shutil.copy(os.path.join(ROOT, "docs", "img", "livelock.svg"), BROWSER)
        pages.append({"name": "run", "file": os.path.join(BROWSER, "run.html"),
                      "shows": ["BUSY by leaf and operand", "TDH.MEM.RANGE.BLOCK", "p99.9", "kicks"]})
        pages.append({"name": "livelock", "file": os.path.join(BROWSER, "livelock.svg"),
                      "shows": [STATUS_LEAF, "TDX_OPERAND_BUSY(RCX)", "loop"]})
        job = os.path.join(BROWSER, "job.json")
        with open(job, "w", encoding="utf-8") as f:
            json.dump({"chromium": chromium, "traces": traces, "pages": pages}, f)
        r = subprocess.run(["node", os.path.join(ROOT, "tests", "browser", "report.js"), job], text=True,
                           env={**os.environ, "NODE_PATH": os.path.join(BROWSER, "node_modules")}, timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(r.stdout, file=sys.stderr)
        self.assertEqual(r.returncode, 0, r.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
