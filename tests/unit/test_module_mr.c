// SPDX-License-Identifier: MIT
/*
 * Measurement: MRTD, the run-time registers and their lock, reports. Digests are computed a second
 * time here, through another interface of the library.
 */
#include "module_fixture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

#define GPA 0x40000000ull

static void sha384(const void *data, size_t size, u8 *out)
{
	unsigned int length = 0;

	assert_int_equal(EVP_Digest(data, size, out, &length, EVP_sha384(), NULL), 1);
	eq(length, 48);
}

/* Contents of a guest's page in the frames. */
static u8 *page_of(struct fx *f, u64 hpa)
{
	return f->m->mem.frames + (hpa - SL_PRIVATE_BASE);
}

/* ---- MRTD ----------------------------------------------------------------------------------- */

static void test_mrtd(void **state)
{
	struct fx *f = fx_up_contents(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u8 *source = sl_machine_shared(f->m, FX_SOURCE);
	u8 stream[128 + 128 + 256] = { 0 }, want[48];
	u64 gpa = GPA + 0x3000, chunk = gpa + 0x700;

	(void)state;
	fx_td_initialized(f, td, 1);
	fx_sept(f, td, gpa, 0);
	for (u32 i = 0; i < SL_PAGE_SIZE; i++)
		source[i] = (u8)(i * 7 + (i >> 8));
	is(SC(f, 0, tdh_mem_page_add, .rcx = gpa, .rdx = td->tdr, .r8 = fx_page_high(f),
	      .r9 = FX_SOURCE),
	   ST_SUCCESS);
	is(SC(f, 0, tdh_mr_extend, .rcx = chunk, .rdx = td->tdr), ST_SUCCESS);
	/* A refused call measures nothing. */
	is(SC(f, 0, tdh_mr_extend, .rcx = chunk + 0x80, .rdx = td->tdr), ST_INVALID(R_RCX));
	memset(want, 0, sizeof(want));
	assert_memory_equal(fx_tdcs(f, td)->mrtd, want, 48);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
	memcpy(stream, "MEM.PAGE.ADD", 12);
	memcpy(stream + 16, &gpa, 8);
	memcpy(stream + 128, "MR.EXTEND", 9);
	memcpy(stream + 128 + 16, &chunk, 8);
	memcpy(stream + 256, source + 0x700, 256);
	sha384(stream, sizeof(stream), want);
	assert_memory_equal(fx_tdcs(f, td)->mrtd, want, 48);
	fx_down(f);
}

/* Nothing added: the digest of nothing. Without measurement: zeros. */
static void test_mrtd_of_nothing(void **state)
{
	u8 want[48];

	(void)state;
	for (u32 off = 0; off < 2; off++) {
		struct fx *f = fx_up(SL_PUBLISHED);

		f->m->cfg.measurement = !off;
		fx_td_runnable(f, &f->td[0], 1);
		sha384("", 0, want);
		if (off)
			memset(want, 0, sizeof(want));
		assert_memory_equal(fx_tdcs(f, &f->td[0])->mrtd, want, 48);
		fx_down(f);
	}
}

/* ---- RTMRs ---------------------------------------------------------------------------------- */

static void extends(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA + 0x40, .rdx = 2), ST_SUCCESS);
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA + 0xFC0, .rdx = 2), ST_SUCCESS);
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA + 0x40, .rdx = 0), ST_SUCCESS);
}

