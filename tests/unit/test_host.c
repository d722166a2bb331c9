// SPDX-License-Identifier: MIT
/* The host layer against the module: life of a VM, each class of site, faults, zaps, kicks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "host/host.h"
#include "host/internal.h"
#include "module/machine.h"
#include "test_env.h"

#define LPS 3

/* 4 KB free, 4 KB mapped, 4 KB pending; then one 2 MB pending, one 2 MB free. */
#define GFN_FREE    0ull
#define GFN_MAPPED  16ull
#define GFN_PENDING 24ull
#define GFN_2M_PEND 512ull
#define GFN_2M_FREE 1024ull
#define VM_PAGES    1536ull

static const struct vm_range ranges[] = {
	{ .gfn = GFN_FREE, .pages = 16, .level = 0, .init = VM_RANGE_FREE },
	{ .gfn = GFN_MAPPED, .pages = 2, .level = 0, .init = VM_RANGE_MAPPED },
	{ .gfn = GFN_PENDING, .pages = 3, .level = 0, .init = VM_RANGE_PENDING },
	{ .gfn = GFN_2M_PEND, .pages = 512, .level = 1, .init = VM_RANGE_PENDING },
	{ .gfn = GFN_2M_FREE, .pages = 512, .level = 1, .init = VM_RANGE_FREE },
};

/* ---- a world -------------------------------------------------------------------------------- */

struct world {
	struct sl_arena arena, host_arena;
	struct test_env env[LPS];
	struct sl_machine *m;
	struct vmm *vmm;
	struct vm *vm;
	struct cpu *cpu; /* CPU 0, taken by the test itself */
};

/* A guest: a function that is called from the start at each entry. */
struct test_guest {
	struct sl_guest base;
	void (*body)(struct test_guest *g, struct sl_lp *lp);
	struct world *w;
	u32 step;
	u64 rounds;
};

static void test_guest_run(struct sl_guest *base, struct sl_lp *lp)
{
	struct test_guest *g = (struct test_guest *)base;

	while (!sl_guest_exiting(lp))
		g->body(g, lp);
}

static void guest_vmcall(struct sl_lp *lp, u64 number, u64 r12, u64 r13)
{
	struct tdx_module_args args = {
		.rcx = GENMASK_ULL(15, 10),
		.r11 = number,
		.r12 = r12,
		.r13 = r13,
	};

	tdcall(lp, TDCALL_tdg_vp_vmcall, &args);
}

/* Worlds from here on have dynamic PAMT, and the release that has it. */
static bool dynamic_pamt;

static struct world *world_of(const struct host_policy *policy, u32 vms, u32 packages,
			      const struct vm_config vm)
{
	struct world *w = test_calloc(1, sizeof(*w));
	struct vm_config configs[2] = { vm, vm };
	struct vmm_config cfg = {
		.policy = policy,
		.lps = LPS,
		.packages = packages,
		.vms = configs,
		.vm_count = vms,
		.dynamic_pamt = dynamic_pamt,
	};
	struct sl_machine_config mc;

	for (u32 i = 0; i < LPS; i++)
		test_env_init(&w->env[i], i + 1);
	assert_int_equal(vmm_config_check(&cfg), 0);
	sl_machine_config_init(&mc);
	mc.lps = LPS;
	mc.packages = packages;
	mc.dynamic_pamt = dynamic_pamt;
	if (dynamic_pamt)
		mc.release = SL_RELEASE_1_5_25;
	mc.private_pages = vmm_private_pages(&cfg);
	test_arena_init(&w->arena, sl_machine_arena_size(&mc));
	test_arena_init(&w->host_arena, vmm_arena_size(&cfg));
	w->m = sl_machine_init(&mc, w->arena.base, w->arena.size);
	w->vmm = vmm_init(&w->host_arena, &cfg, w->m, &w->env[0].base);
	assert_int_equal(vmm_bring_up(w->vmm, &w->env[0].base), 0);
	w->vm = &w->vmm->vm[0];
	w->cpu = cpu_take(w->vmm, 0, &w->env[0].base);
	return w;
}

static struct world *world_with(const struct host_policy *policy, u32 vms, u32 packages,
				bool ve_disable)
{
	return world_of(policy, vms, packages,
			(struct vm_config){
				.vcpus = 2,
				.pages = VM_PAGES,
				.sept_ve_disable = ve_disable,
				.ranges = ranges,
				.range_count = ARRAY_SIZE(ranges),
			});
}

static struct host_policy kvm(void)
{
	struct host_policy p;

	assert_int_equal(host_policy_init(&p, "kvm-6.19", 8), 0);
	return p;
}

static struct world *world_new(u32 vms, u32 packages, bool ve_disable)
{
	static struct host_policy p;

	p = kvm();
	return world_with(&p, vms, packages, ve_disable);
}

static struct world *world_built(bool ve_disable)
{
	struct world *w = world_new(1, 1, ve_disable);

	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	return w;
}

static void world_free(struct world *w)
{
	for (u32 i = 0; i < LPS; i++)
		assert_int_equal(w->env[i].locks_held, 0);
	test_arena_free(&w->arena);
	test_arena_free(&w->host_arena);
	test_free(w);
}

/* Nothing was found, and the TD goes without a trace. */
static void world_end(struct world *w)
{
	for (u32 i = 0; i < LPS; i++)
		if (w->env[i].violations)
			fail_msg("%s: %s", w->env[i].id, w->env[i].text);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	assert_int_equal(w->env[0].violations, 0);
	world_free(w);
}

static void assert_no_residue(struct world *w)
{
	struct host_check check;

	host_check(w->vm, &check);
	assert_int_equal(check.leaves[0] + check.leaves[1] + check.tables + check.frozen, 0);
	assert_int_equal(check.orphans + check.in_guest + check.kicks, 0);
	assert_false(check.keep_out);
	assert_int_equal(w->vmm->free_count, w->vmm->free_max);
	assert_int_equal(w->vmm->hkids_used, 0);
	for (u64 i = 0; i < w->vmm->private_pages; i++) {
		struct hpa page = { SL_PRIVATE_BASE + (i << SL_PAGE_SHIFT) };

		assert_int_equal(pamt_type(mem_pamt(w->m, page, 0)), PAMT_NDA);
		assert_int_equal(pamt_type(mem_pamt(w->m, page, 1)), PAMT_NDA);
	}
	for (u32 i = SL_HKID_PRIVATE + 1; i < SL_HKIDS; i++)
		assert_int_equal(w->m->kot[i].state, KOT_FREE);
}

/* Public S-EPT state of a gfn, from the module; ~0 if the walk does not get there. */
static u64 sept_state_of(struct world *w, u64 gfn, u32 level)
{
	struct tdx_module_args args = { .rcx = gfn << SL_PAGE_SHIFT | level, .rdx = w->vm->tdr.v };

	if (seamcall(w->cpu->lp, SEAMCALL_tdh_mem_sept_rd, &args))
		return ~0ull;
	return args.rdx >> 8 & 0xFF;
}

#define STATE_FREE    0
#define STATE_PENDING 2
#define STATE_MAPPED  4

static struct tdcs *vm_tdcs(struct world *w)
{
	return mem_frame(w->m, w->vm->tdcx[0]);
}

/* ---- hooks ---------------------------------------------------------------------------------- */

/* Something that gets in the host's way until some pauses have gone by, or until a kick. */
struct obstacle {
	void (*clear)(struct world *w);
	struct world *w;
	u32 after;
	bool on_kick;
};

static void obstacle_pause(struct test_env *env, void *arg)
{
	struct obstacle *o = arg;

	(void)env;
	if (o->after && --o->after == 0)
		o->clear(o->w);
}

static void obstacle_note(struct test_env *env, enum sl_note what, u64 a, u64 b, void *arg)
{
	struct obstacle *o = arg;

	(void)env;
	(void)a;
	(void)b;
	if (o->on_kick && what == SL_NOTE_KICK) {
		o->on_kick = false;
		o->clear(o->w);
	}
}

static void obstacle_place(struct world *w, struct obstacle *o)
{
	o->w = w;
	w->env[0].on_pause = obstacle_pause;
	w->env[0].on_note = obstacle_note;
	w->env[0].arg = o;
}

static void tree_share(struct world *w)
{
	assert_int_equal(sharex_try_shared_published(&vm_tdcs(w)->tree_lock), HP_OK);
}

static void tree_unshare(struct world *w)
{
	sharex_release_shared_published(&vm_tdcs(w)->tree_lock);
}

static void tree_hold(struct world *w)
{
	assert_int_equal(sharex_try_exclusive_published(&vm_tdcs(w)->tree_lock), HP_OK);
}

static void kot_unshare(struct world *w)
{
	sharex_release_shared_published(&w->m->kot_lock);
}

static void tree_release(struct world *w)
{
	sharex_release_exclusive_published(&vm_tdcs(w)->tree_lock);
}

/* ---- policy --------------------------------------------------------------------------------- */

static void test_policy(void **state)
{
	const struct host_policy p = kvm();

	(void)state;
	assert_string_equal(host_policy_name(0), "kvm-6.19");
	assert_null(host_policy_name(1000));
	assert_int_equal(p.site[HOST_SITE_fault_aug].action, SITE_LOCAL_RETRY);
	assert_int_equal(p.site[HOST_SITE_zap_track].action, SITE_KICK_ONCE);
	assert_int_equal(p.site[HOST_SITE_reclaim_tdr].action, SITE_MUST_SUCCEED);
	assert_int_equal(p.site[HOST_SITE_enter].action, SITE_RETURN_BUSY);
	assert_string_equal(host_site_name(HOST_SITE_zap_remove), "zap-remove");
	assert_int_equal(host_site_leaf(HOST_SITE_zap_remove), SEAMCALL_tdh_mem_page_remove);
}

