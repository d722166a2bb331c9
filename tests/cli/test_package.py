#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian packages: built from the build directory, installed into an empty root in which there is nothing but a
list of the packages that they depend on, used there, and removed again."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SEAMLAB_BUILD"]
SCENARIO = "scenarios/locks/f1-backoff-corrupts.yaml"


def run(args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False, **kw)


def must(args, **kw):
    r = run(args, **kw)
    assert r.returncode == 0, f"{args}: exit {r.returncode}\n{r.stdout}"
    return r.stdout


def needed(deb):
    """Names of the packages that it depends on; of alternatives the first one that is here."""
    names = []
    for one in must(["dpkg-deb", "-f", deb, "Depends"]).strip().split(", "):
        either = [re.match(r"[\w.+-]+", a).group(0) for a in one.split(" | ")]
        names.append(next((n for n in either if run(["dpkg-query", "-s", n]).returncode == 0), either[0]))
    return [n for n in names if not n.startswith("libseamlab")]


def fresh(folder, packages):
    """A root with a package database that knows @packages only, as they are installed here."""
    admin = os.path.join(folder, "var", "lib", "dpkg")
    os.makedirs(os.path.join(admin, "info"))
    os.makedirs(os.path.join(admin, "updates"))
    with open(os.path.join(admin, "status"), "w", encoding="utf-8") as f:
        for name in sorted(set(packages)):
            f.write(must(["dpkg-query", "-s", name]).rstrip("\n") + "\n\n")
    # Not their files: dpkg need not look for them.
    for name in packages:
        for listed in (name, f"{name}:amd64"):
            with open(os.path.join(admin, "info", f"{listed}.list"), "w", encoding="utf-8"):
                pass
    return folder


