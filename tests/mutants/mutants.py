#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks one rule at a time in a copy of the tree and demands that the explorer says so.

A checker that has gone blind passes every test but this one. Each mutant is one small edit; a scenario
of the gallery that holds has to be violated with it. A false promise to the explorer is for an audit to
find. Usage: mutants.py [NAME...]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# name, file, what stands there (once), what replaces it, scenario that must be violated, options if need be
MUTANTS = [
    ("kick-after-track-dropped", "src/host/zap.c", "	if (HOST_IS(policy, track, kick_after) ||\n",
     "	if (0 ||\n", "contention/zap-vs-accept"),
    ("kick-before-retry-dropped", "src/host/kick.c", "	if (kick)\n		kick_all(cpu, vm);\n",
     "	(void)kick;\n",
     "contention/zap-vs-accept"),
    ("keep-out-ignored", "src/host/run.c", "	if (sl_unlikely(is_kept_out(vm))) {",
     "	if (is_kept_out(vm) && 0) {",
     "contention/zap-vs-accept"),
    ("kick-not-waited-for", "src/host/kick.c", "for (u32 i = 0; kicked && i < vm->vcpu_count; i++) {",
     "for (u32 i = 0; 0 && i < vm->vcpu_count; i++) {", "contention/zap-vs-accept"),
    ("spte-not-frozen", "src/host/mirror.c",
     "if (!atomic_compare_exchange_strong_explicit(sptep, &old, SPTE_FROZEN, memory_order_acquire,",
     "if (!atomic_compare_exchange_strong_explicit(sptep, &old, 0, memory_order_acquire,",
     "contention/two-faults"),
    ("zap-under-read-lock", "src/host/zap.c",
     "	env->ops->write_lock(env, &vm->mmu_lock);\n	while (vm_key_wait(vm, cpu))\n		;\n	unlocked",
     "	env->ops->read_lock(env, &vm->mmu_lock);\n	while (vm_key_wait(vm, cpu))\n		;\n	unlocked",
     "contention/zap-vs-accept"),
    ("tlb-not-flushed-on-new-epoch", "src/module/leaf/tdh_vp_enter.c",
     "		if (!fresh)\n			tlb_flush(c->lp);\n", "		(void)fresh;\n",
     "contention/zap-vs-read"),
    ("refcount-not-undone", "src/module/leaf/tdh_vp_enter.c",
     "	if (e.referenced)\n		epoch_leave(c->lp, e.td.tdcs, e.vp->vcpu_epoch);\n", "",
     "contention/zero-step-two-zaps"),
    ("aug-publishes-first", "src/module/leaf/tdh_mem_page_aug.c",
     "		take_page(c, &mc.td, &page);\n		entry_commit(c, &mc.e, leaf, false);\n	} else {",
     "		entry_commit(c, &mc.e, leaf, false);\n		take_page(c, &mc.td, &page);\n	} else {",
     "locks/h1-aug-remove-hardened"),
    ("accept-keeps-a-free-entry-locked", "src/module/leaf/tdg_mem_page_accept.c",
     "	if (e.state == SEPT_FREE) {\n		entry_unlock(c, &e);\n",
     "	if (e.state == SEPT_FREE) {\n		e.locked = false;\n",
     "contention/aug-vs-accept-hardened"),
    ("chldcnt-not-taken-back", "src/module/leaf/tdh_mem_page_remove.c",
     "	tdr_count_down(mc.td.tdr, SL_LEVEL_PAGES(mc.e.level));\n",
     "", "contention/zap-vs-accept"),
    ("pending-still-faults", "src/module/zero_step.c", "	if (c->hardened)\n		return true;\n",
     "", "contention/zero-step-zap"),
    ("zero-step-keeps-the-tree", "src/module/zero_step.c",
     "		tree_word_unlock(c, tdcs, mode);\n", "		c->held--;\n",
     "contention/zero-step-two-zaps"),
    ("commit-drops-priority", "include/seamlab/hplock.h",
     "SL_HP_XOR(entry, (word ^ value) & ~SEPT_ENTRY_HP, SL_HP_RELEASE);",
     "(void)word; SL_HP_STORE_MUTANT(entry, value);", "locks/f7-commit-erases-request-hardened"),
    ("release-drops-priority", "include/seamlab/hplock.h",
     "One step that cannot be lost. Release: pairs as above. */\n	SL_HP_AND(&l->word, SHAREX_HP_PRIORITY,",
     "One step. */\n	SL_HP_AND(&l->word, 0,", "locks/f3-second-try-hardened"),
    ("host-sets-no-priority", "include/seamlab/hplock.h",
     "			next = word | SEPT_ENTRY_HP;\n		}\n"
     "		/* Acquire: pairs with the releases in sept_entry_unlock()",
     "			return HP_BUSY;\n		}\n"
     "		/* Acquire: pairs with the releases in sept_entry_unlock()",
     "locks/f7-commit-erases-request-hardened"),
    # No order of steps shows a missing release; the clocks of random runs do.
    ("release-relaxed", "include/seamlab/hplock.h",
     "#define SL_HP_RELEASE                   memory_order_release",
     "#define SL_HP_RELEASE                   memory_order_relaxed",
     "contention/two-faults-new-table"),
    ("table-published-before-it-is-initialised", "src/module/leaf/tdh_mem_sept_add.c",
     "	sept_page_init(c->m, page.page);\n",
     "	entry_commit(c, &mc.e, sept_make_table(page.page), true);\n	sept_page_init(c->m, page.page);\n",
     "contention/two-faults-new-table"),
    ("parent-keeps-its-share", "src/module/call.h",
     "	if (l->parent[1])\n		drop_hp(c, &l->parent[1]->lock, LOCK_SH);\n",
     "	if (l->parent[1])\n		c->held--;\n", "contention/zap-vs-accept"),
    ("pending-page-accessible", "src/module/leaf/tdh_mem_page_aug.c",
     "	leaf = sept_make_leaf(SEPT_PENDING, page.page);\n",
     "	leaf = sept_make_leaf(SEPT_MAPPED, page.page);\n", "contention/zap-vs-read"),
    ("tracking-not-checked", "src/module/leaf/tdh_mem_page_remove.c",
     "	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);\n", "	st = 0;\n",
     "contention/remove-needs-tracking"),
    ("state-not-checked", "src/module/leaf/tdh_mem_page_remove.c",
     "	st = entry_check_state(c, &mc.e);\n", "	st = 0;\n", "locks/h1-aug-remove-hardened"),
    ("lock-said-to-commute", "src/module/call.h",
     "	enum hp_result r = c->hardened ? sept_entry_try_lock(entry, side)\n",
     "	env_commutes(c->lp->env, entry);\n"
     "	enum hp_result r = c->hardened ? sept_entry_try_lock(entry, side)\n",
     "contention/zap-vs-read", "--audit"),
    ("walk-forgotten-too-soon", "src/module/leaf/tdg_mem_page_accept.c",
     "MODULE_SETTLED_WALK, leaf,", "MODULE_SETTLED_WALK, 0,", "contention/aug-vs-accept", "--audit"),
]
HELPER = ("include/seamlab/hplock.h", "#define HP_TRIES_MAX",
          "#define SL_HP_STORE_MUTANT(p, v) __atomic_store_n((uint64_t *)(p), (v), __ATOMIC_RELEASE)\n"
          "#define HP_TRIES_MAX")