static void test_config_refused(void **state)
{
	struct vm_range r[2] = { { .gfn = 0, .pages = 4 }, { .gfn = 3, .pages = 4 } };
	struct vm_config vm = { .vcpus = 1, .pages = 512, .ranges = r, .range_count = 1 };
	const struct host_policy policy = kvm();
	struct vmm_config cfg = {
		.policy = &policy, .lps = 2, .packages = 1, .vms = &vm, .vm_count = 1
	};

	(void)state;
	assert_int_equal(vmm_config_check(&cfg), 0);
	vm.range_count = 2; /* overlap */
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
	r[1] = (struct vm_range){ .gfn = 8, .pages = 512, .level = 1 }; /* misaligned */
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
	r[1] = (struct vm_range){ .gfn = 512, .pages = 512, .level = 1 }; /* outside */
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
	vm.pages = 1024;
	assert_int_equal(vmm_config_check(&cfg), 0);
	r[1].init = VM_RANGE_MAPPED; /* 2 MB pages cannot be added */
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
	vm.range_count = 1;
	cfg.packages = 3; /* more than LPs */
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
	cfg.packages = 1;
	vm.vcpus = 0;
	assert_int_equal(vmm_config_check(&cfg), -EINVAL);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void test_build_map_zap_teardown(void **state)
{
	struct world *w = world_new(1, 3, false);
	struct host_check check;

	(void)state;
	assert_no_residue(w);
	for (u32 round = 0; round < 3; round++) {
		assert_int_equal(vm_build(w->vm, w->cpu), 0);
		host_check(w->vm, &check);
		assert_int_equal(check.leaves[0], 5);
		assert_int_equal(check.leaves[1], 1);
		assert_int_equal(check.tables, 3);
		assert_int_equal(check.frozen + check.orphans, 0);
		assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_FREE);
		assert_int_equal(sept_state_of(w, GFN_MAPPED + 1, 0), STATE_MAPPED);
		assert_int_equal(sept_state_of(w, GFN_PENDING + 2, 0), STATE_PENDING);
		assert_int_equal(sept_state_of(w, GFN_2M_PEND, 1), STATE_PENDING);
		assert_int_equal(sept_state_of(w, GFN_2M_FREE, 1), STATE_FREE);

		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 4), 0);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_2M_FREE + 77, 1), 0);
		assert_int_equal(sept_state_of(w, GFN_FREE + 3, 0), STATE_PENDING);
		assert_int_equal(sept_state_of(w, GFN_2M_FREE, 1), STATE_PENDING);
		/* A second time is spurious. */
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 4), 0);
		host_check(w->vm, &check);
		assert_int_equal(check.leaves[0], 9);
		assert_int_equal(check.leaves[1], 2);

		assert_int_equal(host_zap(w->vm, w->cpu, GFN_FREE + 1, 8), 0);
		assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_PENDING);
		assert_int_equal(sept_state_of(w, GFN_FREE + 1, 0), STATE_FREE);
		assert_int_equal(host_zap(w->vm, w->cpu, GFN_2M_FREE, 1), 0);
		assert_int_equal(sept_state_of(w, GFN_2M_FREE, 1), STATE_FREE);
		assert_int_equal(host_zap(w->vm, w->cpu, GFN_MAPPED, 2), 0);
		host_check(w->vm, &check);
		assert_int_equal(check.leaves[0], 4);
		assert_int_equal(host_map(w->vm, w->cpu, VM_PAGES, 1), -EFAULT);
		assert_int_equal(host_map(w->vm, w->cpu, 40, 1), -EFAULT);

		assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
		assert_int_equal(w->env[0].violations, 0);
		assert_no_residue(w);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EINVAL);
	}
	assert_int_equal(test_counter(&w->env[0], SL_CTR_tds_built), 3);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_tds_torn_down), 3);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_init_mem_extend].calls, 3 * 2 * 16);
	/* Map + zap of all: both counts are in 4 KB pages and agree once the TD is gone. */
	assert_int_equal(test_counter(&w->env[0], SL_CTR_pages_mapped),
			 test_counter(&w->env[0], SL_CTR_pages_zapped));
	world_free(w);
}

static void test_two_vms(void **state)
{
	struct world *w = world_new(2, 1, false);

	(void)state;
	assert_int_equal(vm_build(&w->vmm->vm[0], w->cpu), 0);
	assert_int_equal(vm_build(&w->vmm->vm[1], w->cpu), 0);
	assert_int_not_equal(w->vmm->vm[0].hkid, w->vmm->vm[1].hkid);
	assert_int_equal(vm_teardown(&w->vmm->vm[0], w->cpu), 0);
	assert_int_equal(host_map(&w->vmm->vm[1], w->cpu, GFN_FREE, 4), 0);
	assert_int_equal(vm_teardown(&w->vmm->vm[1], w->cpu), 0);
	assert_no_residue(w);
	world_free(w);
}

/* Each n: the n-th control page allocation finds none left. Everything goes back. */
static void test_half_built(void **state)
{
	struct world *w = world_new(1, 1, false);
	u32 all = w->vmm->free_count;

	(void)state;
	for (u32 left = 0; left < all; left++) {
		/* Hide the last ones. */
		w->vmm->free_max = left;
		w->vmm->free_count = left;
		assert_int_equal(vm_build(w->vm, w->cpu), -ENOMEM);
		assert_int_equal(w->vmm->free_count, left);
		w->vmm->free_max = all;
		w->vmm->free_count = all;
		assert_no_residue(w);
		assert_int_equal(w->env[0].violations, 0);
	}
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	world_end(w);
}

static void test_no_entropy(void **state)
{
	struct world *w = world_new(1, 1, false);

	(void)state;
	w->env[0].no_entropy = true;
	assert_int_equal(vm_build(w->vm, w->cpu), -EAGAIN);
	assert_int_equal(w->vm->failed_site, HOST_SITE_build_create);
	assert_no_residue(w);
	w->env[0].no_entropy = false;
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	world_end(w);
}

/* ---- the classes ---------------------------------------------------------------------------- */

static void test_return_busy(void **state)
{
	struct world *w = world_new(1, 1, false);

	(void)state;
	assert_int_equal(sharex_try_shared_published(&w->m->kot_lock), HP_OK);
	assert_int_equal(vm_build(w->vm, w->cpu), -EBUSY);
	assert_int_equal(w->vm->failed_site, HOST_SITE_build_create);
	assert_int_equal(w->vm->failed_status, TDX_OPERAND_BUSY | TDX_OPERAND_ID_KOT);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_build_create].busy, 1);
	assert_no_residue(w);
	sharex_release_shared_published(&w->m->kot_lock);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	world_end(w);
}

static void test_local_retry(void **state)
{
	struct world *w = world_built(false);
	const struct sl_site_stats *aug = &w->env[0].stats.site[HOST_SITE_fault_aug];
	u64 calls = aug->calls, kicks = test_counter(&w->env[0], SL_CTR_kicks);
	struct obstacle o = { .clear = tree_release, .after = 3 };

	(void)state;
	tree_hold(w);
	obstacle_place(w, &o);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 3);
	assert_int_equal(aug->busy, 3);
	assert_int_equal(aug->max_retries, 3);
	assert_int_equal(aug->calls, calls + 1);
	assert_int_equal(aug->ticks.count, 1);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_kicks), kicks);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_PENDING);
	world_end(w);
}

static void tree_unshare_kept_out(struct world *w)
{
	assert_int_equal(atomic_load(&w->vm->keep_out), 1);
	tree_unshare(w);
}

static void test_kick_once(void **state)
{
	struct world *w = world_built(false);
	struct obstacle o = { .clear = tree_unshare_kept_out, .on_kick = true };

	(void)state;
	tree_share(w); /* BLOCK wants the tree exclusive */
	obstacle_place(w, &o);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].busy, 1);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].max_retries, 1);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts), 1);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts_failed), 0);
	/* One for the second attempt, one after TRACK. */
	assert_int_equal(test_counter(&w->env[0], SL_CTR_kicks), 2);
	assert_int_equal(sept_state_of(w, GFN_PENDING, 0), STATE_FREE);
	assert_int_equal(atomic_load(&w->vm->keep_out), 0);
	world_end(w);
}

static void test_kick_once_failed(void **state)
{
	struct world *w = world_built(false);

	(void)state;
	tree_share(w);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 2), -EIO);
	tree_unshare(w);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts), 2);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts_failed), 2);
	/* Reported once per VM. */
	assert_int_equal(w->env[0].violations, 1);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_HOST_ASSERT);
	assert_string_equal(w->env[0].id, "zap-block");
	assert_non_null(strstr(w->env[0].text, "TDX_OPERAND_BUSY(SEPT_TREE) 0x8000020000000092"));
	assert_true(vm_is_dead(w->vm));
	assert_int_equal(atomic_load(&w->vm->keep_out), 0);
	assert_int_equal(atomic_load(&w->vm->leaked), 2);
	/* The mirror has given them up, the module has not. */
	assert_int_equal(mirror_peek(w->vm, GFN_PENDING, 0), 0);
	assert_int_equal(sept_state_of(w, GFN_PENDING, 0), STATE_PENDING);
	/* The TD goes as far as it can, and the VM cannot be built again. */
	assert_int_equal(vm_teardown(w->vm, w->cpu), -EIO);
	assert_int_equal(atomic_load(&w->vm->state), VM_LEAKED);
	assert_int_equal(w->env[0].violations, 1);
	assert_int_equal(vm_build(w->vm, w->cpu), -ENOMEM);
	world_free(w);
}

static void test_must_succeed(void **state)
{
	struct world *w = world_built(false);

	(void)state;
	assert_int_equal(sharex_try_shared_published(&w->m->kot_lock), HP_OK);
	assert_int_equal(vm_teardown(w->vm, w->cpu), -EIO);
	assert_int_equal(w->env[0].violations, 1);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_HOST_ASSERT);
	assert_string_equal(w->env[0].id, "vpflushdone");
	/* The key id has leaked, and every page with it; none went back to the allocator. */
	assert_int_not_equal(w->vmm->hkids_used, 0);
	assert_int_equal(w->vmm->free_count, 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_reclaim_tdr].calls, 0);
	sharex_release_shared_published(&w->m->kot_lock);
	world_free(w);
}

/* ---- faults --------------------------------------------------------------------------------- */

static void thaw(struct world *w)
{
	_Atomic u64 *spte = &w->vm->mirror.table[w->vm->mirror.first[1]].spte[GFN_FREE];

	assert_int_equal(atomic_load(spte), SPTE_FROZEN);
	atomic_store(spte, 0);
}

static void test_frozen_spte(void **state)
{
	struct world *w = world_built(false);
	struct obstacle o = { .clear = thaw, .after = 2 };
	u64 calls = w->env[0].stats.site[HOST_SITE_fault_aug].calls;
	struct host_check check;

	(void)state;
	atomic_store(&w->vm->mirror.table[w->vm->mirror.first[1]].spte[GFN_FREE], SPTE_FROZEN);
	host_check(w->vm, &check);
	assert_int_equal(check.frozen, 1);
	obstacle_place(w, &o);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
	/* A conflict over an SPTE makes no SEAMCALL. */
	assert_int_equal(w->env[0].stats.site[HOST_SITE_fault_aug].calls, calls + 1);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_fault_aug].busy, 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 2);
	world_end(w);
}

static void window_clear(struct world *w)
{
	w->vm->mmu_invalidate_in_progress = 0;
}

static void test_invalidation_window(void **state)
{
	struct world *w = world_built(false);
	struct obstacle o = { .clear = window_clear, .after = 2 };

	(void)state;
	w->vm->mmu_invalidate_in_progress = 1;
	w->vm->mmu_invalidate_start = GFN_FREE + 2;
	w->vm->mmu_invalidate_end = GFN_FREE + 4;
	/* Not covered: no retry. */
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE + 1, 1), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 0);
	obstacle_place(w, &o);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE + 2, 1), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 2);
	world_end(w);
}

/* An invalidation comes and goes between the fault's snapshot and its lock, once. */
static void invalidate_once(struct test_env *env, void *arg)
{
	struct world *w = arg;

	env->on_read_lock = NULL;
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_FREE + 8, 1), 0);
}

static void test_invalidation_in_between(void **state)
{
	struct world *w = world_built(false);

	(void)state;
	w->env[0].on_read_lock = invalidate_once;
	w->env[0].arg = w;
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 1);
	world_end(w);
}

