// SPDX-License-Identifier: MIT
/* What the module does otherwise in release 1.5.25, each thing in both releases. */
#include "unit/module_fixture.h"

#include <seamlab/tdx_abi.h>

#define GPA   0x200000ull
#define BIG   0x40000000ull
#define CHUNK 5

static const enum sl_release releases[] = { SL_RELEASE_1_5_01, SL_RELEASE_1_5_25 };

#define V1(leaf)       (SEAMCALL_##leaf | 1ull << 16)
#define ST_X2APIC(id)  (0xC000062100000000ull + (id))
#define ST_VCPU(state) (0xC000070000000000ull + (state))

static struct fx *runnable(enum sl_release r, u32 vcpus)
{
	struct fx *f = fx_up_release(r, SL_PUBLISHED);

	fx_td_runnable(f, &f->td[0], vcpus);
	fx_sept(f, &f->td[0], GPA, 0);
	return f;
}

/* ---- the S-EPT tree lock ------------------------------------------------------------------------ */

static void test_tree_lock(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(releases[i], 1);
		u64 tdr = f->td[0].tdr;
		struct fx_word tree = fx_w_tree(f, &f->td[0]);

		fx_hold(f, tree, true);
		is(SC(f, 0, tdh_mem_sept_rd, .rcx = GPA, .rdx = tdr), 0x8000020000000092ull);
		is(SC(f, 0, tdh_mem_range_block, .rcx = GPA, .rdx = tdr), 0x8000020000000092ull);
		eq(fx_word_hp(tree), i);
		fx_release_all(f);
		/* The exclusive release keeps it, and any host's success takes it away. */
		eq(fx_word_value(tree), i ? 2 : 0);
		is(SC(f, 0, tdh_mem_sept_rd, .rcx = GPA, .rdx = tdr), ST_SUCCESS);
		eq(fx_word_value(tree), 0);
		fx_hold(f, tree, false);
		is(SC(f, 0, tdh_mem_range_block, .rcx = GPA, .rdx = tdr), 0x8000020000000092ull);
		eq(fx_word_hp(tree), i);
		is(SC(f, 0, tdh_mem_sept_rd, .rcx = GPA, .rdx = tdr), ST_SUCCESS);
		eq(fx_word_hp(tree), 0);
		fx_down(f);
	}
}

/* ---- zero-step ---------------------------------------------------------------------------------- */

static u32 runs;

static void fault(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	runs++;
	sl_guest_access(lp, GPA, false, NULL);
}

static u64 enter_fault(struct fx *f)
{
	return fx_enter(f, 0, f->td[0].vcpu[0], fault);
}

static struct fx *listed(enum sl_release r)
{
	struct fx *f = runnable(r, 1);

	fx_tdvps(f, f->td[0].vcpu[0])->rip = 0x1000;
	for (u32 i = 0; i < 7; i++)
		is(enter_fault(f), EXIT_EPT_VIOLATION);
	eq(fx_tdvps(f, f->td[0].vcpu[0])->epf_index, 1);
	runs = 0;
	return f;
}

/* Against shared holders of the tree the check fails in 1.5.01 only, against exclusive ones always. */
static void test_zero_step_mode(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = listed(releases[i]);

		fx_hold(f, fx_w_tree(f, &f->td[0]), false);
		is(enter_fault(f), i ? EXIT_EPT_VIOLATION : 0x8000020000000092ull);
		fx_release_all(f);
		fx_hold(f, fx_w_tree(f, &f->td[0]), true);
		is(enter_fault(f), 0x8000020000000092ull);
		fx_release_all(f);
		eq(runs, 0);
		fx_down(f);
	}
}

static void test_zero_step_pending(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++)
		for (u32 ve_disable = 0; ve_disable < 2; ve_disable++) {
			struct fx *f = listed(releases[i]);
			struct fx_td *td = &f->td[0];

			atomic_store(&fx_tdcs(f, td)->td_ctls, ve_disable);
			fx_poke(f, td, GPA, 0, E_PENDING(fx_page_high(f)));
			/* Either the filter sends it out again, or the guest runs and gets a #VE. */
			is(enter_fault(f), i && !ve_disable ? EXIT_VMCALL : EXIT_EPT_VIOLATION);
			eq(runs, i && !ve_disable);
			fx_poke(f, td, GPA, 0, E_FREE);
			fx_down(f);
		}
}

/* Without a list the tree is left alone; with one it is held until just before the guest runs. */
static void look_at_tree(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	f->g.rcx = fx_word_value(fx_w_tree(f, &f->td[0]));
}

