// SPDX-License-Identifier: MIT
/* The dispatchers and TDH.SYS.*: what bring-up does, step by step. */
#include "module_fixture.h"

#include <string.h>

#define VERSION(v)  ((u64)(v) << 16)
#define STATE_OF(f) atomic_load(&(f)->m->sys_state)

/* Leaf numbers that exist before the module is READY. */
static bool early(u32 leaf)
{
	switch (leaf) {
	case 31: /* KEY.CONFIG */
	case 32: /* INFO */
	case 33: /* INIT */
	case 34: /* RD */
	case 35: /* LP.INIT */
	case 37: /* RDALL */
	case 44: /* LP.SHUTDOWN */
	case 45: /* CONFIG */
		return true;
	default:
		return false;
	}
}

/* ---- SEAMCALL dispatcher ---------------------------------------------------------------------- */

static void test_rax_reserved(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);
	u64 before = fx_digest(f);

	(void)state;
	for (u32 bit = 24; bit < 64; bit++) {
		is(fx_seamcall(f, 0, 33 | 1ull << bit, (struct tdx_module_args){ 0 }),
		   ST_INVALID(R_RAX));
		if (bit == 31)
			continue;
		/* Before the module's state is looked at, and before the leaf. */
		is(fx_seamcall(f, 0, 7 | 1ull << bit, (struct tdx_module_args){ 0 }),
		   ST_INVALID(R_RAX));
	}
	eq(fx_digest(f), before);
	fx_down(f);
}

static void test_version(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);
	struct tdx_module_args none = { 0 };

	(void)state;
	/* Leaves with a version 1: the state of the module comes first, even for version 2. */
	for (u32 leaf = 0; leaf < 64; leaf++) {
		bool has = leaf == 3 || leaf == 11 || leaf == 23 || leaf == 26 || leaf == 30;

		is(fx_seamcall(f, 0, leaf | VERSION(1), none),
		   has ? ST_SYS_NOT_READY : ST_INVALID(R_RAX));
		is(fx_seamcall(f, 0, leaf | VERSION(2), none),
		   has ? ST_SYS_NOT_READY : ST_INVALID(R_RAX));
	}
	fx_down(f);
	f = fx_up(SL_PUBLISHED);
	/* SEPT.ADD version 1 gets as far as its operands, version 2 does not. */
	is(fx_seamcall(f, 0, 3 | VERSION(1), (struct tdx_module_args){ .rdx = 2 }),
	   ST_INVALID(R_RDX));
	is(fx_seamcall(f, 0, 3 | VERSION(2), (struct tdx_module_args){ .rdx = 2 }),
	   ST_INVALID(R_RAX));
	is(fx_seamcall(f, 0, 3 | VERSION(255), (struct tdx_module_args){ .rdx = 2 }),
	   ST_INVALID(R_RAX));
	is(fx_seamcall(f, 0, 6 | VERSION(1), none), ST_INVALID(R_RAX));
	fx_down(f);
}

static void test_not_ready(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);

	(void)state;
	for (u32 s = 0; s < 3; s++) {
		atomic_store(&f->m->sys_state, (u8)s);
		for (u32 leaf = 0; leaf < 64; leaf++)
			if (!early(leaf))
				is(fx_seamcall(f, 0, leaf, (struct tdx_module_args){ 0 }),
				   ST_SYS_NOT_READY);
		/* Exempt, but not implemented. */
		is(fx_seamcall(f, 0, 37, (struct tdx_module_args){ 0 }), ST_INVALID(R_RAX));
	}
	fx_down(f);
}

static void test_shutdown(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	atomic_store(&f->m->sys_state, SYS_SHUT_DOWN);
	for (u32 leaf = 0; leaf < 64; leaf++)
		is(fx_seamcall(f, 0, leaf, (struct tdx_module_args){ 0 }),
		   leaf == 44 ? ST_INVALID(R_RAX) : ST_SYS_SHUTDOWN);
	fx_down(f);
}