static void test_rtmr(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up_contents(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f);
		u8 both[96], want[2][48] = { { 0 } };
		u8 *p;

		fx_td_runnable(f, td, 1);
		fx_map(f, td, GPA, 0, page);
		p = page_of(f, page);
		memset(p + 0x40, 0x11, 64);
		memset(p + 0xFC0, 0x22, 64);
		is(fx_enter(f, 0, td->vcpu[0], extends), EXIT_VMCALL);
		memset(both, 0, 48);
		memset(both + 48, 0x11, 48);
		sha384(both, 96, want[0]);
		assert_memory_equal(fx_tdcs(f, td)->rtmr[0], want[0], 48);
		memcpy(both, want[0], 48);
		memset(both + 48, 0x22, 48);
		sha384(both, 96, want[1]);
		assert_memory_equal(fx_tdcs(f, td)->rtmr[2], want[1], 48);
		memset(want, 0, sizeof(want));
		assert_memory_equal(fx_tdcs(f, td)->rtmr[1], want[0], 48);
		assert_memory_equal(fx_tdcs(f, td)->rtmr[3], want[0], 48);
		fx_down(f);
	}
}

/* A page of 2 MB, and no page contents: what is extended is zeros. */
static void extends_big(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA + 0x5040, .rdx = 1), ST_SUCCESS);
}

static void test_rtmr_without_contents(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u8 both[96] = { 0 }, want[48];

	(void)state;
	fx_td_runnable(f, td, 1);
	fx_map(f, td, GPA, 1, FX_HPA(FX_AT_HIGH_BIG));
	is(fx_enter(f, 0, td->vcpu[0], extends_big), EXIT_VMCALL);
	sha384(both, 96, want);
	assert_memory_equal(fx_tdcs(f, td)->rtmr[1], want, 48);
	/* Without measurement the register stays as it is. */
	f->m->cfg.measurement = false;
	is(fx_enter(f, 0, td->vcpu[0], extends_big), EXIT_VMCALL);
	assert_memory_equal(fx_tdcs(f, td)->rtmr[1], want, 48);
	fx_down(f);
}

/* ---- contention on the lock ------------------------------------------------------------------- */

static u32 busy_seen;

static void other_vcpu(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 1), ST_BUSY(R_RTMR));
	is(TC(f, lp, tdg_mr_report, .rcx = GPA + 0x400, .rdx = GPA), ST_BUSY(R_RTMR));
	/* The data is looked at before the lock. */
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 4), ST_INVALID(R_RDX));
	busy_seen++;
}

static void enter_other(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(fx_enter(f, 1, f->td[0].vcpu[1], other_vcpu), EXIT_VMCALL);
}

static void extend_slowly(struct fx *f, struct sl_lp *lp)
{
	/* The second write to the TDCS is the register's; the first took the lock. */
	fx_trap_after(f, f->td[0].tdcx[0], 1, enter_other);
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 0), ST_SUCCESS);
	eq(f->traps, 1);
}

static void others_share(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 1), ST_BUSY(R_RTMR));
	is(TC(f, lp, tdg_mr_report, .rcx = GPA + 0x400, .rdx = GPA), ST_SUCCESS);
	busy_seen++;
}

static void enter_sharer(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(fx_enter(f, 1, f->td[0].vcpu[1], others_share), EXIT_VMCALL);
}

static void report_slowly(struct fx *f, struct sl_lp *lp)
{
	fx_trap_after(f, f->td[0].tdcx[0], 1, enter_sharer);
	is(TC(f, lp, tdg_mr_report, .rcx = GPA + 0x800, .rdx = GPA), ST_SUCCESS);
	eq(f->traps, 2);
}

/* One vCPU in the middle of its TDCALL, another one with its own. */
static void test_two_vcpus(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];

		fx_td_runnable(f, td, 2);
		fx_map(f, td, GPA, 0, fx_page_high(f));
		busy_seen = 0;
		is(fx_enter(f, 0, td->vcpu[0], extend_slowly), EXIT_VMCALL);
		eq(busy_seen, 1);
		is(fx_enter(f, 0, td->vcpu[0], report_slowly), EXIT_VMCALL);
		eq(busy_seen, 2);
		eq(fx_word_value(fx_w_rtmr(f, td)), 0);
		fx_down(f);
	}
}