def sh(args, cwd):
    return subprocess.run(args, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def replace(tree, path, old, new):
    full = os.path.join(tree, path)
    with open(full, encoding="utf-8") as f:
        text = f.read()
    if text.count(old) != 1:
        return None
    with open(full, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    return text


def restore(tree, path, text):
    with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
        f.write(text)


def verdict(tree, scenario, *options):
    r = sh([os.path.join(tree, "build", "seamlab"), "check", "--format", "json", "--time", "200", *options,
            os.path.join(tree, "scenarios", scenario + ".yaml")], tree)
    try:
        o = json.loads(r.stdout)
        return o["verdict"], o["kind"], o["detail"]
    except ValueError:
        return "no verdict", None, r.stdout[-300:]


def try_mutant(tree, mutant):
    name, path, old, new, *what = mutant
    text = replace(tree, path, old, new)
    if text is None:
        return False, "the code that it changes is not there (once)"
    try:
        r = sh(["ninja", "-C", "build", "seamlab"], tree)
        if r.returncode:
            return False, "does not build: " + r.stdout[-400:]
        v, kind, detail = verdict(tree, *what)
        return v == "violated", f"{v}({kind}) {detail}"
    finally:
        restore(tree, path, text)


def main():
    wanted = sys.argv[1:]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=lambda at, names: [
            n for n in names if at == ROOT and (n.startswith("build") or n == ".git")])
        replace(tree, *HELPER)
        for step in (["meson", "setup", "build"], ["ninja", "-C", "build", "seamlab"]):
            r = sh(step, tree)
            if r.returncode:
                print(r.stdout[-2000:])
                return 1
        for what in sorted({m[4:] for m in MUTANTS}):
            v, kind, detail = verdict(tree, *what)
            if v != "holds":
                print(f"NOT OK {' '.join(what)} has to hold without a mutant: {v}({kind}) {detail}")
                failed += 1
        for mutant in MUTANTS:
            if wanted and mutant[0] not in wanted:
                continue
            caught, why = try_mutant(tree, mutant)
            failed += not caught
            print(f"{'ok    ' if caught else 'NOT OK'} {mutant[0]}: {why}"[:160], flush=True)
    print(f"{len(MUTANTS)} mutants, {failed} missed")
    return 1 if failed else 0


sys.exit(main())