static void test_zero_step_holds(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = listed(releases[i]);
		struct fx_td *td = &f->td[0];

		fx_poke(f, td, GPA, 0, E_MAPPED(fx_page_high(f)));
		is(fx_enter(f, 0, td->vcpu[0], look_at_tree), EXIT_VMCALL);
		eq(f->g.rcx, 0);
		eq(fx_word_value(fx_w_tree(f, td)), 0);
		fx_poke(f, td, GPA, 0, E_FREE);
		fx_down(f);
	}
}

/* ---- commits keep host priority -------------------------------------------------------------- */

static void host_wants_it(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(SC(f, 1, tdh_mem_sept_rd, .rcx = PAGE_INFO(BIG, 1), .rdx = f->td[0].tdr),
	   ST_BUSY(R_RCX));
}

static void accept_big(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mem_page_accept, .rcx = PAGE_INFO(BIG, 1)), ST_SUCCESS);
}

static void test_accept_keeps_hp(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(releases[i], 1);
		u64 big = FX_HPA(FX_AT_BIG);

		fx_aug(f, &f->td[0], BIG, 1, big);
		fx_trap(f, big + CHUNK * SL_PAGE_SIZE, host_wants_it);
		is(fx_enter(f, 0, f->td[0].vcpu[0], accept_big), EXIT_VMCALL);
		eq(f->traps, 1);
		eq(fx_entry_value(f, &f->td[0], BIG, 1), E_MAPPED(big) | (i ? E_HP : 0));
		fx_down(f);
	}
}

/* ---- PROMOTE, DEMOTE, RD ------------------------------------------------------------------------ */

#define ST_INTERRUPTED_BUSY 0x8000020600000000ull
#define ST_CONDITIONS       0xC0000B0900000001ull

/* 512 PENDING pages below GPA, as DEMOTE leaves them, before the TD runs: nothing has to be blocked. */
static struct fx *split(enum sl_release r)
{
	struct fx *f = fx_up_release(r, SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	fx_td_initialized(f, td, 1);
	fx_aug(f, td, GPA, 1, FX_HPA(FX_AT_BIG));
	is(SC(f, 0, tdh_mem_page_demote, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr,
	      .r8 = fx_page_sept(f), .r9 = ~0ull, .r10 = ~0ull, .r11 = ~0ull),
	   ST_SUCCESS);
	return f;
}

static u64 promote(struct fx *f)
{
	return SC(f, 0, tdh_mem_page_promote, .rcx = PAGE_INFO(GPA, 1), .rdx = f->td[0].tdr);
}

static void test_promote_tree(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = split(releases[i]);

		/* Against a shared holder of the tree: only the later release wants it alone. */
		fx_hold(f, fx_w_tree(f, &f->td[0]), false);
		is(promote(f), i ? ST_BUSY(R_SEPT_TREE) : ST_SUCCESS);
		fx_release_all(f);
		fx_down(f);
	}
}

static void test_promote_children(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = split(releases[i]);
		u64 child = GPA + 7 * SL_PAGE_SIZE;
		struct fx_word word = fx_w_entry(f, &f->td[0], child, 0);

		/* A locked child is busy, or differs from the first, which is not. */
		fx_hold(f, word, true);
		is(promote(f), i ? ST_CONDITIONS : ST_BUSY(R_RCX));
		fx_release_all(f);
		/* A request on a child: its lock takes it away, or it does not count. */
		fx_set_hp(word);
		is(promote(f), ST_SUCCESS);
		eq(fx_entry_value(f, &f->td[0], GPA, 1), E_PENDING(FX_HPA(FX_AT_BIG)));
		fx_down(f);
	}
}

/* Accessed and dirty bits differ: not compared in the later release. */
static void test_promote_bits(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = split(releases[i]);
		struct fx_td *td = &f->td[0];
		u64 child = GPA + 511 * SL_PAGE_SIZE, value = fx_entry_value(f, td, child, 0);

		fx_poke(f, td, child, 0, value | 1 << 8);
		is(promote(f), i ? ST_SUCCESS : ST_CONDITIONS);
		fx_down(f);
	}
}

static void refused_by_tree(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(SC(f, 1, tdh_mem_range_block, .rcx = PAGE_INFO(GPA, 1), .rdx = f->td[0].tdr),
	   ST_BUSY(R_SEPT_TREE));
}