static void insists(struct fx *f, struct sl_lp *lp)
{
	/* Nobody holds the lock, but a host seems to want it: no host of this release ever does. */
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 0), ST_BUSY(R_RTMR));
	assert_false(sl_guest_exit_pending(lp));
	f->clock += 1000000ull * FX_TSC;
	TC(f, lp, tdg_mr_report, .rcx = GPA, .rdx = GPA);
	assert_true(sl_guest_exit_pending(lp));
}

static void told(struct fx *f, struct sl_lp *lp)
{
	struct tdx_module_args args;
	u64 rax;

	(void)f;
	assert_true(sl_guest_tdcall_completed(lp, &rax, &args));
	is(rax, ST_BUSY(R_RTMR));
}

static void test_host_priority(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];

		fx_td_runnable(f, td, 1);
		fx_map(f, td, GPA, 0, fx_page_high(f));
		fx_set_hp(fx_w_rtmr(f, td));
		is(fx_enter(f, 0, td->vcpu[0], insists), ST_HP_TIMEOUT);
		assert_true(fx_word_hp(fx_w_rtmr(f, td)));
		is(fx_enter(f, 0, td->vcpu[0], told), EXIT_VMCALL);
		fx_down(f);
	}
}

/* ---- operands in memory ------------------------------------------------------------------------ */

static u64 where;

static void needs_page(struct fx *f, struct sl_lp *lp)
{
	TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 9);
}

static void report_needs_page(struct fx *f, struct sl_lp *lp)
{
	TC(f, lp, tdg_mr_report, .rcx = GPA, .rdx = where);
}

static void gets_ve(struct fx *f, struct sl_lp *lp)
{
	u64 rip = sl_guest_rip(lp);

	/* The index is wrong, but the walk comes first. */
	TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 9);
	assert_false(sl_guest_exit_pending(lp));
	assert_true(sl_guest_ve_injected(lp));
	eq(sl_guest_rip(lp), rip);
	is(TC(f, lp, tdg_vp_veinfo_get, 0), ST_SUCCESS);
	assert_false(sl_guest_ve_injected(lp));
	eq(f->g.rcx, 48);
	eq(f->g.rdx, 1);
	eq(f->g.r9, where);
	/* The report is written: that is another qualification. */
	TC(f, lp, tdg_mr_report, .rcx = where, .rdx = GPA);
	assert_true(sl_guest_ve_injected(lp));
	is(TC(f, lp, tdg_vp_veinfo_get, 0), ST_SUCCESS);
	eq(f->g.rdx, 2);
	is(TC(f, lp, tdg_mem_page_accept, .rcx = where), ST_SUCCESS);
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 9), ST_INVALID(R_RDX));
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 3), ST_SUCCESS);
}

static void unread_ve(struct fx *f, struct sl_lp *lp)
{
	TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 0);
	assert_true(sl_guest_ve_injected(lp));
	/* A second #VE with the first one unread is a double fault. */
	TC(f, lp, tdg_mr_rtmr_extend, .rcx = where, .rdx = 0);
	assert_true(sl_guest_exit_pending(lp));
}

static void test_operands(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	const struct tdvps *vp;

	(void)state;
	fx_td_runnable(f, td, 1);
	vp = fx_tdvps(f, td->vcpu[0]);
	fx_map(f, td, GPA, 0, fx_page_high(f));
	/* Nothing there: as often as one likes, the zero-step mitigation does not hear of it. */
	where = GPA + 0x1000;
	for (u32 i = 0; i < 9; i++) {
		is(fx_enter(f, 0, td->vcpu[0], i & 1 ? needs_page : report_needs_page),
		   EXIT_EPT_VIOLATION);
		eq(f->out.r8, where);
		eq(f->out.rcx, 1);
		eq(f->out.rdx, 0);
		eq(vp->epf_count | vp->epf_index, 0);
		eq(vp->last_exit, LAST_EXIT_ASYNC_FAULT);
	}
	fx_aug(f, td, where, 0, fx_page_high(f));
	is(fx_enter(f, 0, td->vcpu[0], gets_ve), EXIT_VMCALL);
	/* Blocked: the host's to mend. */
	is(SC(f, 0, tdh_mem_range_block, .rcx = where, .rdx = td->tdr), ST_SUCCESS);
	is(fx_enter(f, 0, td->vcpu[0], needs_page), EXIT_EPT_VIOLATION);
	eq(f->out.rdx, 0);
	/* With PENDING_VE_DISABLE a pending page is, too. */
	where = GPA + 0x2000;
	fx_aug(f, td, where, 0, fx_page_high(f));
	atomic_store(&fx_tdcs(f, td)->td_ctls, 1);
	is(fx_enter(f, 0, td->vcpu[0], needs_page), EXIT_EPT_VIOLATION);
	eq(f->out.rdx, 6);
	eq(vp->epf_count | vp->epf_index, 0);
	atomic_store(&fx_tdcs(f, td)->td_ctls, 0);
	is(fx_enter(f, 0, td->vcpu[0], unread_ve), EXIT_TRIPLE_FAULT);
	fx_down(f);
}

