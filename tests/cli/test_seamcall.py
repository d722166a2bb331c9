#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library as others have it: an installed tree, found by pkg-config alone. The example that is a
kernel in small is built and run against it, as is code that brings a kernel's own headers."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SEAMLAB_BUILD"]
COMPILERS = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
RUNS = 10

# A kernel's header: the same names, its own types, status names as macros.
OWN_TDX_H = """
typedef unsigned long long u64;
struct tdx_module_args {
	u64 rcx; u64 rdx; u64 r8; u64 r9; u64 r10; u64 r11;
	u64 r12; u64 r13; u64 r14; u64 r15; u64 rbx; u64 rdi; u64 rsi;
};
u64 __seamcall(u64 fn, struct tdx_module_args *args);
u64 __seamcall_ret(u64 fn, struct tdx_module_args *args);
u64 __seamcall_saved_ret(u64 fn, struct tdx_module_args *args);
u64 __tdcall(u64 fn, struct tdx_module_args *args);
u64 __tdcall_ret(u64 fn, struct tdx_module_args *args);
u64 __tdcall_saved_ret(u64 fn, struct tdx_module_args *args);
#define TDX_SUCCESS                0ULL
#define TDX_OPERAND_INVALID        0xC000010000000000ULL
#define TDX_SEAMCALL_VMFAILINVALID 0x8000FF00FFFF0000ULL
"""

OWN_KERNEL = """
#include <stdio.h>
#include "tdx.h"
#define SEAMLAB_OWN_TDX_H
#include <seamlab/seamcall.h>

int main(void)
{
	struct sl_machine_config config;
	struct tdx_module_args args = { 0 };
	struct sl_machine *m;

	if (__seamcall(33, &args) != TDX_SEAMCALL_VMFAILINVALID)
		return 1;
	sl_machine_config_init(&config);
	config.private_pages = 1;
	m = sl_machine_create(&config);
	if (!m || sl_lp_bind(sl_machine_lp(m, 0)))
		return 2;
	/* TDH.SYS.INIT with a reserved operand, then as it should be. */
	args.rcx = 1;
	if ((__seamcall(33, &args) & ~0xFFFFFFFFULL) != TDX_OPERAND_INVALID || args.rcx != 1)
		return 3;
	args.rcx = 0;
	if (__seamcall_ret(33, &args) != TDX_SUCCESS)
		return 4;
	sl_lp_bind(NULL);
	sl_machine_destroy(m);
	puts("own headers");
	return 0;
}
"""