static void test_unknown_leaf(void **state)
{
	static const u32 unknown[] = { 37, 42, 44, 46, 63, 64, 255, 0xFFFF };
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++)
		is(fx_seamcall(f, 0, unknown[i], (struct tdx_module_args){ .rcx = 1 }),
		   ST_INVALID(R_RAX));
	assert_false(atomic_load(&f->lp[0]->busy));
	fx_down(f);
}

/* A dead module gives one answer to everything, and reports nothing more. */
static void test_halted(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	atomic_store(&f->m->halted, true);
	assert_true(sl_machine_halted(f->m));
	for (u32 leaf = 0; leaf < 64; leaf++)
		is(fx_seamcall(f, 0, leaf, (struct tdx_module_args){ 0 }), ST_HALTED);
	is(fx_seamcall(f, 0, ~0ull, (struct tdx_module_args){ 0 }), ST_HALTED);
	fx_down(f);
}

static void halts_inside(struct fx *f, struct sl_lp *lp)
{
	atomic_store(&f->m->halted, true);
	is(TC(f, lp, tdg_vp_info, 0), ST_HALTED);
	assert_true(sl_guest_exit_pending(lp));
}

static void test_halted_under_a_guest(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	is(fx_enter(f, 0, f->td[0].vcpu[0], halts_inside), ST_HALTED);
	fx_down(f);
}

/* ---- TDCALL dispatcher ------------------------------------------------------------------------ */

static void tdcall_rax(struct fx *f, struct sl_lp *lp)
{
	static const u32 unknown[] = { 11, 12, 13, 25, 31, 32, 0xFFFF };
	struct tdx_module_args none = { 0 };

	for (u32 bit = 16; bit < 64; bit++)
		is(fx_tdcall(f, lp, 1 | 1ull << bit, none), ST_INVALID(R_RAX));
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++)
		is(fx_tdcall(f, lp, unknown[i], none), ST_INVALID(R_RAX));
	/* SEAMCALL is not for guests; other LPs go on. */
	is(SC(f, 0, tdh_mem_track, .rcx = f->td[0].tdr), ST_INVALID(R_RAX));
	is(SC(f, 1, tdh_mem_track, .rcx = f->td[0].tdr), ST_SUCCESS);
	/* Once an exit is pending, the guest is no longer there to call. */
	fx_vmcall(f, lp);
	is(fx_tdcall(f, lp, 1, none), ST_INVALID(R_RAX));
}

static void test_tdcall_rax(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	is(fx_tdcall(f, f->lp[0], 1, (struct tdx_module_args){ 0 }), ST_INVALID(R_RAX));
	is(fx_enter(f, 0, f->td[0].vcpu[0], tdcall_rax), EXIT_VMCALL);
	is(fx_tdcall(f, f->lp[0], 1, (struct tdx_module_args){ 0 }), ST_INVALID(R_RAX));
	fx_down(f);
}

/* ---- bring-up ------------------------------------------------------------------------------- */

static void test_sys_init(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);

	(void)state;
	/* The attributes are looked at before the lock and before the state. */
	fx_hold(f, fx_w_sharex(&f->m->sys_lock), true);
	is(SC(f, 0, tdh_sys_init, .rcx = 1ull << 40, .rdx = 2, .r8 = 3, .r9 = 4, .r10 = 5),
	   ST_INVALID(R_RCX));
	fx_release_all(f);
	is(SC(f, 0, tdh_sys_init, .rdx = 2, .r8 = 3, .r9 = 4, .r10 = 5), ST_SUCCESS);
	eq(f->out.rcx | f->out.rdx | f->out.r8 | f->out.r9 | f->out.r10, 0);
	eq(STATE_OF(f), SYS_INIT_DONE);
	is(SC(f, 1, tdh_sys_init, 0), ST_SYS_INIT_NOT_PENDING);
	is(SC(f, 1, tdh_sys_init, .rcx = 1), ST_INVALID(R_RCX));
	fx_down(f);
}