static void into_a_bad_table(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 0), ST_HALTED);
}

/* A S-EPT that no module would write. */
static void test_halt(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_runnable(f, td, 1);
	fx_map(f, td, GPA, 0, fx_page_high(f));
	fx_poke(f, td, GPA, 1, fx_entry_value(f, td, GPA, 1) & ~1ull);
	f->violations_expected = 1;
	is(fx_enter(f, 0, td->vcpu[0], into_a_bad_table), ST_HALTED);
	eq(f->kind, SL_VIOLATION_MODULE_HALT);
	fx_down(f);
}

/* ---- reports -------------------------------------------------------------------------------- */

static void reports(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_report, .rcx = GPA + 0x400, .rdx = GPA + 0x40), ST_SUCCESS);
}

static void extends_and_reports(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mr_rtmr_extend, .rcx = GPA, .rdx = 3), ST_SUCCESS);
	reports(f, lp);
}

/* Checks a report in every byte that means something. */
static void check_report(const u8 *r, const struct tdcs *t, const u8 *data)
{
	u8 hash[48], mac[32], zero[256] = { 0 };
	unsigned int length = 0;

	eq(r[0], 0x81);
	eq(r[1] | r[2] | r[3], 0);
	assert_memory_equal(r + 4, zero, 12 + 16);
	sha384(r + 256, 239, hash);
	assert_memory_equal(r + 32, hash, 48);
	sha384(r + 512, 512, hash);
	assert_memory_equal(r + 80, hash, 48);
	assert_memory_equal(r + 128, data, 64);
	assert_memory_equal(r + 192, zero, 32);
	assert_non_null(
		HMAC(EVP_sha256(), "the report key of no processor", 30, r, 224, mac, &length));
	eq(length, 32);
	assert_memory_equal(r + 224, mac, 32);
	assert_memory_equal(r + 256, zero, 256);
	eq(*(const u64 *)(r + 512), 0x10000000);
	eq(*(const u64 *)(r + 520), 3);
	assert_memory_equal(r + 528, t->mrtd, 48);
	for (u32 i = 0; i < 3; i++)
		for (u32 k = 0; k < 48; k++)
			eq(r[576 + 48 * i + k], 0xA0 + i);
	for (u32 i = 0; i < 4; i++)
		assert_memory_equal(r + 720 + 48 * i, t->rtmr[i], 48);
	assert_memory_equal(r + 912, zero, 112);
}

static void report_td(struct fx *f, struct fx_td *td, u64 page)
{
	u8 *p;

	fx_td_allocated(f, td);
	p = fx_td_params(f);
	p[3] = 0x10; /* SEPT_VE_DISABLE */
	for (u32 i = 0; i < 3; i++)
		memset(p + 80 + 48 * i, (int)(0xA0 + i), 48);
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_SUCCESS);
	fx_vcpu_add(f, td, 0);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
	fx_map(f, td, GPA, 0, page);
	for (u32 i = 0; i < 64; i++)
		page_of(f, page)[0x40 + i] = (u8)(i ^ 0x5A);
}