/* Reads a page, then is done. */
static void body_read(struct test_guest *g, struct sl_lp *lp)
{
	u64 value;

	if (g->step == 0 &&
	    sl_guest_access(lp, GFN_MAPPED << SL_PAGE_SHIFT, false, &value) == SL_ACCESS_OK)
		g->step = 1;
	if (g->step == 1 && !sl_guest_exit_pending(lp))
		guest_vmcall(lp, VMCALL_DONE, 0, 0);
}

/* Accepts a page that the host still has to map, then is done. */
static void body_accept(struct test_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args = { .rcx = GFN_FREE << SL_PAGE_SHIFT };
	u64 status;

	if (g->step == 0) {
		status = tdcall(lp, TDCALL_tdg_mem_page_accept, &args);
		if (sl_guest_exit_pending(lp))
			return;
		g->step = 1;
		if (status)
			guest_vmcall(lp, VMCALL_DONE, 1, status);
		return;
	}
	guest_vmcall(lp, VMCALL_DONE, 0, 0);
}

/* Accepts the first 4 KB of 2 MB. */
static void body_accept_2m_small(struct test_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args = { .rcx = GFN_2M_PEND << SL_PAGE_SHIFT };
	u64 status = tdcall(lp, TDCALL_tdg_mem_page_accept, &args);

	(void)g;
	if (!sl_guest_exit_pending(lp))
		guest_vmcall(lp, VMCALL_DONE, status != 0, status);
}

static void guest_place(struct world *w, u32 vcpu, struct test_guest *g,
			void (*body)(struct test_guest *g, struct sl_lp *lp))
{
	*g = (struct test_guest){ .base.run = test_guest_run, .body = body, .w = w };
	vcpu_set_guest(&w->vm->vcpu[vcpu], &g->base);
}

static void test_run_to_done(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct vcpu *v = &w->vm->vcpu[0];
	struct test_guest g, g1;

	(void)state;
	guest_place(w, 0, &g, body_read);
	guest_place(w, 1, &g1, body_accept);
	assert_int_equal(vcpu_run(v, w->cpu), -EIO); /* no TD yet */
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(v, w->cpu), 0);
	assert_true(v->done);
	assert_false(v->failed);
	assert_int_equal(vcpu_run(v, w->cpu), 0); /* stays done */
	assert_int_equal(vcpu_run(&w->vm->vcpu[1], w->cpu), 0);
	assert_false(w->vm->vcpu[1].failed);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_faults), 1);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_MAPPED);
	world_end(w);
}

static void signal_vcpu0(struct world *w)
{
	vcpu_signal(&w->vm->vcpu[0]);
}

/* A signal ends the local retry loop, and the run loop with it. */
static void test_signal(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct obstacle o = { .clear = signal_vcpu0, .after = 2 };
	struct vcpu *v = &w->vm->vcpu[0];
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	vcpu_signal(v);
	assert_int_equal(vcpu_run(v, w->cpu), -EINTR);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_faults), 0);
	tree_hold(w);
	obstacle_place(w, &o);
	assert_int_equal(vcpu_run(v, w->cpu), -EINTR);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 2);
	tree_release(w);
	assert_int_equal(vcpu_run(v, w->cpu), 0);
	assert_false(v->failed);
	world_end(w);
}

static void keep_out_over(struct world *w)
{
	assert_int_equal(test_counter(&w->env[0], SL_CTR_held_off), 3);
	atomic_store(&w->vm->keep_out, 0);
}

/* A vCPU that is kept out goes round the run loop and makes no TDH.VP.ENTER. */
static void test_keep_out(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct obstacle o = { .clear = keep_out_over, .after = 3 };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_read);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	atomic_store(&w->vm->keep_out, 1);
	obstacle_place(w, &o);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_held_off), 3);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_enter].calls, 1);
	world_end(w);
}

/* TDH.VP.ENTER refused: back to the run loop, with interrupts opened in between. */
static void epoch_release(struct world *w)
{
	sharex_release_exclusive_published(&vm_tdcs(w)->epoch_lock);
}

static void test_enter_busy(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct obstacle o = { .clear = epoch_release, .after = 4 };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_read);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(sharex_try_exclusive_published(&vm_tdcs(w)->epoch_lock), HP_OK);
	obstacle_place(w, &o);
	sl_lp_interrupt_raise(w->cpu->lp);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_enter_busy), 4);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_enter].max_retries, 4);
	assert_false(sl_lp_interrupt_take(w->cpu->lp));
	world_end(w);
}

static void kill_vm(struct world *w)
{
	vm_mark_dead(w->vm);
}

static void test_dead_vm(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct obstacle o = { .clear = kill_vm, .after = 2 };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	tree_hold(w);
	obstacle_place(w, &o);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(vcpu_run(&w->vm->vcpu[1], w->cpu), -EIO);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EIO);
	tree_release(w);
	assert_int_equal(w->env[0].violations, 0);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	assert_no_residue(w);
	/* A new TD lives. */
	g.step = 0;
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	world_end(w);
}

static void body_touch_pending(struct test_guest *g, struct sl_lp *lp)
{
	u64 value;

	(void)g;
	sl_guest_access(lp, GFN_PENDING << SL_PAGE_SHIFT, false, &value);
}

static void test_pending_touch_kills(void **state)
{
	struct world *w = world_new(1, 1, true);
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_touch_pending);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(w->env[0].violations, 1);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_TD_KILLED);
	assert_true(vm_is_dead(w->vm));
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	world_free(w);
}

static void body_touch_nothing(struct test_guest *g, struct sl_lp *lp)
{
	u64 value;

	(void)g;
	sl_guest_access(lp, VM_PAGES << SL_PAGE_SHIFT, false, &value);
}

static void test_touch_outside_kills(void **state)
{
	struct world *w = world_new(1, 1, true);
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_touch_nothing);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_TD_KILLED);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	world_free(w);
}

/* ACCEPT on an entry whose host priority nobody takes back. */
static void test_hp_timeout_kills(void **state)
{
	struct world *w = world_new(1, 1, true);
	struct tdx_module_args args;
	struct test_guest g;
	_Atomic u64 *entry;
	u64 *table;
	u64 hpa;

	(void)state;
	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
	/* The table of 4 KB entries, as its parent's entry says. */
	args = (struct tdx_module_args){ .rcx = 1, .rdx = w->vm->tdr.v };
	assert_int_equal(seamcall(w->cpu->lp, SEAMCALL_tdh_mem_sept_rd, &args), 0);
	hpa = mirror_peek(w->vm, GFN_FREE, 1) & SPTE_ADDR;
	table = mem_frame(w->m, (struct hpa){ hpa });
	entry = (_Atomic u64 *)&table[GFN_FREE];
	atomic_fetch_or(entry, SEPT_ENTRY_HP);
	w->env[0].clock_step = 600000;
	/* body_accept() takes BUSY for the end; make it try for ever. */
	while (!vm_is_dead(w->vm)) {
		g.step = 0;
		w->vm->vcpu[0].done = false;
		if (vcpu_run(&w->vm->vcpu[0], w->cpu))
			break;
	}
	assert_int_equal(test_counter(&w->env[0], SL_CTR_hp_timeouts), 1);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_TD_KILLED);
	assert_non_null(strstr(w->env[0].text, "TDX_HOST_PRIORITY_BUSY_TIMEOUT"));
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	world_free(w);
}

static void body_map_gpa(struct test_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args;
	u64 value, rax;

	if (sl_guest_tdcall_completed(lp, &rax, &args)) {
		test_check(g->step == 3 ? args.r10 == VMCALL_INVALID : args.r10 == 0);
		g->step++;
	}
	switch (g->step) {
	case 0: /* to shared: the mapping goes */
		guest_vmcall(lp, VMCALL_MAP_GPA, GFN_MAPPED << SL_PAGE_SHIFT | BIT_ULL(47),
			     SL_PAGE_SIZE);
		return;
	case 1:
		test_check(mirror_peek(g->w->vm, GFN_MAPPED, 0) == 0);
		test_check(mirror_peek(g->w->vm, GFN_MAPPED + 1, 0) != 0);
		guest_vmcall(lp, VMCALL_MAP_GPA, GFN_MAPPED << SL_PAGE_SHIFT, SL_PAGE_SIZE);
		return;
	case 2: /* shared again, then used as private all the same */
		guest_vmcall(lp, VMCALL_MAP_GPA, GFN_MAPPED << SL_PAGE_SHIFT | BIT_ULL(47),
			     SL_PAGE_SIZE);
		return;
	case 3:
		guest_vmcall(lp, VMCALL_MAP_GPA, VM_PAGES << SL_PAGE_SHIFT, SL_PAGE_SIZE);
		return;
	case 4:
		if (sl_guest_access(lp, GFN_MAPPED << SL_PAGE_SHIFT, true, &value) == SL_ACCESS_VE)
			g->step = 5; /* mapped again, pending */
		return;
	default:
		guest_vmcall(lp, VMCALL_DONE, 0, 0);
	}
}

static void test_map_gpa(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_map_gpa);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_map_gpa), 4);
	assert_int_equal(sept_state_of(w, GFN_MAPPED, 0), STATE_PENDING);
	world_end(w);
}

/* ---- halt, association ---------------------------------------------------------------------- */

static void body_halt(struct test_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args;
	u64 rax;

	if (sl_guest_tdcall_completed(lp, &rax, &args))
		g->step++;
	guest_vmcall(lp, g->step < 2 ? VMCALL_HLT : VMCALL_DONE, 0, 0);
}

struct run_arg {
	struct world *w;
	u32 vcpu;
	u32 cpu;
	int ret;
	u32 rounds;
};

static void lane_vcpu(void *arg)
{
	struct run_arg *a = arg;
	struct cpu *cpu = cpu_take(a->w->vmm, a->cpu, &a->w->env[a->cpu].base);

	a->ret = vcpu_run(&a->w->vm->vcpu[a->vcpu], cpu);
	cpu_put(cpu);
}

static void lane_interrupts(void *arg)
{
	struct run_arg *a = arg;

	for (u32 i = 0; i < 2; i++) {
		vcpu_interrupt(&a->w->vm->vcpu[a->vcpu]);
		/* Until it has been taken by a halt. */
		while (atomic_load(&a->w->vm->vcpu[a->vcpu].requests) ||
		       a->w->vm->vcpu[a->vcpu].interrupt)
			env_pause(&a->w->env[2].base);
	}
}

static void test_halt(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct test_guest g;
	struct run_arg a = { .w = w, .vcpu = 0, .cpu = 1 };
	struct test_lane lanes[] = {
		{ &w->env[1], lane_vcpu, &a },
		{ &w->env[2], lane_interrupts, &a },
	};

	(void)state;
	guest_place(w, 0, &g, body_halt);
	for (u64 seed = 0; seed < 50; seed++) {
		g.step = 0;
		a.ret = 1;
		assert_int_equal(vm_build(w->vm, w->cpu), 0);
		assert_true(test_lanes_run(lanes, 2, seed, 100000));
		assert_int_equal(a.ret, 0);
		assert_int_equal(g.step, 2);
		assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	}
	/* A signal and a death end a halt too. */
	g.step = 0;
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	vcpu_signal(&w->vm->vcpu[0]);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EINTR);
	world_end(w);
}