/* DEMOTE looks for host priority on the tree after it has filled the new page. */
static void test_demote_polls(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up_release(releases[i], SL_PUBLISHED);
		struct fx_td *td = &f->td[0];
		u64 page;

		fx_td_initialized(f, td, 1);
		fx_aug(f, td, GPA, 1, FX_HPA(FX_AT_BIG));
		page = fx_page_sept(f);
		fx_trap(f, page, refused_by_tree);
		/* The other call comes in the middle, with locks held. */
		f->depth = 1;
		is(SC(f, 0, tdh_mem_page_demote, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr,
		      .r8 = page, .r9 = ~0ull, .r10 = ~0ull, .r11 = ~0ull),
		   i ? ST_INTERRUPTED_BUSY : ST_SUCCESS);
		f->depth = 0;
		fx_check_locks(f);
		eq(f->traps, 1);
		if (i) {
			eq(f->out.rcx, PAGE_INFO(GPA, 1));
			eq(f->out.rdx, td->tdr);
			eq(fx_entry_value(f, td, GPA, 1), E_PENDING(FX_HPA(FX_AT_BIG)));
			page_is(f, page, 0, PAMT_NDA, 0, 0);
			eq(fx_word_hp(fx_w_tree(f, td)), 1);
			/* Its own success takes the request away, so the next try gets through. */
			is(SC(f, 0, tdh_mem_page_demote, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr,
			      .r8 = page, .r9 = ~0ull, .r10 = ~0ull, .r11 = ~0ull),
			   ST_SUCCESS);
		}
		fx_down(f);
	}
}

/* ---- statuses -------------------------------------------------------------------------------- */

static void test_unblock_operand(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(releases[i], 1);
		struct fx_td *td = &f->td[0];

		fx_aug(f, td, GPA, 0, fx_page_high(f));
		is(SC(f, 1, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
		is(SC(f, 1, tdh_mem_range_unblock, .rcx = GPA, .rdx = td->tdr),
		   i ? 0xC0000B0800000001ull : 0xC0000B0800000092ull);
		fx_down(f);
	}
}

static void test_states_in_statuses(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(releases[i], 1);
		struct fx_td *td = &f->td[0];

		/* RUNNABLE is 2, READY is 2. */
		is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), 0xC000060800000000ull + (i ? 2 : 0));
		atomic_store(&fx_tdvps(f, td->vcpu[0])->state, VCPU_DISABLED);
		is(SC(f, 0, tdh_vp_enter, .rcx = td->vcpu[0]), ST_VCPU(i ? 8 : 0));
		fx_tdcs(f, td)->op_state = OP_INITIALIZED;
		is(SC(f, 0, tdh_vp_init, .rcx = td->vcpu[0]), ST_VCPU(i ? 8 : 0));
		is(SC(f, 0, tdh_vp_addcx, .rcx = fx_page_vp(f), .rdx = td->vcpu[0]),
		   ST_VCPU(i ? 8 : 0));
		/* The seventh control page is for L2 VMs, before TDH.MNG.INIT only. */
		is(SC(f, 0, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr),
		   0xC000060800000000ull + (i ? 1 : 0));
		fx_tdcs(f, td)->op_state = OP_RUNNABLE;
		atomic_store(&fx_tdvps(f, td->vcpu[0])->state, VCPU_READY);
		fx_down(f);
	}
}

/* OP_STATE 11, which no other leaf here accepts. */
static void test_start_import(void **state)
{
	struct fx *f = runnable(SL_RELEASE_1_5_25, 1);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_tdcs(f, td)->op_state = 11;
	is(SC(f, 0, tdh_mem_sept_rd, .rcx = GPA, .rdx = td->tdr), 0xC00006080000000Bull);
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), 0xC00006080000000Bull);
	is(SC(f, 0, tdh_vp_flush, .rcx = td->vcpu[0]), ST_SUCCESS);
	fx_tdcs(f, td)->op_state = OP_RUNNABLE;
	fx_down(f);
}

static void test_epoch_limit(void **state)
{
	const u64 limit = 0x7FFFFFFFFFFFFFFFull;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(releases[i], 1);
		struct fx_td *td = &f->td[0];
		struct tdcs *t = fx_tdcs(f, td);

		atomic_store(&t->epoch.f.epoch, limit - 2);
		is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
		eq(atomic_load(&t->epoch.f.epoch), limit - 1);
		f->violations_expected = i;
		is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), i ? ST_HALTED : ST_SUCCESS);
		eq(f->violations, i);
		fx_down(f);
	}
}

/* ---- TDH.VP.INIT ----------------------------------------------------------------------------- */

static u64 init_v1(struct fx *f, u32 lp, u64 vcpu, u64 id)
{
	return fx_seamcall(f, lp, V1(tdh_vp_init),
			   (struct tdx_module_args){ .rcx = vcpu, .r8 = id });
}

