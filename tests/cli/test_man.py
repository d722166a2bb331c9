#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manual pages: groff has nothing to say against them, they agree with the program, the headers and docs/ that they
are made from, and each command under EXAMPLES does what it is shown for."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SEAMLAB_BUILD"]
PAGES = os.path.join(BUILD, "man")
PROGRAM = os.path.join(BUILD, "seamlab")
TOOL = os.path.join(ROOT, "tools", "man_page")
SKIP_HPLOCK = r"hp_report_misuse|[a-z_]+_host_(take|share)"


def run(*args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False, **kw)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def pages():
    return sorted(n for n in os.listdir(PAGES) if re.fullmatch(r"[a-z-]+\.[135]", n))


def commands():
    return re.findall(r"^  ([a-z][a-z-]*) ", run(PROGRAM, "help").stdout, re.M)


def render(path):
    """The page as plain text in long lines, and what groff complains about."""
    r = run("groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=4000n", "-rHY=0", path)
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", r.stdout), r.stderr


def section(text, title):
    m = re.search(rf"^{title}\n(.*?)(?=^\S|\Z)", text, re.M | re.S)
    return m.group(1) if m else ""


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = {}
        for name in pages():
            cls.text[name], errors = render(os.path.join(PAGES, name))
            assert not errors, errors

    def test_all_are_there(self):
        self.assertGreater(len(commands()), 5)
        for name in [f"seamlab-{c}.1" for c in commands()] + [
                "seamlab.1", "seamlab-cc.1", "seamlab-scenario.5", "seamlab-trace.5", "hplock.3",
                "seamlab-policy.3", "seamlab-seamcall.3"]:
            self.assertIn(name, self.text)

    def test_name(self):
        for name, text in self.text.items():
            self.assertRegex(section(text, "NAME"), rf"^ +{name[:-2]} - \S")

    def test_at_eighty_columns(self):
        for name in pages():
            r = run("groff", "-man", "-Tutf8", "-ww", "-z", "-rLL=78n", os.path.join(PAGES, name))
            self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""), name)

    def test_references(self):
        for name, text in self.text.items():
            for page, number in re.findall(r"\b(seamlab[a-z-]*|hplock)\((\d)\)", text):
                self.assertIn(f"{page}.{number}", self.text, name)

    def test_options_are_those_of_the_program(self):
        for command in commands():
            shown = run(PROGRAM, command, "--help").stdout
            real = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", shown, re.M))
            listed = set(re.findall(r"^ +(?:-\S, )?(--[a-z-]+)", section(self.text[f"seamlab-{command}.1"],
                                                                        "OPTIONS"), re.M))
            self.assertEqual(real, listed, command)
            for option in sorted(listed - {"--help", "--usage"}):
                # The program takes it: what it complains about is something else.
                r = run(PROGRAM, command, option + ("=" if f"{option}=" in shown else ""), "--usage")
                self.assertNotIn("unrecognized", r.stderr, option)
                self.assertNotIn("doesn't allow an argument", r.stderr, option)

    def test_exit_status(self):
        for command in commands():
            said = re.search(r"^Exit status:(.*)\Z", run(PROGRAM, command, "--help").stdout, re.M | re.S)
            listed = re.findall(r"^ +(\d+)$", section(self.text[f"seamlab-{command}.1"], "EXIT STATUS"), re.M)
            self.assertEqual(set(re.findall(r"\b\d+\b", said.group(1))), set(listed), command)
            # All of them are among those of the program.
            self.assertLessEqual(set(listed), set(re.findall(r"^ +(\d+)$", section(
                self.text["seamlab.1"], "EXIT STATUS"), re.M)), command)

    def declared(self, text, name):
        self.assertTrue(re.search(rf"^ +[a-z][\w ]* \*?{name}\(.*\);$", text, re.M), name)

    def test_hplock_has_every_function(self):
        header = read("include", "seamlab", "hplock.h")
        names = {n for n in re.findall(r"^(?:static inline )?[a-z][\w ]*?\b(\w+)\([^;{]*\)[^;{]*[;\n]", header, re.M)
                 if not re.fullmatch(SKIP_HPLOCK, n) and not n.startswith("__")}
        self.assertGreater(len(names), 30)
        text = self.text["hplock.3"]
        for name in names:
            self.declared(text, name)
        for word in ("G7", "P3", "HP_BUSY_HOST_PRIORITY", "SEPT_ENTRY_HP_BIT"):
            self.assertIn(word, text)

    def test_seamcall_has_every_function(self):
        header = re.sub(r"/\*.*?\*/", "", read("include", "seamlab", "seamcall.h"), flags=re.S)
        names = re.findall(r"^SL_API [^;]*?(\w+)\(", header, re.M)
        self.assertGreater(len(names), 15)
        for name in names:
            self.declared(self.text["seamlab-seamcall.3"], name)

    def test_policy_has_every_member(self):
        header = re.sub(r"/\*.*?\*/", "", read("include", "seamlab", "policy.h"), flags=re.S)
        words = set(re.findall(r"\b(?:SL_[A-Z_]+|sl_policy\w*|on_\w+)\b", header))
        self.assertGreater(len(words), 25)
        for word in words:
            self.assertIn(word, self.text["seamlab-policy.3"])

    def test_formats_have_every_word(self):
        for doc, page in (("scenario.md", "seamlab-scenario.5"), ("trace.md", "seamlab-trace.5")):
            text = re.sub(r"\]\([^)]*\)", "", read("docs", doc))
            text = re.sub(r"^# .*$|^\|[-| ]*\|$", "", text, flags=re.M)
            words = set(re.findall(r"[A-Za-z0-9][\w.@:-]*\w", text.replace("`", " ")))
            shown = self.text[page].upper()
            lost = sorted(w for w in words if w.upper() not in shown)
            # Heads of tables whose first columns say all are left out.
            heads = re.findall(r"^(\|.*)\n\|[-| ]*\|$", read("docs", doc), re.M)
            self.assertLessEqual(set(lost), set(re.findall(r"\w+", " ".join(heads))), lost)
            self.assertGreater(len(words), 200)