/* A vCPU moves from CPU to CPU while no lane has the old one. */
static void test_migrate_idle(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct vcpu *v = &w->vm->vcpu[0];
	struct test_guest g;
	struct cpu *other;

	(void)state;
	guest_place(w, 0, &g, body_read);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(atomic_load(&v->cpu), CPU_NONE);
	assert_int_equal(vcpu_run(v, w->cpu), 0);
	assert_int_equal(atomic_load(&v->cpu), 0);
	cpu_put(w->cpu);
	other = cpu_take(w->vmm, 1, &w->env[1].base);
	v->done = false;
	assert_int_equal(vcpu_run(v, other), 0);
	assert_int_equal(atomic_load(&v->cpu), 1);
	assert_int_equal(w->env[1].stats.site[HOST_SITE_flush].calls, 1);
	assert_int_equal(atomic_load(&w->vmm->cpu[0].state), CPU_IDLE);
	cpu_put(other);
	w->cpu = cpu_take(w->vmm, 0, &w->env[0].base);
	/* Teardown flushes it from CPU 1, where no lane is. */
	world_end(w);
}

static void body_spin_until(struct test_guest *g, struct sl_lp *lp)
{
	test_yield();
	if (g->rounds)
		guest_vmcall(lp, VMCALL_DONE, 0, 0);
}

struct migrate_arg {
	struct run_arg run;
	struct test_guest *spinner;
};

static void lane_migrate(void *arg)
{
	struct migrate_arg *a = arg;

	/* vCPU 1 spins on CPU 1, where vCPU 0 is still associated. */
	while (atomic_load(&a->run.w->vm->vcpu[1].mode) == VCPU_OUTSIDE)
		test_yield();
	lane_vcpu(&a->run);
	a->spinner->rounds = 1;
}

/* The old CPU's lane is in the guest: it makes the VP.FLUSH when it is interrupted. */
static void test_migrate_busy(void **state)
{
	struct world *w = world_new(1, 1, false);
	struct test_guest g0, g1;
	struct run_arg a1 = { .w = w, .vcpu = 1, .cpu = 1 };
	struct migrate_arg a0 = { .run = { .w = w, .vcpu = 0, .cpu = 2 }, .spinner = &g1 };
	struct test_lane lanes[] = {
		{ &w->env[1], lane_vcpu, &a1 },
		{ &w->env[2], lane_migrate, &a0 },
	};
	struct cpu *cpu1;

	(void)state;
	guest_place(w, 0, &g0, body_read);
	guest_place(w, 1, &g1, body_spin_until);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	cpu1 = cpu_take(w->vmm, 1, &w->env[1].base);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], cpu1), 0);
	cpu_put(cpu1);
	w->vm->vcpu[0].done = false;
	assert_true(test_lanes_run(lanes, 2, 7, 100000));
	assert_int_equal(a0.run.ret, 0);
	assert_int_equal(a1.ret, 0);
	assert_int_equal(w->env[1].stats.site[HOST_SITE_flush].calls, 1);
	assert_int_equal(w->env[2].stats.site[HOST_SITE_flush].calls, 0);
	assert_int_equal(atomic_load(&w->vm->vcpu[0].cpu), 2);
	world_end(w);
}

/* ---- zaps beside running guests ------------------------------------------------------------- */

#define STRESS_ROUNDS 6

/* Reads, accepts, converts, halts never; goes on at another page each round. */
static void body_stress(struct test_guest *g, struct sl_lp *lp)
{
	u64 gpa = (GFN_FREE + g->rounds % 3) << SL_PAGE_SHIFT;
	struct tdx_module_args args = { .rcx = gpa };
	u64 rax;

	test_yield();
	if (sl_guest_tdcall_completed(lp, &rax, &args))
		g->step = 0;
	if (g->rounds == STRESS_ROUNDS) {
		guest_vmcall(lp, VMCALL_DONE, 0, 0);
		return;
	}
	/* BUSY is tried again; already accepted is fine. Host priority cannot stay for ever. */
	args = (struct tdx_module_args){ .rcx = gpa };
	rax = tdcall(lp, TDCALL_tdg_mem_page_accept, &args);
	if (sl_guest_exit_pending(lp) || (rax & TDX_STATUS_ERROR))
		return;
	g->rounds++;
	if (g->rounds % 2)
		guest_vmcall(lp, VMCALL_MAP_GPA, gpa | BIT_ULL(47), SL_PAGE_SIZE);
}

static void lane_zapper(void *arg)
{
	struct run_arg *a = arg;
	struct cpu *cpu = cpu_take(a->w->vmm, a->cpu, &a->w->env[a->cpu].base);

	for (u32 i = 0; i < STRESS_ROUNDS && !a->ret; i++) {
		a->ret = host_zap(a->w->vm, cpu, GFN_FREE + i % 3, 1);
		if (!a->ret)
			a->ret = host_map(a->w->vm, cpu, GFN_FREE + i % 3, 1);
		if (a->ret == -EFAULT)
			a->ret = 0; /* shared just now */
	}
	cpu_put(cpu);
}

static void test_zap_beside_guests(void **state)
{
	u64 kicked = 0;

	(void)state;
	for (u64 seed = 0; seed < 200; seed++) {
		struct world *w = world_new(1, 1, false);
		struct test_guest g[2];
		struct run_arg a[3] = {
			{ .w = w, .vcpu = 0, .cpu = 0 },
			{ .w = w, .vcpu = 1, .cpu = 1 },
			{ .w = w, .cpu = 2 },
		};
		struct test_lane lanes[] = {
			{ &w->env[0], lane_vcpu, &a[0] },
			{ &w->env[1], lane_vcpu, &a[1] },
			{ &w->env[2], lane_zapper, &a[2] },
		};

		guest_place(w, 0, &g[0], body_stress);
		guest_place(w, 1, &g[1], body_stress);
		assert_int_equal(vm_build(w->vm, w->cpu), 0);
		cpu_put(w->cpu);
		assert_true(test_lanes_run(lanes, 3, seed, 1000000));
		w->cpu = cpu_take(w->vmm, 0, &w->env[0].base);
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(a[i].ret, 0);
		for (u32 i = 0; i < LPS; i++)
			kicked += test_counter(&w->env[i], SL_CTR_kicked_vcpus);
		world_end(w);
	}
	assert_int_not_equal(kicked, 0);
}

struct builder_arg {
	struct world *w;
	u32 vm;
	u32 cpu;
	int ret;
};

static void lane_builder(void *arg)
{
	struct builder_arg *a = arg;
	struct cpu *cpu = cpu_take(a->w->vmm, a->cpu, &a->w->env[a->cpu].base);
	struct vm *vm = &a->w->vmm->vm[a->vm];

	for (u32 i = 0; i < 3 && !a->ret; i++) {
		a->ret = vm_build(vm, cpu);
		if (!a->ret)
			a->ret = vm_teardown(vm, cpu);
	}
	cpu_put(cpu);
}

/* Lets two TDs come and go on two packages; how many builds and teardowns went wrong. */
static u32 run_builders(const struct host_policy *policy, u64 seed)
{
	struct world *w = world_with(policy, 2, 2, false);
	struct builder_arg a[2] = {
		{ .w = w, .vm = 0, .cpu = 0 },
		{ .w = w, .vm = 1, .cpu = 1 },
	};
	struct test_lane lanes[] = {
		{ &w->env[0], lane_builder, &a[0] },
		{ &w->env[1], lane_builder, &a[1] },
	};
	u32 wrong;

	cpu_put(w->cpu);
	assert_true(test_lanes_run(lanes, 2, seed, 1000000));
	wrong = w->env[0].violations + w->env[1].violations;
	wrong += a[0].ret ? 1u : 0u;
	wrong += a[1].ret ? 1u : 0u;
	if (!wrong)
		assert_no_residue(w);
	world_free(w);
	return wrong;
}

/* No build may be refused, nothing may stay. */
static void test_two_builders(void **state)
{
	const struct host_policy policy = kvm();

	(void)state;
	for (u64 seed = 0; seed < 30; seed++)
		assert_int_equal(run_builders(&policy, seed), 0);
}

/* Without tdx_lock two TDs meet at the key ownership table. */
static void test_two_builders_unlocked(void **state)
{
	struct host_policy policy = kvm();
	int setting = host_setting_find("tdx-lock", 8);
	u32 wrong = 0;

	(void)state;
	assert_int_equal(host_policy_set(&policy, (u32)setting, "none", 4), 0);
	for (u64 seed = 0; seed < 30; seed++)
		wrong += run_builders(&policy, seed);
	assert_true(wrong > 0);
}

static void tree_unhold_kept_out(struct world *w)
{
	assert_int_equal(atomic_load(&w->vm->keep_out), 1);
	tree_release(w);
}

/* ---- memslots ------------------------------------------------------------------------------- */

static void policy_set(struct host_policy *p, const char *name, const char *value)
{
	int setting = host_setting_find(name, strlen(name));

	assert_true(setting >= 0);
	assert_int_equal(host_policy_set(p, (u32)setting, value, strlen(value)), 0);
}

static void test_slots(void **state)
{
	struct world *w = world_built(false);

	(void)state;
	assert_int_equal(vm_create_slot(w->vm, w->cpu, GFN_PENDING), -EEXIST);
	assert_int_equal(vm_delete_slot(w->vm, w->cpu, VM_PAGES), -EFAULT);
	assert_int_equal(vm_delete_slot(w->vm, w->cpu, GFN_PENDING + 1), 0);
	/* All of it is gone, and nothing else. */
	assert_int_equal(sept_state_of(w, GFN_PENDING, 0), STATE_FREE);
	assert_int_equal(sept_state_of(w, GFN_PENDING + 2, 0), STATE_FREE);
	assert_int_equal(sept_state_of(w, GFN_MAPPED, 0), STATE_MAPPED);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_PENDING, 1), -ENOENT);
	assert_int_equal(vm_delete_slot(w->vm, w->cpu, GFN_PENDING), -ENOENT);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
	assert_int_equal(vm_create_slot(w->vm, w->cpu, GFN_PENDING), 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_PENDING, 3), 0);
	/* On its way out: user space has to call again. */
	atomic_store(&w->vm->slot[0], VM_SLOT_INVALID);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE + 1, 1), -EAGAIN);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_PENDING, 1), 0);
	atomic_store(&w->vm->slot[0], VM_SLOT_VALID);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE + 1, 1), 0);
	world_end(w);
}

struct deleter {
	struct world *w;
	bool done;
	bool waited; /* the reader has seen that somebody waits for the end of its section */
};

static void lane_deleter(void *arg)
{
	struct deleter *d = arg;
	struct cpu *cpu = cpu_take(d->w->vmm, 2, &d->w->env[2].base);

	test_check(vm_delete_slot(d->w->vm, cpu, GFN_FREE) == 0);
	d->done = true;
	cpu_put(cpu);
}