static void test_vp_init_versions(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up_release(releases[i], SL_PUBLISHED);
		struct fx_td *td = &f->td[0];
		u64 v[3];

		fx_td_initialized(f, td, 0);
		for (u32 k = 0; k < 3; k++)
			v[k] = fx_vcpu_create(f, td);
		if (!i) {
			is(init_v1(f, 0, v[0], 5), ST_INVALID(R_RAX));
			fx_down(f);
			continue;
		}
		is(init_v1(f, 0, v[0], 5), ST_SUCCESS);
		is(init_v1(f, 1, v[1], 5), ST_X2APIC(5));
		eq(atomic_load(&fx_tdcs(f, td)->num_vcpus), 1);
		eq(atomic_load(&fx_tdvps(f, v[1])->state), VCPU_UNINITIALIZED);
		is(init_v1(f, 1, v[1], 6), ST_SUCCESS);
		/* Version 0 has no id, and looks at none. */
		is(SC(f, 2, tdh_vp_init, .rcx = v[2], .r8 = 5), ST_SUCCESS);
		eq(fx_tdvps(f, v[2])->vcpu_index, 2);
		fx_down(f);
	}
}

/* Version 1 wants the TDR exclusive, and is refused by whoever holds it shared. */
static void test_vp_init_v1_tdr(void **state)
{
	struct fx *f = fx_up_release(SL_RELEASE_1_5_25, SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	struct fx_word tdr;
	u64 v;

	(void)state;
	fx_td_initialized(f, td, 0);
	v = fx_vcpu_create(f, td);
	tdr = fx_w_pamt(f, td->tdr, 0);
	fx_hold(f, tdr, false);
	is(init_v1(f, 0, v, 1), 0x8000020000000080ull);
	eq(fx_word_hp(tdr), 1);
	is(SC(f, 0, tdh_vp_init, .rcx = v), ST_SUCCESS);
	eq(fx_word_hp(tdr), 0);
	fx_down(f);
}

/* The x2APIC ids of a TD that is gone are gone with it. */
static void test_vp_init_v1_again(void **state)
{
	struct fx *f = fx_up_release(SL_RELEASE_1_5_25, SL_PUBLISHED);
	u64 v;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		fx_td_initialized(f, &f->td[i], 0);
		v = fx_vcpu_create(f, &f->td[i]);
		is(init_v1(f, 0, v, 9), ST_SUCCESS);
	}
	fx_down(f);
}

static void test_tsc_adjust(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up_release(releases[i], SL_PUBLISHED);
		struct fx_td *td = &f->td[0];
		u64 v;

		fx_td_initialized(f, td, 0);
		v = fx_vcpu_create(f, td);
		sl_lp_set_platform(f->lp[0], SL_PLATFORM_TSC_ADJUST);
		is(SC(f, 0, tdh_vp_init, .rcx = v), ST_INCONSISTENT_MSR(0x3B));
		eq(atomic_load(&fx_tdcs(f, td)->num_vcpus), i ? 0 : 1);
		/* In 1.5.25 it comes before the page is looked at. */
		is(SC(f, 0, tdh_vp_init, .rcx = v + 1),
		   i ? ST_INCONSISTENT_MSR(0x3B) : ST_INVALID(R_RCX));
		sl_lp_set_platform(f->lp[0], 0);
		fx_down(f);
	}
}

static void test_versions_refused(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up_release(releases[i], SL_PUBLISHED);

		/* Known to 1.5.25, but not modelled; and unknown to both. */
		is(fx_seamcall(f, 0, V1(tdh_sys_init), (struct tdx_module_args){ 0 }),
		   ST_INVALID(R_RAX));
		is(fx_seamcall(f, 0, V1(tdh_mem_track), (struct tdx_module_args){ 0 }),
		   ST_INVALID(R_RAX));
		is(fx_seamcall(f, 0, SEAMCALL_tdh_vp_init | 2ull << 16,
			       (struct tdx_module_args){ 0 }),
		   ST_INVALID(R_RAX));
		is(fx_seamcall(f, 0, 58, (struct tdx_module_args){ 0 }), ST_INVALID(R_RAX));
		fx_down(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_lock),          cmocka_unit_test(test_zero_step_mode),
		cmocka_unit_test(test_zero_step_pending),  cmocka_unit_test(test_zero_step_holds),
		cmocka_unit_test(test_accept_keeps_hp),    cmocka_unit_test(test_promote_tree),
		cmocka_unit_test(test_promote_children),   cmocka_unit_test(test_promote_bits),
		cmocka_unit_test(test_demote_polls),       cmocka_unit_test(test_unblock_operand),
		cmocka_unit_test(test_states_in_statuses), cmocka_unit_test(test_start_import),
		cmocka_unit_test(test_epoch_limit),        cmocka_unit_test(test_vp_init_versions),
		cmocka_unit_test(test_vp_init_v1_tdr),     cmocka_unit_test(test_vp_init_v1_again),
		cmocka_unit_test(test_tsc_adjust),         cmocka_unit_test(test_versions_refused),
	};

	return cmocka_run_group_tests_name("module: releases", tests, NULL, NULL);
}