def dpkg(root, *args):
    return run(["dpkg", f"--root={root}", "--force-not-root", *args],
               env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"))


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="seamlab-package-")
        cls.debs = os.path.join(cls.dir.name, "debs")
        r = run([os.path.join(ROOT, "tools", "make_deb"), BUILD, cls.debs])
        if r.returncode == 77:
            print(r.stdout)
            sys.exit(77)
        assert r.returncode == 0, r.stdout
        cls.said = r.stdout
        cls.deb = sorted(glob.glob(os.path.join(cls.debs, "*.deb")))
        cls.packages = [n for d in cls.deb for n in needed(d)]
        cls.root = fresh(os.path.join(cls.dir.name, "root"), cls.packages)
        r = dpkg(cls.root, "-i", *cls.deb)
        assert r.returncode == 0, r.stdout
        cls.program = os.path.join(cls.root, "usr", "bin", "seamlab")
        cls.elsewhere = os.path.join(cls.dir.name, "elsewhere")
        os.mkdir(cls.elsewhere)
        cls.env = {"PATH": os.path.dirname(cls.program) + ":/usr/bin:/bin",
                   "PKG_CONFIG_PATH": glob.glob(f"{cls.root}/usr/lib/*/pkgconfig")[0], "HOME": cls.elsewhere}

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def use(self, *args, **kw):
        return must(list(args), cwd=kw.pop("cwd", self.elsewhere), env=self.env, **kw)

    def test_packages(self):
        names = [os.path.basename(d).split("_")[0] for d in self.deb]
        self.assertEqual(names, ["libseamlab-dev", "libseamlab0", "seamlab"])
        self.assertNotIn("warning", self.said)
        for d in self.deb:
            owners = set(re.findall(r"^\S+ (\S+)", must(["dpkg-deb", "-c", d]), re.M))
            self.assertEqual(owners, {"root/root"})
            listed = must(["dpkg-deb", "-c", d])
            self.assertIn("/copyright\n", listed)
            self.assertIn("/changelog.gz\n", listed)
            self.assertIn("md5sums", must(["dpkg-deb", "-I", d]))

    def test_dependencies_are_real(self):
        self.assertIn("libfyaml0", self.packages)
        self.assertIn("libc6", self.packages)
        for left_out in ("libjansson4", "libfyaml0"):
            root = fresh(os.path.join(self.dir.name, f"without-{left_out}"),
                         [p for p in self.packages if p != left_out])
            r = dpkg(root, "-i", *self.deb)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(f"depends on {left_out}", r.stdout)
        # Each library that the program loads is in a package that it depends on.
        for path in re.findall(r"=> (/\S+)", must(["ldd", self.program])):
            owner = run(["dpkg-query", "-S", path])
            if owner.returncode:
                owner = run(["dpkg-query", "-S", "/usr" + path if not path.startswith("/usr") else path[4:]])
            name = owner.stdout.split(":")[0]
            direct = run(["objdump", "-p", self.program]).stdout
            if f"NEEDED               {os.path.basename(path)}" in direct:
                self.assertIn(name, needed(self.deb[2]), path)

    def test_files_are_as_packed(self):
        for name in ("seamlab", "libseamlab0", "libseamlab-dev"):
            r = dpkg(self.root, "--verify", name)
            self.assertEqual((r.returncode, r.stdout), (0, ""))
        left = run(["grep", "-rl", "-e", BUILD, "-e", ROOT, "-e", "/usr/local", f"{self.root}/usr"])
        self.assertEqual(left.stdout, "")

    def test_program(self):
        version = must(["dpkg-deb", "-f", self.deb[2], "Version"])
        self.assertEqual(self.use("seamlab", "--version"), f"seamlab {version}")
        shared = os.path.join(self.root, "usr", "share", "seamlab")
        text = self.use("seamlab", "answers", "M1")
        self.assertIn(f"{shared}/scenarios/answers/m1-", text)
        tried = re.search(r"Try: seamlab (run \S+)", self.use("seamlab", "help")).group(1)
        self.assertIn(shared, tried)
        self.use("seamlab", *tried.split(), "--seconds", "0")
        # Stripped it finds the same, names of words included.
        mine = self.use("seamlab", "check", "--trace", "f1.trace", SCENARIO, cwd=shared)
        ours = must([os.path.join(BUILD, "seamlab"), "check", "--trace", "f1.trace", SCENARIO], cwd=shared)
        seconds = re.compile(r"[\d.]+ (s|M transitions/s)\b")
        self.assertEqual(seconds.sub("N", mine), seconds.sub("N", ours))
        self.assertIn("again, all", self.use("seamlab", "replay", os.path.join(shared, "f1.trace")))
        os.unlink(os.path.join(shared, "f1.trace"))

    def test_bench(self):
        """It finds its program and its models, and says which tools are not there."""
        env = dict(self.env, PATH=os.path.dirname(self.program))
        text = must([self.program, "bench", "--quick", "exploration", "growth"], cwd=self.elsewhere, env=env)
        self.assertRegex(text, r"\| sharex-hp \S+ \S+ \S+ \| seamlab +\| +\| holds ")
        self.assertRegex(text, r"\| spin .*\| not installed")
        self.assertIn("## Growth", text)

    def test_gallery_is_complete(self):
        def files(top):
            return sorted(os.path.relpath(os.path.join(d, n), top) for d, _, ns in os.walk(top) for n in ns)
        gallery = files(f"{self.root}/usr/share/seamlab/scenarios")
        self.assertEqual([f for f in gallery if not f.endswith(".trace")], files(os.path.join(ROOT, "scenarios")))
        self.assertEqual(files(f"{self.root}/usr/share/doc/seamlab/docs"), files(os.path.join(ROOT, "docs")))

    def test_manual_pages_and_completion(self):
        man = os.path.join(self.root, "usr", "share", "man")
        commands = re.findall(r"^  ([a-z][a-z-]*) ", self.use("seamlab", "help"), re.M)
        for page in [f"man1/seamlab-{c}.1" for c in commands] + [
                "man1/seamlab.1", "man1/seamlab-cc.1", "man3/hplock.3", "man3/seamlab-policy.3",
                "man5/seamlab-scenario.5", "man5/seamlab-trace.5"]:
            text = must(["sh", "-c", f"zcat {man}/{page}.gz | groff -man -Tutf8 -ww"])
            self.assertIn(os.path.basename(page)[:-2], text)
        script = os.path.join(self.root, "usr", "share", "bash-completion", "completions", "seamlab")
        driver = 'source "$0"; COMP_WORDS=(seamlab che); COMP_CWORD=1; _seamlab; echo "${COMPREPLY[*]}"'
        self.assertEqual(self.use("bash", "--norc", "-c", driver, script), "check\n")

    def test_every_example(self):
        source = os.path.join(self.root, "usr", "share", "doc", "libseamlab-dev", "examples")
        copy = os.path.join(self.dir.name, "examples")
        shutil.copytree(source, copy)
        self.assertEqual(sorted(os.listdir(copy)), sorted(os.listdir(os.path.join(ROOT, "examples"))))
        self.assertTrue(self.use("pkg-config", "--cflags", "seamlab").startswith(f"-I{self.root}/"))
        for name in sorted(os.listdir(copy)):
            with self.subTest(name):
                path = os.path.join(copy, name)
                if os.path.isdir(path):
                    self.example_folder(path)
                else:
                    program = path.removesuffix(".c")
                    self.assertEqual(self.use("seamlab-cc", "-O1", "-Wall", "-Werror", path, "-o", program), "")
                    r = run([program], env=self.env)
                    self.assertEqual(r.returncode, 1 if "broken" in name else 0, r.stdout)

    def example_folder(self, path):
        before = set(os.listdir(path))
        self.use("make", "-s", cwd=path)
        made = sorted(set(os.listdir(path)) - before)
        self.assertEqual(len(made), 1, made)
        program = os.path.join(path, made[0])
        if made[0].endswith(".so"):
            # A policy: the program loads it.
            self.use("seamlab", "policies", program)
        else:
            self.use(program)

    def test_removed_again(self):
        root = fresh(os.path.join(self.dir.name, "other"), self.packages)
        self.assertEqual(dpkg(root, "-i", *self.deb).returncode, 0)
        r = dpkg(root, "-P", "seamlab", "libseamlab-dev", "libseamlab0")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertEqual([n for _, _, names in os.walk(os.path.join(root, "usr")) for n in names], [])


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