/* In a read section until the deleter has nothing left to do but wait for its end. */
static void lane_reader(void *arg)
{
	struct deleter *d = arg;
	struct sl_env *env = &d->w->env[1].base;
	struct cpu *cpu = cpu_take(d->w->vmm, 1, env);

	for (u32 round = 0; round < 3; round++) {
		srcu_read_lock(cpu, d->w->vm);
		if (vm_slot_of(d->w->vm, GFN_FREE) == VM_SLOT_VALID)
			for (u32 i = 0; i < 50; i++) {
				/* Whoever saw the slot in this section has it to the end. */
				test_check(!d->done);
				d->waited |= atomic_load(&cpu->srcu) != d->w->vm->index + 1;
				env_pause(env);
			}
		srcu_read_unlock(cpu);
		env_pause(env);
	}
	cpu_put(cpu);
}

static void test_grace_period(void **state)
{
	u32 waited = 0;

	(void)state;
	for (u64 seed = 0; seed < 30; seed++) {
		struct world *w = world_built(false);
		struct deleter d = { .w = w };
		struct test_lane lanes[] = {
			{ &w->env[1], lane_reader, &d },
			{ &w->env[2], lane_deleter, &d },
		};

		assert_true(test_lanes_run(lanes, 2, seed, 1000000));
		assert_true(d.done);
		for (u32 i = 0; i < w->vmm->cpu_count; i++)
			assert_int_equal(atomic_load(&w->vmm->cpu[i].srcu), 0);
		waited += d.waited;
		world_end(w);
	}
	assert_true(waited > 0);
}

/* A vCPU whose slot is gone waits in user space; a vCPU in the guest keeps nobody waiting. */
static void lane_slot_again(void *arg)
{
	struct run_arg *a = arg;
	struct sl_env *env = &a->w->env[a->cpu].base;
	struct cpu *cpu = cpu_take(a->w->vmm, a->cpu, env);

	for (u32 i = 0; i < 5; i++) {
		test_check(vm_delete_slot(a->w->vm, cpu, GFN_FREE) == 0);
		env_pause(env);
		test_check(vm_create_slot(a->w->vm, cpu, GFN_FREE) == 0);
		env_pause(env);
	}
	cpu_put(cpu);
}

static void run_beside_slots(const struct host_policy *policy, u64 seed)
{
	struct world *w = world_with(policy, 1, 1, false);
	struct test_guest g;
	struct run_arg a[2] = { { .w = w, .vcpu = 0, .cpu = 0 }, { .w = w, .cpu = 1 } };
	struct test_lane lanes[] = {
		{ &w->env[0], lane_vcpu, &a[0] },
		{ &w->env[1], lane_slot_again, &a[1] },
	};

	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	cpu_put(w->cpu);
	assert_true(test_lanes_run(lanes, 2, seed, 1000000));
	w->cpu = cpu_take(w->vmm, 0, &w->env[0].base);
	assert_int_equal(a[0].ret, 0);
	world_end(w);
}

static void test_run_beside_slots(void **state)
{
	struct host_policy zap_all = kvm(), drop = kvm(), plain = kvm();

	(void)state;
	policy_set(&zap_all, "slot-zap", "all");
	policy_set(&zap_all, "fault-retry", "local-root-test");
	policy_set(&drop, "fault-retry", "local-drop-srcu");
	for (u64 seed = 0; seed < 40; seed++) {
		run_beside_slots(&plain, seed);
		run_beside_slots(&zap_all, seed);
		run_beside_slots(&drop, seed);
	}
}

/* ---- building step by step ------------------------------------------------------------------ */

static struct world *world_stepwise(const struct host_policy *policy)
{
	struct world *w = world_of(policy, 1, 1,
				   (struct vm_config){
					   .vcpus = 3,
					   .pages = VM_PAGES,
					   .stepwise = true,
					   .absent_vcpus = BIT_ULL(2),
					   .bare_vcpus = BIT_ULL(1) | BIT_ULL(2),
					   .ranges = ranges,
					   .range_count = 2,
				   });

	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	return w;
}

static void test_stepwise(void **state)
{
	struct host_policy policy = kvm();
	struct world *w = world_stepwise(&policy);
	struct vm *vm = w->vm;
	struct test_guest g;

	(void)state;
	assert_int_equal(atomic_load(&vm->state), VM_BUILDING);
	assert_int_equal(host_map(vm, w->cpu, GFN_FREE, 1), -EINVAL);
	assert_int_equal(vcpu_run(&vm->vcpu[0], w->cpu), -EIO);
	assert_true(vm->vcpu[0].inited && !vm->vcpu[1].inited && !vm->vcpu[2].online);
	/* Not there yet, there already. */
	assert_int_equal(vm_init_vcpu(vm, w->cpu, 2), -EINVAL);
	assert_int_equal(vm_init_vcpu(vm, w->cpu, 0), -EINVAL);
	assert_int_equal(vm_create_vcpu(vm, w->cpu, 1), -EEXIST);
	assert_int_equal(vm->created_vcpus, 2);
	assert_int_equal(vm_create_vcpu(vm, w->cpu, 2), 0);
	assert_int_equal(vm->created_vcpus, 3);
	assert_int_equal(vm->online_vcpus, 3);
	guest_place(w, 2, &g, body_read);
	assert_int_equal(vm_init_vcpu(vm, w->cpu, 1), 0);
	assert_int_equal(vm_init_vcpu(vm, w->cpu, 2), 0);
	/* Somebody else is half way through creating one. */
	vm->created_vcpus++;
	assert_int_equal(vm_finalize(vm, w->cpu), -EBUSY);
	vm->created_vcpus--;
	assert_int_equal(vm_add_memory(vm, w->cpu, GFN_FREE, 2, true), 0);
	assert_int_equal(vm_add_memory(vm, w->cpu, GFN_FREE + 2, 1, false), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_init_mem_extend].calls, (2 + 2) * 16);
	assert_int_equal(sept_state_of(w, GFN_FREE + 2, 0), STATE_MAPPED);
	assert_int_equal(host_zap(vm, w->cpu, GFN_FREE + 2, 1), 0);
	assert_int_equal(vm_finalize(vm, w->cpu), 0);
	assert_int_equal(atomic_load(&vm->state), VM_RUNNABLE);
	assert_int_equal(vm_finalize(vm, w->cpu), -EINVAL);
	assert_int_equal(vm_add_memory(vm, w->cpu, GFN_FREE + 3, 1, false), -EINVAL);
	assert_int_equal(host_map(vm, w->cpu, GFN_FREE + 2, 1), 0);
	assert_int_equal(vcpu_run(&vm->vcpu[2], w->cpu), 0);
	assert_true(vm->vcpu[2].done && !vm->vcpu[2].failed);
	world_end(w);
}

/* A leaf of the module is refused once; what the ioctl had done before stays done. */
static void test_stepwise_again(void **state)
{
	struct host_policy policy = kvm();
	struct world *w;
	sharex_hp_t *tdr;

	(void)state;
	policy_set(&policy, "populate", "premap");
	w = world_stepwise(&policy);
	tdr = &mem_pamt(w->m, w->vm->tdr, 0)->lock;
	assert_int_equal(sharex_hp_try_exclusive_published(tdr, HP_HOST), HP_OK);
	assert_int_equal(vm_init_vcpu(w->vm, w->cpu, 1), -EBUSY);
	sharex_hp_release_exclusive_published(tdr);
	assert_int_equal(vm_init_vcpu(w->vm, w->cpu, 1), 0);
	/* The SPTE stands, and PAGE.ADD has failed: the second call makes it good. */
	assert_int_equal(sharex_hp_try_shared_published(tdr, HP_HOST), HP_OK);
	assert_int_equal(vm_add_memory(w->vm, w->cpu, GFN_FREE, 1, false), -EBUSY);
	sharex_hp_release_shared_published(tdr);
	assert_true(mirror_peek(w->vm, GFN_FREE, 0) & SPTE_PRESENT);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_FREE);
	assert_int_equal(vm_add_memory(w->vm, w->cpu, GFN_FREE, 1, false), 0);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_MAPPED);
	world_end(w);
}

static void test_stillborn(void **state)
{
	struct host_policy policy = kvm();
	struct world *w;

	(void)state;
	w = world_stepwise(&policy);
	for (u32 i = 0; i < 5; i++)
		assert_int_equal(vm_create_vcpu(w->vm, w->cpu, 0), -EEXIST);
	world_end(w);
	policy_set(&policy, "stillborn", "free");
	w = world_stepwise(&policy);
	assert_int_equal(vm_create_vcpu(w->vm, w->cpu, 0), -EEXIST);
	assert_int_equal(w->env[0].violations, 0);
	assert_int_equal(vm_create_vcpu(w->vm, w->cpu, 2), 0);
	assert_int_equal(w->env[0].violations, 1);
	assert_string_equal(w->env[0].id, "list_add");
	world_free(w);
}

static void test_entropy_fatal(void **state)
{
	struct host_policy policy = kvm();
	struct world *w;

	(void)state;
	policy_set(&policy, "no-entropy", "fatal");
	w = world_with(&policy, 1, 1, false);
	w->env[0].no_entropy = true;
	assert_int_equal(vm_build(w->vm, w->cpu), -EIO);
	assert_int_equal(w->env[0].stats.seamcalls[SEAMCALL_tdh_mng_create], 1);
	assert_no_residue(w);
	world_free(w);
}

/* ---- policies ------------------------------------------------------------------------------- */

struct change {
	const char *setting, *value;
};

/* A world under @name with up to three settings changed; the last one with a NULL name. */
static struct world *world_policy(const char *name, const struct change *change, bool ve_disable)
{
	static struct host_policy p;

	assert_int_equal(host_policy_init(&p, name, strlen(name)), 0);
	for (; change->setting; change++) {
		int setting = host_setting_find(change->setting, strlen(change->setting));

		assert_true(setting >= 0);
		assert_int_equal(
			host_policy_set(&p, (u32)setting, change->value, strlen(change->value)), 0);
	}
	return world_with(&p, 1, 1, ve_disable);
}

static struct world *built_policy(const char *name, const struct change *change)
{
	struct world *w = world_policy(name, change, false);

	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	return w;
}

#define SET(...) ((const struct change[]){ __VA_ARGS__, { NULL, NULL } })
#define AS_IS    ((const struct change[]){ { NULL, NULL } })

static void world_bugged(struct world *w, const char *id, const char *text)
{
	assert_int_equal(w->env[0].violations, 1);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_HOST_ASSERT);
	assert_string_equal(w->env[0].id, id);
	if (!strstr(w->env[0].text, text))
		fail_msg("found '%s'; expected '%s' in it", w->env[0].text, text);
	vm_teardown(w->vm, w->cpu);
	world_free(w);
}