def run(args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False, **kw)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="seamlab-installed-")
        tree = os.path.join(cls.dir.name, "tree")
        r = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tree])
        assert r.returncode == 0, r.stdout
        # Moved: nothing in it may depend on where it was put first.
        cls.tree = os.path.join(cls.dir.name, "moved")
        os.rename(tree, cls.tree)
        cls.env = dict(os.environ)
        cls.env["PKG_CONFIG_PATH"] = os.path.dirname(cls.find("seamlab.pc"))
        cls.env.pop("LD_LIBRARY_PATH", None)

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    @classmethod
    def find(cls, name):
        found = [os.path.join(d, name) for d, _, names in os.walk(cls.tree) if name in names]
        assert len(found) == 1, (name, found)
        return found[0]

    def must(self, args, **kw):
        r = run(args, env=self.env, **kw)
        self.assertEqual(r.returncode, 0, r.stdout)
        return r.stdout

    def pkg(self, *options):
        return self.must(["pkg-config", *options, "seamlab"]).split()

    def test_example(self):
        folder = os.path.join(ROOT, "examples", "kernel_td")
        for cc in COMPILERS:
            with self.subTest(cc):
                out = os.path.join(self.dir.name, cc)
                text = self.must(["make", "-s", "-C", folder, f"O={out}", f"CC={cc}",
                                  "CFLAGS=-O2 -Wall -Wextra -Wpedantic -Werror"])
                self.assertEqual(text, "")
                for _ in range(RUNS):
                    self.example_runs(os.path.join(out, "kernel_td"))

    def example_runs(self, program):
        text = self.must([program])
        m = re.fullmatch(r"guest: (\d+) writes, (\d+) pages accepted after a zap\n"
                         r"host: (\d+) pages mapped on a fault, (\d+) zapped; the TD is gone\n", text)
        self.assertTrue(m, text)
        writes, accepted, mapped, zapped = map(int, m.groups())
        # 16 pages at the guest's start; one that is zapped in use is mapped and accepted again, by
        # the next write or read. One that is zapped twice before it is accepted is accepted once.
        self.assertGreaterEqual(zapped, 500)
        self.assertGreater(accepted, 250)
        self.assertGreaterEqual(mapped, accepted + 16)
        self.assertGreater(writes, 0)
        # All that was mapped, and the page that the TD began with.
        self.assertEqual(zapped, mapped + 1)

    def test_example_installed_library_is_the_one_that_runs(self):
        out = os.path.join(self.dir.name, "loaded")
        self.must(["make", "-s", "-C", os.path.join(ROOT, "examples", "kernel_td"), f"O={out}"])
        loaded = re.search(r"libseamlab\.so\.0 => (\S+)", self.must(["ldd", out + "/kernel_td"]))
        self.assertEqual(os.path.realpath(loaded.group(1)),
                         os.path.realpath(self.find("libseamlab.so")))

    def test_one_source_on_threads_and_explored(self):
        source = os.path.join(ROOT, "examples", "kernel_zap.c")
        program = os.path.join(self.dir.name, "zap")
        libdir = self.pkg("--variable=libdir")[0]
        self.must(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-pthread", source, "-o",
                   program, *self.pkg("--cflags", "--libs"), f"-Wl,-rpath,{libdir}"])
        for _ in range(RUNS):
            self.assertEqual(self.must([program]),
                             "zap: 2 threads ended, and nothing was violated\n")
        for define, code, verdict in [("FIXED", 0, "holds"), ("ZAP_RETRIES=3", 1, "violated(assert)")]:
            self.must([self.find("seamlab-cc"), f"-D{define}", source, "-o", program])
            r = run([program], env=self.env)
            self.assertEqual((r.returncode, r.stdout.split("\n")[0]), (code, "zap: " + verdict))

    def test_a_kernels_own_headers(self):
        source = os.path.join(self.dir.name, "own.c")
        program = os.path.join(self.dir.name, "own")
        with open(os.path.join(self.dir.name, "tdx.h"), "w", encoding="utf-8") as f:
            f.write(OWN_TDX_H)
        with open(source, "w", encoding="utf-8") as f:
            f.write(OWN_KERNEL)
        libdir = self.pkg("--variable=libdir")[0]
        for cc in COMPILERS:
            with self.subTest(cc):
                self.must([cc, "-std=gnu11", "-Wall", "-Wextra", "-Werror", source, "-o", program,
                           *self.pkg("--cflags", "--libs"), f"-Wl,-rpath,{libdir}"])
                self.assertEqual(self.must([program]), "own headers\n")

    def test_each_header_stands_alone(self):
        folder = os.path.dirname(self.find("seamcall.h"))
        headers = sorted(n for n in os.listdir(folder) if n.endswith(".h"))
        self.assertIn("tdx_args.h", headers)
        for name in headers:
            languages = ["c"] if name == "explore.h" else ["c", "c++"]
            for language in languages:
                with self.subTest(f"{name} as {language}"):
                    self.must(["gcc", "-x", language, "-Wall", "-Wextra", "-Werror",
                               "-fsyntax-only", *self.pkg("--cflags"), "-include",
                               f"seamlab/{name}", os.devnull])

    def test_exports_are_what_the_headers_show(self):
        shown = set()
        for name in ("explain.h", "explore.h", "module.h", "number.h", "seamcall.h", "seamlab.h", "tdx_abi.h"):
            with open(self.find(name), encoding="utf-8") as f:
                text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            for m in re.finditer(r"^SL_API [^;]*?(\w+)\(", text, re.M):
                shown.add(m.group(1))
        library = self.find("libseamlab.so")
        symbols = {line.split()[-1] for line in
                   self.must(["nm", "-D", "--defined-only", library]).split("\n") if line}
        self.assertIn("__seamcall_saved_ret", shown)
        self.assertEqual(symbols, shown)
        self.assertRegex(self.must(["readelf", "-d", library]), r"SONAME.*\[libseamlab\.so\.0\]")


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