static void test_report(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up_contents(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f);
		const u8 *p = page_of(f, page);
		u8 first[1024];

		report_td(f, td, page);
		is(fx_enter(f, 0, td->vcpu[0], reports), EXIT_VMCALL);
		check_report(p + 0x400, fx_tdcs(f, td), p + 0x40);
		memcpy(first, p + 0x400, 1024);
		/* Again, from the digest that was kept. */
		assert_true(atomic_load(&fx_tdcs(f, td)->tdinfo_hash_valid));
		is(fx_enter(f, 0, td->vcpu[0], reports), EXIT_VMCALL);
		assert_memory_equal(p + 0x400, first, 1024);
		/* Not once a register has changed. */
		is(fx_enter(f, 0, td->vcpu[0], extends_and_reports), EXIT_VMCALL);
		check_report(p + 0x400, fx_tdcs(f, td), p + 0x40);
		assert_memory_not_equal(p + 0x400 + 80, first + 80, 48);
		/* Around it nothing was written. */
		eq(p[0x3FF] | p[0x800], 0);
		fx_down(f);
	}
}

static void test_report_unmeasured(void **state)
{
	struct fx *f = fx_up_contents(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f);
	const u8 *p = page_of(f, page);
	u8 zero[48] = { 0 };

	(void)state;
	f->m->cfg.measurement = false;
	report_td(f, td, page);
	is(fx_enter(f, 0, td->vcpu[0], reports), EXIT_VMCALL);
	eq(p[0x400], 0x81);
	assert_memory_equal(p + 0x400 + 128, p + 0x40, 64);
	assert_memory_equal(p + 0x400 + 32, zero, 48);
	assert_memory_equal(p + 0x400 + 80, zero, 48);
	assert_memory_equal(p + 0x400 + 224, zero, 32);
	assert_false(atomic_load(&fx_tdcs(f, td)->tdinfo_hash_valid));
	fx_down(f);
}

static void interrupted(struct fx *f, struct sl_lp *lp)
{
	u64 rip = sl_guest_rip(lp);

	sl_lp_interrupt_raise(lp);
	TC(f, lp, tdg_mr_report, .rcx = GPA + 0x400, .rdx = GPA + 0x40);
	assert_true(sl_guest_exit_pending(lp));
	/* The guest finds its registers as they were and will call again. */
	eq(f->g.rcx, GPA + 0x400);
	eq(f->g.rdx, GPA + 0x40);
	eq(sl_guest_rip(lp), rip);
}

static void test_report_interrupted(void **state)
{
	struct fx *f = fx_up_contents(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f);
	const u8 *p = page_of(f, page);
	u8 zero[64] = { 0 };

	(void)state;
	report_td(f, td, page);
	is(fx_enter(f, 0, td->vcpu[0], interrupted), EXIT_INTERRUPT);
	assert_memory_equal(p + 0x400, zero, 64);
	/* The lock is free, and the digest is there for the next attempt. */
	eq(fx_word_value(fx_w_rtmr(f, td)), 0);
	assert_true(atomic_load(&fx_tdcs(f, td)->tdinfo_hash_valid));
	assert_true(sl_lp_interrupt_take(f->lp[0]));
	is(fx_enter(f, 0, td->vcpu[0], reports), EXIT_VMCALL);
	check_report(p + 0x400, fx_tdcs(f, td), p + 0x40);
	fx_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mrtd),
		cmocka_unit_test(test_mrtd_of_nothing),
		cmocka_unit_test(test_rtmr),
		cmocka_unit_test(test_rtmr_without_contents),
		cmocka_unit_test(test_two_vcpus),
		cmocka_unit_test(test_host_priority),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_unmeasured),
		cmocka_unit_test(test_report_interrupted),
	};

	return cmocka_run_group_tests_name("module: measurement", tests, NULL, NULL);
}