static void test_presets(void **state)
{
	static const struct {
		const char *policy;
		enum host_site site;
		const char *rule;
	} rows[] = {
		{ "kvm-6.19", HOST_SITE_init_mem_extend, "must-succeed" },
		{ "kvm-6.18", HOST_SITE_init_mem_extend, "return-busy" },
		{ "kvm-6.16", HOST_SITE_init_mem_extend, "return-busy" },
		{ "kvm-6.16", HOST_SITE_zap_remove, "kick-once" },
		{ "resume-and-kick", HOST_SITE_fault_aug, "local-retry" },
		{ "resume-and-kick", HOST_SITE_zap_block, "kick-once" },
		{ "out-of-tree-2023", HOST_SITE_fault_sept_add, "blind-16" },
		{ "out-of-tree-2023", HOST_SITE_zap_block, "blind-16" },
		{ "out-of-tree-2023", HOST_SITE_zap_track, "endless" },
		{ "out-of-tree-2023", HOST_SITE_zap_remove, "endless" },
		{ "out-of-tree-2023", HOST_SITE_zap_wbinvd, "endless" },
		{ "out-of-tree-2023", HOST_SITE_init_mem_add, "endless" },
		{ "out-of-tree-2023", HOST_SITE_reclaim_tdr, "blind-10000" },
		{ "out-of-tree-2023", HOST_SITE_vpflushdone, "must-succeed" },
		{ "exact-92", HOST_SITE_zap_remove, "blind-16" },
		{ "exact-92", HOST_SITE_zap_track, "kick-once" },
		{ "blind-1", HOST_SITE_fault_aug, "blind-1" },
		{ "blind-1000000", HOST_SITE_zap_track, "blind-1000000" },
		{ "blind-3", HOST_SITE_init_mem_add, "blind-3" },
		{ "blind-3", HOST_SITE_reclaim_tdr, "must-succeed" },
	};
	struct host_policy p;
	char word[HOST_WORD_MAX];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(host_policy_init(&p, rows[i].policy, strlen(rows[i].policy)), 0);
		assert_string_equal(p.name, rows[i].policy);
		assert_string_equal(site_rule_name(&p.site[rows[i].site], word), rows[i].rule);
	}
	assert_int_equal(host_policy_init(&p, "resume-and-kick", 15), 0);
	assert_true(HOST_IS(&p, fault_retry, guest) && HOST_IS(&p, enter_on_busy, kick_all));
	assert_int_equal(host_policy_init(&p, "out-of-tree-2023", 16), 0);
	assert_true(HOST_IS(&p, busy_test, exact_92) && HOST_IS(&p, aug_pending, retry));
	assert_int_equal(host_policy_init(&p, "blind-16", 8), 0);
	assert_true(HOST_IS(&p, busy_test, upper_32) && HOST_IS(&p, fault_retry, guest));
	assert_int_equal(host_policy_init(&p, "blind", 5), -ENOENT);
	assert_int_equal(host_policy_init(&p, "blind-", 6), -ENOENT);
	assert_int_equal(host_policy_init(&p, "blind-01", 8), -ENOENT);
	assert_int_equal(host_policy_init(&p, "kvm-6.1", 7), -ENOENT);
}

/* The last try succeeds; one less would not have. */
static void test_blind(void **state)
{
	struct world *w = built_policy("blind-4", AS_IS);
	struct obstacle o = { .clear = tree_unshare, .after = 3 };
	u64 kicks = test_counter(&w->env[0], SL_CTR_kicks);

	(void)state;
	tree_share(w);
	obstacle_place(w, &o);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].max_retries, 3);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts), 0);
	/* The one behind TRACK. */
	assert_int_equal(test_counter(&w->env[0], SL_CTR_kicks), kicks + 1);
	tree_share(w);
	o.after = 4;
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING + 1, 1), -EIO);
	assert_int_equal(o.after, 1);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].max_retries, 4);
	tree_unshare(w);
	world_bugged(w, "zap-block",
		     "TDH.MEM.RANGE.BLOCK at its last try: TDX_OPERAND_BUSY(SEPT_TREE)");
}

static void test_endless(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "remove-on-busy", "endless" }));
	struct obstacle o = { .clear = tree_unshare, .after = 500 };

	(void)state;
	tree_share(w);
	obstacle_place(w, &o);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].max_retries, 500);
	world_end(w);
}

static void tree_unshare_open(struct world *w)
{
	assert_int_equal(atomic_load(&w->vm->keep_out), 0);
	tree_unshare(w);
}

static void test_half_a_kick(void **state)
{
	struct world *w =
		built_policy("kvm-6.19", SET({ "remove-on-busy", "kick-without-keep-out" }));
	struct obstacle o = { .clear = tree_unshare_open, .on_kick = true };
	u64 kicks;

	(void)state;
	tree_share(w);
	obstacle_place(w, &o);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_second_attempts), 1);
	world_end(w);

	w = built_policy("kvm-6.19", SET({ "remove-on-busy", "keep-out-without-kick" }));
	kicks = test_counter(&w->env[0], SL_CTR_kicks);
	tree_share(w);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), -EIO);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_kicks), kicks);
	assert_int_equal(atomic_load(&w->vm->keep_out), 0);
	tree_unshare(w);
	world_bugged(w, "zap-block", "after keeping vCPUs out: TDX_OPERAND_BUSY(SEPT_TREE)");
}

static void test_clobbered(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "operands", "clobbered" }));
	struct obstacle o = { .clear = tree_unshare, .on_kick = true };

	(void)state;
	tree_share(w);
	obstacle_place(w, &o);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), -EIO);
	world_bugged(w, "zap-block", "after kicking all vCPUs: TDX_OPERAND_ADDR_RANGE_ERROR(RDX)");
}

/* The page's own lock: BUSY with operand R8, which is not the tree's. */
static void test_busy_test(void **state)
{
	static const char *const values[] = { "upper-32", "exact-92", "bit-and" };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		struct world *w = built_policy("kvm-6.19", SET({ "prefault", "give-up" },
							       { "busy-test", values[i] }));
		u64 page = SL_PRIVATE_BASE + (GFN_FREE << SL_PAGE_SHIFT);
		sharex_hp_t *lock = &mem_pamt(w->m, (struct hpa){ page }, 0)->lock;
		int ret;

		assert_int_equal(sharex_hp_try_exclusive_published(lock, HP_HOST), HP_OK);
		ret = host_map(w->vm, w->cpu, GFN_FREE, 1);
		sharex_hp_release_exclusive_published(lock);
		if (i == 1) {
			assert_int_equal(ret, -EIO);
			world_bugged(w, "fault-aug", "TDH.MEM.PAGE.AUG: TDX_OPERAND_BUSY(R8)");
			continue;
		}
		assert_int_equal(ret, -EBUSY);
		tree_hold(w);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EBUSY);
		tree_release(w);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
		world_end(w);
	}
}

/* The page is PENDING in the module, and the mirror knows nothing of it. */
static void test_aug_pending(void **state)
{
	static const char *const busy_tests[] = { "upper-32", "bit-and" };

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct world *w =
			built_policy("kvm-6.19", SET({ "prefault", "give-up" },
						     { "aug-pending", i & 1 ? "retry" : "assert" },
						     { "busy-test", busy_tests[i >> 1] }));
		struct tdx_module_args args = {
			.rcx = GFN_FREE << SL_PAGE_SHIFT,
			.rdx = w->vm->tdr.v,
			.r8 = SL_PRIVATE_BASE + (GFN_FREE << SL_PAGE_SHIFT),
		};

		assert_int_equal(seamcall(w->cpu->lp, SEAMCALL_tdh_mem_page_aug, &args), 0);
		if (i) {
			assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EBUSY);
			assert_int_equal(w->env[0].violations, 0);
			vm_teardown(w->vm, w->cpu);
			world_free(w);
			continue;
		}
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EIO);
		world_bugged(w, "fault-aug", "TDX_EPT_ENTRY_STATE_INCORRECT(RCX)");
	}
}

static void test_track_switch(void **state)
{
	static const struct {
		const char *value;
		bool busy;
		u32 kicks;
	} rows[] = {
		{ "kick-after", false, 1 },   { "kick-after", true, 1 },
		{ "no-kick", false, 0 },      { "no-kick", true, 0 },
		{ "kick-on-busy", false, 0 }, { "kick-on-busy", true, 1 },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = built_policy("blind-5", SET({ "track", rows[i].value }));
		struct obstacle o = { .clear = epoch_release, .after = rows[i].busy ? 4 : 0 };
		u64 kicks = test_counter(&w->env[0], SL_CTR_kicks);

		if (rows[i].busy)
			assert_int_equal(sharex_try_exclusive_published(&vm_tdcs(w)->epoch_lock),
					 HP_OK);
		obstacle_place(w, &o);
		assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
		assert_int_equal(test_counter(&w->env[0], SL_CTR_kicks) - kicks, rows[i].kicks);
		assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_track].busy,
				 rows[i].busy ? 4 : 0);
		world_end(w);
	}
}

/* Sites whose callers are not in the middle of a fault or a zap. */
static void test_blind_elsewhere(void **state)
{
	struct world *w = world_policy("kvm-6.19", SET({ "build-create", "blind-3" }), false);
	struct obstacle o = { .clear = kot_unshare, .after = 2 };

	(void)state;
	assert_int_equal(sharex_try_shared_published(&w->m->kot_lock), HP_OK);
	assert_int_equal(vm_build(w->vm, w->cpu), -EBUSY);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_build_create].busy, 3);
	assert_int_equal(w->env[0].violations, 0);
	obstacle_place(w, &o);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_build_create].busy, 5);
	world_end(w);

	w = built_policy("kvm-6.19", SET({ "vpflushdone", "endless" }));
	o = (struct obstacle){ .clear = kot_unshare, .after = 7 };
	assert_int_equal(sharex_try_shared_published(&w->m->kot_lock), HP_OK);
	obstacle_place(w, &o);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_vpflushdone].busy, 7);
	assert_no_residue(w);
	world_free(w);
}

/* Lets go of the tree at the third read lock: two faults were BUSY. */
static void third_read_lock(struct test_env *env, void *arg)
{
	struct obstacle *o = arg;

	(void)env;
	if (o->after && --o->after == 0)
		o->clear(o->w);
}

static void test_fault_retry_guest(void **state)
{
	struct world *w = world_policy("kvm-6.19", SET({ "install-on-busy", "re-enter" }), false);
	struct obstacle o = { .clear = tree_release, .after = 3, .w = w };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	tree_hold(w);
	w->env[0].on_read_lock = third_read_lock;
	w->env[0].arg = &o;
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_faults), 3);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 0);
	world_end(w);
}

static void signal_then_release(struct world *w)
{
	if (!(atomic_load(&w->vm->vcpu[0].requests) & VCPU_REQ_SIGNAL)) {
		struct obstacle *o = w->env[0].arg;

		vcpu_signal(&w->vm->vcpu[0]);
		o->after = 3;
		return;
	}
	tree_release(w);
}

/* The signal does not get it out of the loop; compare test_signal(). */
static void test_fault_retry_without_exits(void **state)
{
	struct world *w = world_policy(
		"kvm-6.19", SET({ "install-on-busy", "local-retry-without-exits" }), false);
	struct obstacle o = { .clear = signal_then_release, .after = 2 };
	struct vcpu *v = &w->vm->vcpu[0];
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	tree_hold(w);
	obstacle_place(w, &o);
	assert_int_equal(vcpu_run(v, w->cpu), -EINTR);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_local_retries), 5);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_PENDING);
	assert_int_equal(vcpu_run(v, w->cpu), 0);
	world_end(w);
}

static void epoch_release_inside(struct world *w)
{
	assert_int_not_equal(atomic_load(&w->vm->vcpu[0].mode), VCPU_OUTSIDE);
	epoch_release(w);
}