static void test_sys_lp_init(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);

	(void)state;
	is(SC(f, 0, tdh_sys_lp_init, 0), ST_SYS_LP_INIT_NOT_PENDING);
	fx_sys_init(f);
	is(SC(f, 2, tdh_sys_lp_init, .rcx = 1, .rdx = 2, .r8 = 3), ST_SUCCESS);
	eq(f->out.rcx | f->out.rdx | f->out.r8, 0);
	eq(atomic_load(&f->m->lps_initialized), 1);
	assert_true(f->lp[2]->initialized);
	assert_false(f->lp[1]->initialized);
	is(SC(f, 2, tdh_sys_lp_init, 0), ST_SYS_LP_INIT_DONE);
	/* The lock is shared: another LP may be at it. */
	fx_hold(f, fx_w_sharex(&f->m->sys_lock), false);
	is(SC(f, 1, tdh_sys_lp_init, 0), ST_SUCCESS);
	eq(fx_word_value(f->held[0].w), 2);
	fx_release_all(f);
	/* No entropy: nothing happened, and the LP tries again. */
	fx_script(f, 1, 1u);
	is(SC(f, 0, tdh_sys_lp_init, 0), ST_RND_NO_ENTROPY);
	eq(atomic_load(&f->m->lps_initialized), 2);
	is(SC(f, 0, tdh_sys_lp_init, 0), ST_SUCCESS);
	eq(f->asked[SL_CHOICE_ENTROPY], 4);
	/* CONFIG only once the last LP is there. */
	fx_tdmr_info(f);
	is(fx_sys_config(f), ST_SYS_CONFIG_NOT_PENDING);
	is(SC(f, 3, tdh_sys_lp_init, 0), ST_SUCCESS);
	is(fx_sys_config(f), ST_SUCCESS);
	is(SC(f, 3, tdh_sys_lp_init, 0), ST_SYS_LP_INIT_NOT_PENDING);
	fx_down(f);
}

static void test_sys_config(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);
	u64 *info;

	(void)state;
	fx_tdmr_info(f);
	is(fx_sys_config(f), ST_SYS_CONFIG_NOT_PENDING);
	fx_sys_init(f);
	fx_lp_init(f);
	/* The key id is reserved before the TDMRs are looked at, and stays so on failure. */
	info = fx_tdmr_info(f);
	info[1] = 0;
	is(fx_sys_config(f), ST_INVALID_TDMR(0));
	eq(f->m->kot[FX_MODULE_KEY].state, KOT_RESERVED);
	eq(STATE_OF(f), SYS_INIT_DONE);
	info[1] = (2ull << 30) + 4096;
	is(fx_sys_config(f), ST_INVALID_TDMR(0));
	info[1] = 1ull << 46;
	is(fx_sys_config(f), ST_INVALID_TDMR(0));
	info[1] = 1ull << 30;
	is(fx_sys_config(f), ST_TDMR_OUTSIDE(0));
	info[0] = 4ull << 30;
	info[1] = 2ull << 30;
	is(fx_sys_config(f), ST_TDMR_OUTSIDE(0));
	fx_tdmr_info(f);
	is(SC(f, 0, tdh_sys_config, .rcx = FX_TDMR_LIST, .rdx = 1, .r8 = 40), ST_SUCCESS);
	eq(f->m->kot[40].state, KOT_RESERVED);
	eq(STATE_OF(f), SYS_CONFIG_DONE);
	is(fx_sys_config(f), ST_SYS_CONFIG_NOT_PENDING);
	fx_down(f);
}