class Examples(unittest.TestCase):
    def examples(self, name):
        expected = 0
        for row in section_of_source(name, "EXAMPLES"):
            m = re.match(r"^# exit (\d+)$", row)
            if m:
                expected = int(m.group(1))
            elif row.startswith("$ "):
                yield row[2:], expected
                expected = 0

    def test_each(self):
        env = dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}")
        for name in sorted(n for n in os.listdir(os.path.join(ROOT, "man")) if n.endswith(".scd")):
            found = list(self.examples(name))
            self.assertTrue(found, name)
            for command, expected in found:
                with self.subTest(f"{name}: {command}"):
                    r = subprocess.run(command, shell=True, cwd=ROOT, env=env, timeout=120,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, check=False)
                    self.assertEqual(r.returncode, expected, r.stdout[-2000:])


def section_of_source(name, title):
    m = re.search(rf"^# {title}\n(.*?)(?=^# [A-Z]|\Z)", read("man", name), re.M | re.S)
    return m.group(1).split("\n") if m else []


class Converter(unittest.TestCase):
    """tools/man_page on texts that are hard for it."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.dir.cleanup()

    def make(self, kind, name, text, *args):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        page = os.path.join(self.dir.name, "page.5")
        r = run(TOOL, page, kind, path, *args)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        shown, errors = render(page)
        self.assertEqual(errors, "")
        return shown

    def test_document(self):
        shown = self.make("document", "x.md", """# Title

'quote begins `a_b*c` and [a `link`](x.md#y), **strong**, *soft*, 2*3*4, a_b_c, back\\slash.

## Words & `code`

| key | value | default |
|---|---|---|
| `a|b` | one \\| two | `-x` |
| `#c` | none | |

| at | bytes | |
|---|---|---|
| 0 | 8 | magic |

* first
  goes on
* second

1. one
2. two

- no list of ours
#hash

    indented *as is* .x

    second

```sh
# exit 1
a | b
```
""", "x - y")
        for text in ("       x - y\n", "'quote begins a_b*c and a link, strong, soft, 2*3*4, a_b_c, back\\slash.",
                     "\nWORDS & CODE\n", "a|b\n", "one | two\n", "default: -x\n", "#c\n", "at 0\n", "bytes: 8\n",
                     "magic\n", "first goes on\n", "second\n", "indented *as is* .x\n", "# exit 1\n", "a | b\n"):
            self.assertIn(text, shown)

    def test_header(self):
        shown = self.make("header", "x.h", """/* SPDX-License-Identifier: MIT */
/*
 * x.h - what it is
 *
 * Says @what it is.
 *
 *   kept    as
 *           it is
 *
 * a | b
 * --|--
 */
#ifndef X_H
#define X_H

/* A kind. */
enum kind {
	ONE, /* the first */
};

/* ---- making ---- */

/* Makes @a_thing. */
SL_API struct x *x_make(struct a *a_thing,
			int n);
/* Inline. */
static inline int x_size(const struct x *x)
{
	return x_hidden(x); /* no declaration(this); */
}
static inline int x_hidden(const struct x *x)
{
	return 0;
}
#endif
""", "x - y", "x_hidden")
        for text in ("#include <seamlab/x.h>", "Says what it is.", "kept    as\n", "a | b\n", "A kind.",
                     "ONE, /* the first */", "\nMAKING\n", "struct x *x_make(struct a *a_thing, int n);\n",
                     "Makes a_thing.", "int x_size(const struct x *x);\n"):
            self.assertIn(text, shown)
        self.assertNotIn("x_hidden", shown)
        self.assertNotIn("declaration(this)", shown)

    def test_unknown_mark(self):
        path = os.path.join(self.dir.name, "t.scd")
        with open(path, "w", encoding="utf-8") as f:
            f.write('x(1)\n\n# NAME\n\n@NAMES@\n')
        r = run(TOOL, "-", "command", PROGRAM, "check", path)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("found the mark @NAMES@", r.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