static void test_enter_on_busy(void **state)
{
	struct world *w = world_policy("kvm-6.19", SET({ "enter-on-busy", "re-enter" }), false);
	struct obstacle o = { .clear = epoch_release_inside, .after = 4 };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_read);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(sharex_try_exclusive_published(&vm_tdcs(w)->epoch_lock), HP_OK);
	obstacle_place(w, &o);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	/* None of them came out as far as the run loop. */
	assert_int_equal(test_counter(&w->env[0], SL_CTR_enter_busy), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_enter].max_retries, 4);
	world_end(w);

	w = world_policy("kvm-6.19", SET({ "enter-on-busy", "fatal" }), false);
	guest_place(w, 0, &g, body_read);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	assert_int_equal(sharex_try_exclusive_published(&vm_tdcs(w)->epoch_lock), HP_OK);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(w->env[0].kind, SL_VIOLATION_TD_KILLED);
	epoch_release(w);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	world_free(w);
}

/* The kick lets the fault that met BUSY succeed, with everybody kept out. */
static void test_enter_kick_all(void **state)
{
	struct world *w = built_policy("resume-and-kick", AS_IS);
	struct obstacle o = { .clear = tree_unhold_kept_out, .on_kick = true };
	struct vcpu *v = &w->vm->vcpu[0];
	u64 gfn;

	(void)state;
	tree_hold(w);
	assert_int_equal(fault_handle(v, w->cpu, GFN_FREE, false), 0);
	assert_true(v->unresolved);
	obstacle_place(w, &o);
	assert_int_equal(fault_kick_and_retry(v, w->cpu, &gfn), 0);
	assert_int_equal(gfn, GFN_FREE);
	assert_false(v->unresolved);
	assert_int_equal(sept_state_of(w, GFN_FREE, 0), STATE_PENDING);
	assert_int_equal(atomic_load(&w->vm->keep_out), 0);
	/* Nothing is owed: nothing is installed. */
	assert_int_equal(fault_kick_and_retry(v, w->cpu, &gfn), 0);
	/* And one that is BUSY all the same. */
	tree_hold(w);
	assert_int_equal(fault_handle(v, w->cpu, GFN_FREE + 1, false), 0);
	assert_int_equal(fault_kick_and_retry(v, w->cpu, &gfn), -EIO);
	tree_release(w);
	world_bugged(w, "enter", "a fault was BUSY after kicking all vCPUs");
}

static void test_on_hp_timeout(void **state)
{
	static const char *const values[] = { "ignore", "replay" };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		struct world *w =
			world_policy("kvm-6.19", SET({ "on-hp-timeout", values[i] }), true);
		struct test_guest g;
		_Atomic u64 *entry;
		u64 *table, hpa;

		guest_place(w, 0, &g, body_accept);
		assert_int_equal(vm_build(w->vm, w->cpu), 0);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
		hpa = mirror_peek(w->vm, GFN_FREE, 1) & SPTE_ADDR;
		table = mem_frame(w->m, (struct hpa){ hpa });
		entry = (_Atomic u64 *)&table[GFN_FREE];
		atomic_fetch_or(entry, SEPT_ENTRY_HP);
		atomic_store(&w->vm->owed[GFN_FREE / 64], BIT_ULL(GFN_FREE % 64));
		w->env[0].clock_step = 600000;
		for (u32 n = 0; n < 100000 && !test_counter(&w->env[0], SL_CTR_hp_timeouts); n++) {
			g.step = 0;
			w->vm->vcpu[0].done = false;
			assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
		}
		assert_int_equal(test_counter(&w->env[0], SL_CTR_hp_timeouts), 1);
		assert_int_equal((atomic_load(entry) & SEPT_ENTRY_HP) != 0, i == 0);
		assert_int_equal(atomic_load(&w->vm->owed[GFN_FREE / 64]) == 0, i == 1);
		world_end(w);
	}
}

/* A fault like any other: it comes again and again until somebody stops the vCPU. */
static void test_pending_remap(void **state)
{
	struct world *w = world_policy("kvm-6.19", SET({ "pending-fault", "remap" }), true);
	struct obstacle o = { .clear = signal_vcpu0, .after = 40, .w = w };
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_touch_pending);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	w->env[0].on_read_lock = third_read_lock;
	w->env[0].arg = &o;
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EINTR);
	assert_int_equal(test_counter(&w->env[0], SL_CTR_faults), 40);
	world_end(w);
}

/* ---- changes of size ------------------------------------------------------------------------- */

static void assert_mapped(struct world *w, u64 large, u64 small)
{
	struct host_check check;

	host_check(w->vm, &check);
	assert_int_equal(check.leaves[1], large);
	assert_int_equal(check.leaves[0], small);
	assert_int_equal(check.frozen + check.orphans, 0);
}

/* 2 MB become 512 pages, which can be zapped one by one and promoted when they are alike again. */
static void test_split_and_promote(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "promote", "try-again" }));

	(void)state;
	assert_mapped(w, 1, 5);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND + 3, 1), 0);
	assert_mapped(w, 0, 5 + 512);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND + 511, 0), STATE_PENDING);
	/* There is nothing left to split, and nothing here to promote. */
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(host_promote(w->vm, w->cpu, GFN_2M_FREE, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_split_demote].calls, 1);
	assert_int_equal(host_promote(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_mapped(w, 1, 5);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND, 1), STATE_PENDING);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_mapped(w, 0, 5);
	/* Where a table is, small pages are mapped. */
	assert_int_equal(host_map(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_mapped(w, 0, 5 + 512);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_FREE, 1), 0);
	assert_int_equal(host_split(w->vm, w->cpu, 4096, 1), -EFAULT);
	world_end(w);
}

/* A conversion that takes a part of 2 MB away leaves the rest, in small pages. */
static void test_zap_part(void **state)
{
	struct world *w = built_policy("kvm-6.19", AS_IS);

	(void)state;
	assert_int_equal(vm_set_shared(w->vm, w->cpu, GFN_2M_PEND + 8, 4, true), 0);
	assert_mapped(w, 0, 5 + 508);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND + 7, 0), STATE_PENDING);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND + 8, 0), STATE_FREE);
	/* And 2 MB of which a part is shared are not mapped as one page. */
	assert_int_equal(vm_set_shared(w->vm, w->cpu, GFN_2M_FREE + 1, 1, true), 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_2M_FREE, 1), -EFAULT);
	assert_mapped(w, 0, 5 + 508 + 1);
	world_end(w);
}

/* Pages that are not alike: blocked, refused, unblocked; user space may come back. */
static void test_promote_unlike(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "promote", "try-again" }));
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept_2m_small);
	assert_int_equal(sl_guest_bind(w->m, w->vm->vcpu[0].tdvpr.v, &g.base), 0);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND, 0), STATE_MAPPED);
	assert_int_equal(host_promote(w->vm, w->cpu, GFN_2M_PEND, 1), -EAGAIN);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_promote_unblock].calls, 1);
	assert_mapped(w, 0, 5 + 512);
	assert_int_equal(sept_state_of(w, GFN_2M_PEND + 1, 0), STATE_PENDING);
	world_end(w);
}

/* The guest accepts 4 KB of 2 MB: the fault splits, and the range stays small. */
static void test_accept_level(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "accept-level", "split" }));
	struct test_guest g;

	(void)state;
	guest_place(w, 0, &g, body_accept_2m_small);
	assert_int_equal(sl_guest_bind(w->m, w->vm->vcpu[0].tdvpr.v, &g.base), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_false(w->vm->vcpu[0].failed);
	assert_mapped(w, 0, 5 + 512);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_mapped(w, 0, 5 + 512);
	world_end(w);
}

/* A split under mmu_lock held for read that works, and one that cannot be rolled back. */
static void test_split_under_read_lock(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "accept-level", "split" },
						       { "split-under-read-lock", "unblock" }));
	struct vcpu *v = &w->vm->vcpu[0];

	(void)state;
	assert_int_equal(fault_handle(v, w->cpu, GFN_2M_PEND + 2, true), 0);
	assert_mapped(w, 0, 5 + 512);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_fault_demote].calls, 1);
	assert_int_equal(w->env[0].stats.counter[SL_CTR_kicks], 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_2M_FREE, 1), 0);
	/* As if a vCPU had been in the guest since before. */
	atomic_fetch_add(&vm_tdcs(w)->epoch.f.refcount[vm_tdcs(w)->epoch.f.epoch & 1], 1);
	assert_int_equal(fault_handle(v, w->cpu, GFN_2M_FREE, true), -EIO);
	world_bugged(w, "fault-unblock", "TLB_TRACKING_NOT_DONE");
}

static void test_split_busy(void **state)
{
	struct obstacle o = { .clear = tree_unshare_kept_out, .on_kick = true };
	struct world *w = built_policy("kvm-6.19", AS_IS);

	(void)state;
	tree_share(w);
	obstacle_place(w, &o);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_split_block].max_retries, 1);
	assert_mapped(w, 0, 5 + 512);
	world_end(w);
	/* Ignored: DEMOTE finds the page as it was. */
	w = built_policy("kvm-6.19", SET({ "split-block", "ignore" }));
	tree_hold(w);
	o = (struct obstacle){ .clear = tree_release, .on_kick = true };
	obstacle_place(w, &o);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), -EIO);
	world_bugged(w, "split-demote", "GPA_RANGE_NOT_BLOCKED");
}

static void interrupt_over(struct world *w)
{
	w->m->cfg.interrupts = false;
}

static void test_interrupted_resize(void **state)
{
	struct obstacle o = { .clear = interrupt_over, .after = 3 };
	struct world *w = built_policy("kvm-6.19", SET({ "interrupted-resize", "loop" }));

	(void)state;
	w->m->cfg.interrupts = true;
	w->env[0].interrupted = true;
	obstacle_place(w, &o);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_split_demote].calls, 4);
	world_end(w);
	w = built_policy("kvm-6.19", AS_IS);
	w->m->cfg.interrupts = true;
	w->env[0].interrupted = true;
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), -EIO);
	world_bugged(w, "split-demote", "INTERRUPTED_RESTARTABLE");
	w = built_policy("kvm-6.19", SET({ "interrupted-resize", "small-pages" }));
	assert_mapped(w, 0, 5 + 512);
	world_end(w);
}

/* ---- the key id first ------------------------------------------------------------------------ */

static void test_key_first(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "teardown", "key-first" }));

	(void)state;
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_reclaim_leaf].calls, 6);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_zap_block].calls, 0);
	assert_no_residue(w);
	world_free(w);
}

static void test_terminate(void **state)
{
	struct world *w = built_policy("kvm-6.19", AS_IS);

	(void)state;
	assert_true(vcpu_trylock(&w->vm->vcpu[1]));
	assert_int_equal(vm_terminate(w->vm, w->cpu), -EBUSY);
	vcpu_unlock(&w->vm->vcpu[1]);
	assert_int_equal(vm_terminate(w->vm, w->cpu), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), -EIO);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EIO);
	assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), -EIO);
	assert_int_equal(host_zap(w->vm, w->cpu, GFN_PENDING, 1), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_reclaim_leaf].calls, 1);
	assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
	assert_no_residue(w);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	world_end(w);
	w = built_policy("kvm-6.19", SET({ "key-check", "none" }));
	assert_int_equal(vm_terminate(w->vm, w->cpu), 0);
	assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), -EIO);
	world_bugged(w, "fault-aug", "TDX_TD_KEYS_NOT_CONFIGURED");
}