static void test_sys_key_config(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);

	(void)state;
	is(SC(f, 0, tdh_sys_key_config, 0), ST_SYS_KEY_NOT_PENDING);
	fx_sys_init(f);
	fx_lp_init(f);
	fx_tdmr_info(f);
	is(fx_sys_config(f), ST_SUCCESS);
	/* The package's bit goes away again when the key cannot be programmed. */
	fx_script(f, 1, 1u);
	is(SC(f, 0, tdh_sys_key_config, 0), ST_KEY_GENERATION_FAILED);
	eq(atomic_load(&f->m->sys_pkg_bitmap), 0);
	fx_hold(f, fx_w_mutex(&f->m->key_engine[0]), true);
	is(SC(f, 0, tdh_sys_key_config, 0), ST_BUSY(R_KET));
	eq(atomic_load(&f->m->sys_pkg_bitmap), 0);
	/* The other package has an engine of its own. */
	is(SC(f, 1, tdh_sys_key_config, 0), ST_SUCCESS);
	fx_release_all(f);
	eq(atomic_load(&f->m->sys_pkg_bitmap), 2);
	eq(STATE_OF(f), SYS_CONFIG_DONE);
	is(SC(f, 3, tdh_sys_key_config, 0), ST_KEY_CONFIGURED);
	is(SC(f, 2, tdh_sys_key_config, 0), ST_SUCCESS);
	eq(atomic_load(&f->m->sys_pkg_bitmap), 3);
	eq(STATE_OF(f), SYS_READY);
	is(SC(f, 2, tdh_sys_key_config, 0), ST_SYS_KEY_NOT_PENDING);
	fx_down(f);
}

static void test_sys_tdmr_init(void **state)
{
	struct fx *f = fx_new(SL_PUBLISHED, false);

	(void)state;
	fx_sys_init(f);
	fx_lp_init(f);
	fx_tdmr_info(f);
	is(fx_sys_config(f), ST_SUCCESS);
	is(SC(f, 0, tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE), ST_SYS_NOT_READY);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_sys_key_config, 0), ST_SUCCESS);
	is(SC(f, 0, tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE + (1ull << 30)), ST_INVALID(R_RCX));
	/* 4 MB a call; only whole blocks of 1 GB are reported, and usable. */
	for (u32 i = 1; i <= 512; i++) {
		is(SC(f, 0, tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE), ST_SUCCESS);
		eq(f->out.rdx, SL_PRIVATE_BASE + (u64)(i / 256) * (1ull << 30));
		if (i == 255)
			is(SC(f, 0, tdh_mng_create, .rcx = FX_HPA(0), .rdx = 33), ST_RANGE(R_RCX));
		if (i == 256)
			is(SC(f, 0, tdh_mng_create, .rcx = FX_HPA(0), .rdx = 33), ST_SUCCESS);
		if (i == 511)
			is(SC(f, 0, tdh_mng_create, .rcx = FX_HPA(FX_AT_HIGH), .rdx = 34),
			   ST_RANGE(R_RCX));
	}
	is(SC(f, 0, tdh_mng_create, .rcx = FX_HPA(FX_AT_HIGH), .rdx = 34), ST_SUCCESS);
	is(SC(f, 0, tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE, .rdx = 9), ST_TDMR_ALREADY);
	eq(f->out.rdx, 9);
	fx_down(f);
}

/* The other names of the tables: a status of each class decodes, a wrong one does not. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(tdx_status_name(ST_BUSY(R_KOT)), "TDX_OPERAND_BUSY");
	assert_string_equal(tdx_status_name(ST_HP_TIMEOUT), "TDX_HOST_PRIORITY_BUSY_TIMEOUT");
	assert_string_equal(tdx_status_name(ST_HALTED), "TDX_UNINITIALIZE_ERROR");
	assert_null(tdx_status_name(0x1234567800000000ull));
	assert_string_equal(tdx_operand_name(R_SEPT_TREE), "SEPT_TREE");
	assert_null(tdx_operand_name(4));
	assert_string_equal(tdx_seamcall_name(7), "TDH.MEM.RANGE.BLOCK");
	assert_string_equal(tdx_tdcall_name(6), "TDG.MEM.PAGE.ACCEPT");
	assert_null(tdx_seamcall_name(42));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rax_reserved),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_not_ready),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_unknown_leaf),
		cmocka_unit_test(test_halted),
		cmocka_unit_test(test_halted_under_a_guest),
		cmocka_unit_test(test_tdcall_rax),
		cmocka_unit_test(test_sys_init),
		cmocka_unit_test(test_sys_lp_init),
		cmocka_unit_test(test_sys_config),
		cmocka_unit_test(test_sys_key_config),
		cmocka_unit_test(test_sys_tdmr_init),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("module: dispatchers and SYS", tests, NULL, NULL);
}