/* ---- where a vCPU is ------------------------------------------------------------------------- */

static void test_migrate_and_offline(void **state)
{
	struct world *w = built_policy("kvm-6.19", AS_IS);
	struct vcpu *v = &w->vm->vcpu[0];

	(void)state;
	vcpu_migrate(v, 2);
	assert_int_equal(atomic_load(&v->wanted), 2);
	assert_int_equal(vcpu_run(v, w->cpu), -EINTR);
	assert_int_equal(vcpu_load(v, w->cpu), 0);
	assert_int_equal(cpu_flush_vcpus(&w->vmm->cpu[2], w->cpu), 0);
	assert_int_equal(atomic_load(&v->cpu), 0);
	assert_int_equal(cpu_flush_vcpus(w->cpu, w->cpu), 0);
	assert_int_equal(atomic_load(&v->cpu), CPU_NONE);
	assert_int_equal(cpu_flush_vcpus(w->cpu, w->cpu), 0);
	world_end(w);
}

static void test_not_flushed(void **state)
{
	struct world *w = built_policy("kvm-6.19", SET({ "flush", "not-on-move" }));
	struct vcpu *v = &w->vm->vcpu[0];
	struct test_guest g;
	struct cpu *other;

	(void)state;
	guest_place(w, 0, &g, body_read);
	assert_int_equal(sl_guest_bind(w->m, v->tdvpr.v, &g.base), 0);
	assert_int_equal(vcpu_run(v, w->cpu), 0);
	v->done = false;
	other = cpu_take(w->vmm, 1, &w->env[1].base);
	assert_int_equal(vcpu_run(v, other), -EIO);
	cpu_put(other);
	assert_int_equal(w->env[1].kind, SL_VIOLATION_TD_KILLED);
	assert_non_null(strstr(w->env[1].text, "VCPU_ASSOCIATED"));
	world_free(w);
	/* At teardown: nobody says a word, but the key id is gone for good. */
	w = built_policy("kvm-6.19", SET({ "flush", "not-at-teardown" }));
	guest_place(w, 0, &g, body_read);
	assert_int_equal(sl_guest_bind(w->m, w->vm->vcpu[0].tdvpr.v, &g.base), 0);
	assert_int_equal(vcpu_run(&w->vm->vcpu[0], w->cpu), 0);
	assert_int_equal(vm_teardown(w->vm, w->cpu), -EIO);
	assert_int_equal(w->env[0].violations, 0);
	assert_int_not_equal(w->vmm->hkids_used, 0);
	world_free(w);
}

static void test_flush_inverted(void **state)
{
	struct world *w = world_policy("kvm-6.19", SET({ "flush-test", "inverted" }), false);

	(void)state;
	assert_int_equal(vm_build(w->vm, w->cpu), -EIO);
	assert_string_equal(w->env[0].id, "flush");
	assert_non_null(strstr(w->env[0].text, "TDH.VP.FLUSH: TDX_SUCCESS"));
	world_free(w);
}

/* ---- dynamic PAMT ---------------------------------------------------------------------------- */

static struct pamt_entry *range_entry(struct world *w, u64 i)
{
	return mem_pamt(w->m, (struct hpa){ SL_PRIVATE_BASE + i * SL_LEVEL_SIZE(1) }, 1);
}

/* Every page that the module has stands for one reference; PAMT pages are there where there is one. */
static u32 assert_refs(struct world *w, bool lazy)
{
	u64 end = w->vmm->pamt_pairs.v - SL_PRIVATE_BASE;
	u32 all = 0;

	for (u64 i = 0; i << SL_LEVEL_SHIFT(1) < end; i++) {
		struct pamt_entry *e = range_entry(w, i);
		u32 used = pamt_type(e) == PAMT_PAMT ? pamt_pages_in_use(e) : 0;

		assert_int_equal(atomic_load(&w->vmm->pamt_refs[i]), lazy ? 0 : used);
		assert_int_equal(pamt_type(e) == PAMT_PAMT, used != 0);
		all += used;
	}
	return all;
}

static void life_with_pamt(const char *get, const char *teardown)
{
	bool lazy = !strcmp(get, "lazy");
	struct world *w = world_policy("kvm-6.19",
				       SET({ "promote", "try-again" }, { "pamt-get", get },
					   { "teardown", teardown }),
				       false);
	u64 guest = (w->vm->base_pfn - (SL_PRIVATE_BASE >> SL_PAGE_SHIFT)) >> SL_LEVEL_BITS;
	u32 before;

	assert_int_equal(assert_refs(w, lazy), 0);
	for (u32 round = 0; round < 2; round++) {
		assert_int_equal(vm_build(w->vm, w->cpu), 0);
		before = assert_refs(w, lazy);
		assert_true(before > 20);
		/* The large page has none of its own; split it has 512, and there is a S-EPT page more. */
		assert_int_equal(pamt_type(range_entry(w, guest + (GFN_2M_PEND >> 9))), PAMT_REG);
		assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
		assert_int_equal(pamt_pages_in_use(range_entry(w, guest + (GFN_2M_PEND >> 9))),
				 512);
		assert_int_equal(assert_refs(w, lazy), before + 513);
		assert_int_equal(host_promote(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
		assert_int_equal(assert_refs(w, lazy), before);
		assert_int_equal(host_split(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
		assert_int_equal(host_zap(w->vm, w->cpu, GFN_2M_PEND, 1), 0);
		assert_int_equal(assert_refs(w, lazy), before + 1);
		assert_int_equal(host_map(w->vm, w->cpu, GFN_FREE, 1), 0);
		assert_int_equal(assert_refs(w, lazy), before + 2);
		assert_int_equal(vm_teardown(w->vm, w->cpu), 0);
		assert_int_equal(assert_refs(w, lazy), 0);
	}
	world_end(w);
}

static void test_pamt_refs(void **state)
{
	(void)state;
	dynamic_pamt = true;
	life_with_pamt("refcount", "pages-first");
	life_with_pamt("refcount", "key-first");
	life_with_pamt("lazy", "pages-first");
	life_with_pamt("lazy", "key-first");
	dynamic_pamt = false;
}

/* Whoever walks in the 2 MB is in the way of the first reference, which then is none. */
static void test_pamt_busy(void **state)
{
	struct hpa page;
	struct world *w;

	(void)state;
	dynamic_pamt = true;
	w = world_policy("kvm-6.19", AS_IS, false);
	page = gfn_hpa(w->vm, GFN_FREE);
	assert_int_equal(sharex_hp_try_shared(&range_entry(w, 0)->lock, HP_HOST), HP_OK);
	assert_int_equal(pamt_ref_get(w->cpu, w->vm, page), -EBUSY);
	assert_int_equal(atomic_load(&w->vmm->pamt_refs[0]), 0);
	sharex_hp_release_shared(&range_entry(w, 0)->lock);
	assert_int_equal(pamt_ref_get(w->cpu, w->vm, page), 0);
	assert_int_equal(pamt_ref_get(w->cpu, w->vm, page), 0);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_pamt_add].calls, 2);
	pamt_ref_put(w->cpu, w->vm, page);
	assert_int_equal(w->env[0].stats.site[HOST_SITE_pamt_remove].calls, 0);
	/* A last reference that ended, behind whose end one came: the pages are there. */
	atomic_store(&w->vmm->pamt_refs[0], 0);
	assert_int_equal(pamt_ref_get(w->cpu, w->vm, page), 0);
	assert_int_equal(atomic_load(&w->vmm->pamt_refs[0]), 1);
	pamt_ref_put(w->cpu, w->vm, page);
	assert_int_equal(pamt_type(range_entry(w, 0)), PAMT_NDA);
	/* Two that both ended a last one: the second finds nothing to remove. */
	atomic_store(&w->vmm->pamt_refs[0], 1);
	pamt_ref_put(w->cpu, w->vm, page);
	assert_int_equal(w->env[0].violations, 0);
	assert_int_equal(vm_build(w->vm, w->cpu), 0);
	world_end(w);
	dynamic_pamt = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_config_refused),
		cmocka_unit_test(test_build_map_zap_teardown),
		cmocka_unit_test(test_two_vms),
		cmocka_unit_test(test_half_built),
		cmocka_unit_test(test_no_entropy),
		cmocka_unit_test(test_return_busy),
		cmocka_unit_test(test_local_retry),
		cmocka_unit_test(test_kick_once),
		cmocka_unit_test(test_kick_once_failed),
		cmocka_unit_test(test_must_succeed),
		cmocka_unit_test(test_frozen_spte),
		cmocka_unit_test(test_invalidation_window),
		cmocka_unit_test(test_invalidation_in_between),
		cmocka_unit_test(test_run_to_done),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_keep_out),
		cmocka_unit_test(test_enter_busy),
		cmocka_unit_test(test_dead_vm),
		cmocka_unit_test(test_pending_touch_kills),
		cmocka_unit_test(test_touch_outside_kills),
		cmocka_unit_test(test_hp_timeout_kills),
		cmocka_unit_test(test_map_gpa),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_migrate_idle),
		cmocka_unit_test(test_migrate_busy),
		cmocka_unit_test(test_zap_beside_guests),
		cmocka_unit_test(test_two_builders),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_half_a_kick),
		cmocka_unit_test(test_clobbered),
		cmocka_unit_test(test_busy_test),
		cmocka_unit_test(test_aug_pending),
		cmocka_unit_test(test_track_switch),
		cmocka_unit_test(test_blind_elsewhere),
		cmocka_unit_test(test_fault_retry_guest),
		cmocka_unit_test(test_fault_retry_without_exits),
		cmocka_unit_test(test_enter_on_busy),
		cmocka_unit_test(test_enter_kick_all),
		cmocka_unit_test(test_on_hp_timeout),
		cmocka_unit_test(test_pending_remap),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_grace_period),
		cmocka_unit_test(test_run_beside_slots),
		cmocka_unit_test(test_stepwise),
		cmocka_unit_test(test_stepwise_again),
		cmocka_unit_test(test_stillborn),
		cmocka_unit_test(test_entropy_fatal),
		cmocka_unit_test(test_two_builders_unlocked),
		cmocka_unit_test(test_pamt_refs),
		cmocka_unit_test(test_pamt_busy),
		cmocka_unit_test(test_split_and_promote),
		cmocka_unit_test(test_zap_part),
		cmocka_unit_test(test_promote_unlike),
		cmocka_unit_test(test_accept_level),
		cmocka_unit_test(test_split_under_read_lock),
		cmocka_unit_test(test_split_busy),
		cmocka_unit_test(test_interrupted_resize),
		cmocka_unit_test(test_key_first),
		cmocka_unit_test(test_terminate),
		cmocka_unit_test(test_migrate_and_offline),
		cmocka_unit_test(test_not_flushed),
		cmocka_unit_test(test_flush_inverted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
