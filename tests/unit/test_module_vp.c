// SPDX-License-Identifier: MIT
/* TDH.VP.*: life of a vCPU, association, entry and exit, epochs, the zero-step mitigation. */
#include "module_fixture.h"

#include <string.h>

#define GPA   0x40000000ull
#define OTHER 0x40001000ull
#define HINT  (1ull << 52)

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

static u32 assoc_of(struct fx *f, u64 vcpu)
{
	return atomic_load(&fx_tdvps(f, vcpu)->assoc_lpid);
}

static u32 state_of(struct fx *f, u64 vcpu)
{
	return atomic_load(&fx_tdvps(f, vcpu)->state);
}

static u32 refcounts(struct fx *f)
{
	const struct tdcs *t = fx_tdcs(f, &f->td[0]);

	return atomic_load(&t->epoch.f.refcount[0]) + atomic_load(&t->epoch.f.refcount[1]);
}

static u32 num_assoc(struct fx *f)
{
	return atomic_load(&fx_tdcs(f, &f->td[0])->num_assoc_vcpus);
}

/* ---- building a vCPU ------------------------------------------------------------------------- */

static void test_create_addcx(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 vcpu = fx_page_vp(f), page;

	(void)state;
	fx_td_initialized(f, td, 0);
	memset(f->m->mem.frames + (vcpu - SL_PRIVATE_BASE), 0xA5, SL_PAGE_SIZE);
	fx_pamt(f, vcpu, 0)->bepoch = 5;
	is(SC(f, 0, tdh_vp_create, .rcx = vcpu, .rdx = td->tdr), ST_SUCCESS);
	page_is(f, vcpu, 0, PAMT_TDVPR, td->tdr, 0);
	eq(fx_chldcnt(f, td), 7);
	eq(state_of(f, vcpu), VCPU_UNINITIALIZED);
	eq(assoc_of(f, vcpu), 0xFFFFFFFF);
	eq(fx_tdvps(f, vcpu)->num_pages, 1);
	eq(fx_tdvps(f, vcpu)->vcpu_epoch, 0);
	is(SC(f, 0, tdh_vp_create, .rcx = vcpu, .rdx = td->tdr), ST_METADATA(R_RCX));
	for (u32 i = 2; i <= 15; i++) {
		if (i <= 6)
			is(SC(f, 0, tdh_vp_init, .rcx = vcpu), ST_TDCX_NUM);
		page = fx_page_vp(f);
		fx_pamt(f, page, 0)->bepoch = 5;
		is(SC(f, 0, tdh_vp_addcx, .rcx = page, .rdx = vcpu), ST_SUCCESS);
		page_is(f, page, 0, PAMT_TDCX, td->tdr, 0);
		eq(fx_tdvps(f, vcpu)->num_pages, i);
		eq(fx_chldcnt(f, td), 6 + i);
	}
	page = fx_page_vp(f);
	is(SC(f, 0, tdh_vp_addcx, .rcx = page, .rdx = vcpu), ST_TDCX_NUM);
	page_is(f, page, 0, PAMT_NDA, 0, 0);
	is(SC(f, 0, tdh_vp_init, .rcx = vcpu), ST_SUCCESS);
	is(SC(f, 0, tdh_vp_addcx, .rcx = page, .rdx = vcpu), ST_VCPU_STATE);
	fx_down(f);
}

static void test_init(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		struct tdcs *t;
		u64 a, b;

		fx_td_initialized(f, td, 0);
		t = fx_tdcs(f, td);
		t->max_vcpus = 2;
		a = fx_vcpu_create(f, td);
		b = fx_vcpu_create(f, td);
		is(SC(f, 3, tdh_vp_init, .rcx = a, .rdx = 0x1234), ST_SUCCESS);
		eq(state_of(f, a), VCPU_READY);
		eq(assoc_of(f, a), 3);
		eq(num_assoc(f), 1);
		eq(atomic_load(&t->num_vcpus), 1);
		eq(fx_tdvps(f, a)->vcpu_index, 0);
		eq(fx_tdvps(f, a)->gpr.rcx, 0x1234);
		eq(fx_tdvps(f, a)->gpr.r8, 0x1234);
		is(SC(f, 3, tdh_vp_init, .rcx = a), ST_VCPU_STATE);
		/* H6: the published module has given an index away by the time it finds out. */
		sl_lp_set_platform(f->lp[0], SL_PLATFORM_TSC_ADJUST);
		is(SC(f, 0, tdh_vp_init, .rcx = b), ST_INCONSISTENT_MSR(0x3B));
		sl_lp_set_platform(f->lp[0], 0);
		eq(atomic_load(&t->num_vcpus), i ? 1 : 2);
		eq(state_of(f, b), VCPU_UNINITIALIZED);
		eq(assoc_of(f, b), 0xFFFFFFFF);
		is(SC(f, 0, tdh_vp_init, .rcx = b), i ? ST_SUCCESS : ST_MAX_VCPUS_EXCEEDED);
		eq(atomic_load(&t->num_vcpus), 2);
		eq(num_assoc(f), i ? 2 : 1);
		if (i)
			eq(fx_tdvps(f, b)->vcpu_index, 1);
		fx_down(f);
	}
}

/* ---- association ------------------------------------------------------------------------------ */

static void enter_running_vcpu(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(state_of(f, f->td[0].vcpu[0]), VCPU_ACTIVE);
	is(SC(f, 1, tdh_vp_enter, .rcx = f->td[0].vcpu[0]), ST_VCPU_STATE);
	eq(refcounts(f), 1);
}

static void test_association(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 vcpu;

	(void)state;
	fx_td_runnable(f, td, 2);
	vcpu = td->vcpu[0];
	eq(num_assoc(f), 2);
	is(fx_enter(f, 1, vcpu, NULL), ST_VCPU_ASSOCIATED);
	eq(assoc_of(f, vcpu), 0);
	is(fx_enter(f, 0, vcpu, enter_running_vcpu), EXIT_VMCALL);
	/* The exit keeps the association. */
	eq(assoc_of(f, vcpu), 0);
	eq(state_of(f, vcpu), VCPU_READY);
	is(SC(f, 1, tdh_vp_flush, .rcx = vcpu), ST_VCPU_NOT_ASSOCIATED);
	is(SC(f, 0, tdh_vp_flush, .rcx = vcpu), ST_SUCCESS);
	eq(assoc_of(f, vcpu), 0xFFFFFFFF);
	eq(num_assoc(f), 1);
	eq(f->lp[0]->last_vcpu.v, 0);
	is(SC(f, 0, tdh_vp_flush, .rcx = vcpu), ST_VCPU_NOT_ASSOCIATED);
	/* H16: an entry that fails late leaves the vCPU with this LP. */
	is(fx_enter_flags(f, 3, vcpu, HINT, NULL), ST_INVALID(R_RCX));
	eq(assoc_of(f, vcpu), 3);
	eq(num_assoc(f), 2);
	is(fx_enter(f, 0, vcpu, NULL), ST_VCPU_ASSOCIATED);
	is(fx_enter(f, 3, vcpu, NULL), EXIT_VMCALL);
	eq(num_assoc(f), 2);
	eq(f->lp[3]->last_vcpu.v, vcpu);
	fx_down(f);
}

/* VP.FLUSH asks for keys and nothing else. */
static void test_flush_fatal(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	atomic_store(&fx_tdr(f, &f->td[0])->fatal, true);
	fx_tdcs(f, &f->td[0])->op_state = OP_FAILED_IMPORT;
	fx_hold(f, fx_w_op_state(f, &f->td[0]), true);
	is(SC(f, 0, tdh_vp_flush, .rcx = f->td[0].vcpu[0]), ST_SUCCESS);
	eq(fx_word_value(f->held[0].w), 1);
	fx_release_all(f);
	fx_down(f);
}

/* ---- entry and exit --------------------------------------------------------------------------- */

static u64 word(struct fx *f, u64 hpa, u32 level)
{
	return fx_word_value(fx_w_pamt(f, hpa, level));
}

static void held_while_running(struct fx *f, struct sl_lp *lp)
{
	struct fx_td *td = &f->td[0];
	u64 vcpu = td->vcpu[0];

	/* TDVPR shared on three levels, the TDR on one. */
	eq(word(f, vcpu, 0), 4);
	eq(word(f, vcpu, 1), 4);
	eq(word(f, vcpu, 2), 4);
	eq(word(f, td->tdr, 0), 4);
	eq(word(f, td->tdr, 1), 0);
	eq(fx_word_value(fx_w_op_state(f, td)), 0);
	eq(fx_word_value(fx_w_tree(f, td)), 0);
	eq(fx_word_value(fx_w_epoch(f, td)), 0);
	eq(refcounts(f), 1);
	eq(atomic_load(&fx_tdcs(f, td)->epoch.f.refcount[1]), 1);
	eq(fx_tdvps(f, vcpu)->vcpu_epoch, 1);
	eq(state_of(f, vcpu), VCPU_ACTIVE);
	assert_true(lp == f->lp[0]);
	/* What needs the TDR exclusive fails and leaves its mark. */
	is(SC(f, 1, tdh_mr_finalize, .rcx = td->tdr), ST_BUSY(R_RCX));
	is(SC(f, 1, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr), ST_BUSY(R_RDX));
	is(SC(f, 1, tdh_vp_flush, .rcx = vcpu), ST_BUSY(R_RCX));
	is(SC(f, 1, tdh_mem_page_add, .rcx = GPA, .rdx = td->tdr), ST_BUSY(R_RDX));
	eq(word(f, td->tdr, 0), 6);
	eq(word(f, vcpu, 0), 6);
	/* What needs it shared does not. */
	is(SC(f, 1, tdh_mem_sept_rd, .rcx = 3, .rdx = td->tdr), ST_SUCCESS);
	eq(word(f, td->tdr, 0), 4);
	is(SC(f, 1, tdh_mr_finalize, .rcx = td->tdr), ST_BUSY(R_RCX));
}

static void test_held_while_running(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];

		fx_td_runnable(f, td, 1);
		is(fx_enter(f, 0, td->vcpu[0], held_while_running), EXIT_VMCALL);
		eq(refcounts(f), 0);
		/* F4: nobody holds anything, the marks are still there ... */
		eq(word(f, td->tdr, 0), 2);
		eq(word(f, td->vcpu[0], 0), 2);
		/* ... until the next host comes along; F5: any host will do. */
		is(fx_enter(f, 0, td->vcpu[0], NULL), EXIT_VMCALL);
		eq(word(f, td->tdr, 0), 0);
		eq(word(f, td->vcpu[0], 0), 0);
		fx_down(f);
	}
}

/* A refused entry touches no register but RAX. */
static void test_enter_refused_registers(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct tdx_module_args in, out;
	u64 *reg = &in.rcx;

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	for (u32 i = 0; i < sizeof(in) / sizeof(u64); i++)
		reg[i] = 0x1111111111111111ull * i;
	in.rcx = f->td[0].vcpu[0];
	fx_hold(f, fx_w_epoch(f, &f->td[0]), true);
	out = in;
	is(seamcall(f->lp[0], SEAMCALL_tdh_vp_enter, &out), ST_BUSY(R_TD_EPOCH));
	assert_memory_equal(&in, &out, sizeof(in));
	in.rcx |= 1ull << 60;
	out = in;
	is(seamcall(f->lp[0], SEAMCALL_tdh_vp_enter, &out), ST_INVALID(R_RCX));
	assert_memory_equal(&in, &out, sizeof(in));
	fx_down(f);
}

static void interrupted(struct fx *f, struct sl_lp *lp)
{
	assert_false(sl_guest_exiting(lp));
	sl_lp_interrupt_raise(f->lp[0]);
	assert_false(sl_guest_exit_pending(lp));
	assert_true(sl_guest_exiting(lp));
	assert_true(sl_guest_exit_pending(lp));
}

static void test_interrupt_exit(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u64 vcpu;

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	vcpu = f->td[0].vcpu[0];
	fx_tdvps(f, vcpu)->rip = 0x100;
	is(fx_enter(f, 0, vcpu, interrupted), EXIT_INTERRUPT);
	eq(f->out.rcx | f->out.rdx | f->out.r8, 0);
	eq(f->out.r9, 0x800000F2);
	eq(f->out.r10 | f->out.r11 | f->out.r12 | f->out.r13 | f->out.r14 | f->out.r15, 0);
	eq(f->out.rbx | f->out.rdi | f->out.rsi, 0);
	eq(fx_tdvps(f, vcpu)->rip, 0x100);
	eq(fx_tdvps(f, vcpu)->last_exit, LAST_EXIT_ASYNC_FAULT);
	eq(state_of(f, vcpu), VCPU_READY);
	/* Until the LP takes it, the interrupt is there at once. */
	is(fx_enter(f, 0, vcpu, NULL), EXIT_VMCALL);
	assert_true(sl_lp_interrupt_take(f->lp[0]));
	assert_false(sl_lp_interrupt_take(f->lp[0]));
	fx_down(f);
}

static void test_no_guest(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct sl_guest guest = { 0 };

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	/* Nothing behind the vCPU: it waits for an interrupt. */
	is(SC(f, 0, tdh_vp_enter, .rcx = f->td[0].vcpu[0]), EXIT_INTERRUPT);
	assert_int_equal(sl_guest_bind(f->m, f->td[0].tdr, &guest), -22);
	assert_int_equal(sl_guest_bind(f->m, f->td[0].vcpu[0] + 8, &guest), -22);
	assert_int_equal(sl_guest_bind(f->m, 0x1000, &guest), -22);
	assert_int_equal(sl_guest_bind(f->m, FX_HPA(FX_PAGES), &guest), -22);
	fx_down(f);
}

/* ---- translations ----------------------------------------------------------------------------- */

static u64 hits(struct fx *f)
{
	return fx_count(f, SL_CTR_tlb_hits);
}

static void touch(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	assert_int_equal(sl_guest_access(lp, GPA, false, NULL), SL_ACCESS_OK);
}

static u64 hits_of(struct fx *f, u32 lp, u64 vcpu)
{
	u64 before = hits(f);

	is(fx_enter(f, lp, vcpu, touch), EXIT_VMCALL);
	return hits(f) - before;
}

static void test_tlb_flushes(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 a, b;

	(void)state;
	fx_td_runnable(f, td, 2);
	a = td->vcpu[0];
	b = td->vcpu[1];
	fx_map(f, td, GPA, 0, fx_page_high(f));
	eq(hits_of(f, 0, a), 0);
	eq(hits_of(f, 0, a), 1);
	/* A new epoch: everything is looked up again. */
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	eq(hits_of(f, 0, a), 0);
	eq(hits_of(f, 0, a), 1);
	/* Another vCPU on this LP, and back. */
	is(SC(f, 1, tdh_vp_flush, .rcx = b), ST_SUCCESS);
	eq(hits_of(f, 0, b), 0);
	eq(hits_of(f, 0, a), 0);
	eq(hits_of(f, 0, a), 1);
	/* VP.FLUSH takes translations along, here and with them for the vCPU's return. */
	is(SC(f, 0, tdh_vp_flush, .rcx = a), ST_SUCCESS);
	for (u32 i = 0; i < TLB_SIZE; i++)
		eq(f->lp[0]->tlb[i].tag, 0);
	eq(hits_of(f, 1, a), 0);
	is(SC(f, 1, tdh_vp_flush, .rcx = a), ST_SUCCESS);
	eq(hits_of(f, 0, a), 0);
	fx_down(f);
}

/* A translation that was cached under an older epoch must not be used after the page is gone. */
static u64 bad_translations;

static void check_page(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 level, bool cached)
{
	(void)gpa;
	(void)level;
	(void)cached;
	bad_translations += pamt_type(mem_pamt(lp->machine, page, 0)) != PAMT_REG;
}

static void test_no_stale_translation(void **state)
{
	static const struct sl_module_hooks hooks = { .translate = check_page };
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f);

	(void)state;
	bad_translations = 0;
	fx_td_runnable(f, td, 1);
	f->m->hooks = &hooks;
	fx_map(f, td, GPA, 0, page);
	eq(hits_of(f, 0, td->vcpu[0]), 0);
	eq(hits_of(f, 0, td->vcpu[0]), 1);
	is(SC(f, 1, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 1, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	is(SC(f, 1, tdh_mem_page_remove, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	fx_map(f, td, GPA, 0, fx_page_high(f));
	eq(hits_of(f, 0, td->vcpu[0]), 0);
	eq(bad_translations, 0);
	fx_down(f);
}

/* ---- zero-step -------------------------------------------------------------------------------- */

static u64 fault_at;
static u32 runs;

static void fault(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	runs++;
	sl_guest_access(lp, fault_at, true, NULL);
}

static u64 enter_fault(struct fx *f, u64 gpa)
{
	fault_at = gpa;
	return fx_enter(f, 0, f->td[0].vcpu[0], fault);
}

/* A TD whose vCPU 0 has @n faults at @gpa behind it. */
static struct fx *faulty(enum sl_flavour flavour, u32 n, u64 gpa)
{
	struct fx *f = fx_up(flavour);

	fx_td_runnable(f, &f->td[0], 2);
	fx_sept(f, &f->td[0], GPA, 0);
	fx_tdvps(f, f->td[0].vcpu[0])->rip = 0x1000;
	runs = 0;
	for (u32 i = 0; i < n; i++)
		is(enter_fault(f, gpa), EXIT_EPT_VIOLATION);
	return f;
}

static void test_zero_step_threshold(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 0, GPA);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);

	(void)state;
	for (u32 i = 1; i <= 6; i++) {
		is(enter_fault(f, GPA + 0x18), EXIT_EPT_VIOLATION);
		eq(vp->epf_count, i);
		eq(vp->epf_index, 0);
	}
	/* The tree does not matter so far. */
	fx_hold(f, fx_w_tree(f, &f->td[0]), true);
	is(enter_fault(f, GPA + 0x18), EXIT_EPT_VIOLATION);
	fx_release_all(f);
	eq(vp->epf_count, 6);
	eq(vp->epf_index, 1);
	eq(vp->epf_list[0], GPA + 0x18);
	eq(runs, 7);
	eq(f->out.rcx, 2);
	eq(f->out.rdx, 0);
	eq(f->out.r8, GPA);
	fx_down(f);
}

static void test_zero_step_emulated_exit(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 7, GPA + 0x18);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);
	struct tdx_module_args in = { .rcx = f->td[0].vcpu[0],
				      .rdx = 2,
				      .r8 = 3,
				      .r9 = 4,
				      .r10 = 5,
				      .r11 = 6,
				      .r12 = 7,
				      .r13 = 8,
				      .r14 = 9,
				      .r15 = 10,
				      .rbx = 11,
				      .rdi = 12,
				      .rsi = 13 };

	(void)state;
	vp->last_exit = LAST_EXIT_ASYNC_TRAP;
	is(fx_seamcall(f, 0, SEAMCALL_tdh_vp_enter, in), EXIT_EPT_VIOLATION);
	eq(f->out.rcx, 2);
	eq(f->out.rdx, 0);
	eq(f->out.r8, GPA);
	eq(f->out.r9 | f->out.r10 | f->out.r11 | f->out.r12 | f->out.r13 | f->out.r14, 0);
	eq(f->out.r15 | f->out.rbx | f->out.rdi | f->out.rsi, 0);
	/* The guest has not run, and nothing has changed but the last exit. */
	eq(runs, 7);
	eq(vp->epf_count, 6);
	eq(vp->epf_index, 1);
	eq(vp->last_exit, LAST_EXIT_ASYNC_FAULT);
	eq(state_of(f, f->td[0].vcpu[0]), VCPU_READY);
	eq(refcounts(f), 0);
	eq(fx_count(f, SL_CTR_zero_step_exits), 1);
	is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(runs, 7);
	fx_down(f);
}

/* BUSY|SEPT_TREE for the entry, whoever holds the tree and how. */
static void test_zero_step_tree_busy(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = faulty(flavours[i & 1], 7, GPA);

		fx_hold(f, fx_w_tree(f, &f->td[0]), i & 2);
		is(enter_fault(f, GPA), 0x8000020000000092ull);
		eq(refcounts(f), 0);
		eq(runs, 7);
		eq(assoc_of(f, f->td[0].vcpu[0]), 0);
		fx_down(f);
	}
}

/* In the other direction: while the filter has let a vCPU in but it is not in yet. */
static void tree_taken(struct fx *f, struct sl_lp *lp)
{
	struct fx_td *td = &f->td[0];

	(void)lp;
	eq(fx_word_value(fx_w_tree(f, td)), 1);
	eq(fx_word_value(fx_w_op_state(f, td)), 0);
	is(SC(f, 1, tdh_mem_sept_rd, .rcx = 3, .rdx = td->tdr), ST_BUSY(R_SEPT_TREE));
	is(SC(f, 1, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_BUSY(R_SEPT_TREE));
	is(SC(f, 1, tdh_mem_page_aug, .rcx = OTHER, .rdx = td->tdr, .r8 = fx_page_high(f)),
	   ST_BUSY(R_SEPT_TREE));
	is(SC(f, 1, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	/* A vCPU without a list of its own is let in. */
	is(fx_enter(f, 2, td->vcpu[2], NULL), EXIT_VMCALL);
}

static void tree_free(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(fx_word_value(fx_w_tree(f, &f->td[0])), 0);
	is(SC(f, 1, tdh_mem_sept_rd, .rcx = 3, .rdx = f->td[0].tdr), ST_SUCCESS);
}

static void test_zero_step_holds_tree(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];

		fx_td_runnable(f, td, 3);
		fx_sept(f, td, GPA, 0);
		for (u32 k = 0; k < 7; k++)
			is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
		is(SC(f, 1, tdh_mem_page_aug, .rcx = GPA, .rdx = td->tdr, .r8 = fx_page_high(f)),
		   ST_SUCCESS);
		fx_poke(f, td, GPA, 0, E_MAPPED(FX_HPA(FX_AT_HIGH)));
		/* Another vCPU ran here meanwhile: the entry has translations to flush. */
		is(SC(f, 1, tdh_vp_flush, .rcx = td->vcpu[1]), ST_SUCCESS);
		is(fx_enter(f, 0, td->vcpu[1], NULL), EXIT_VMCALL);
		fx_trap_count(f, 0, tree_taken);
		f->depth = 1;
		is(fx_enter(f, 0, td->vcpu[0], tree_free), EXIT_VMCALL);
		f->depth = 0;
		eq(f->traps, 1);
		fx_check_locks(f);
		/* The list lasts until the guest moves. */
		eq(fx_tdvps(f, td->vcpu[0])->epf_index, 1);
		fx_down(f);
	}
}

static void move_and(struct fx *f, struct sl_lp *lp)
{
	sl_guest_set_rip(lp, sl_guest_rip(lp) + 4);
	f->g.rcx = fx_tdvps(f, f->td[0].vcpu[0])->epf_count;
}

static void move_and_call(struct fx *f, struct sl_lp *lp)
{
	move_and(f, lp);
	is(TC(f, lp, tdg_vp_info, 0), ST_SUCCESS);
	eq(fx_tdvps(f, f->td[0].vcpu[0])->epf_count, 0);
}

static void move_and_fault(struct fx *f, struct sl_lp *lp)
{
	move_and(f, lp);
	sl_guest_access(lp, GPA, true, NULL);
}

static void move_and_interrupt(struct fx *f, struct sl_lp *lp)
{
	move_and(f, lp);
	sl_lp_interrupt_raise(f->lp[0]);
	assert_true(sl_guest_exiting(lp));
}

static void stay_and_call(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vp_info, 0), ST_SUCCESS);
	eq(fx_tdvps(f, f->td[0].vcpu[0])->epf_count, 6);
}

/* Every exit at another RIP than that of the entry forgets; at the same one it does not. */
static void test_zero_step_reset(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 6, GPA);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);

	(void)state;
	is(fx_enter(f, 0, f->td[0].vcpu[0], stay_and_call), EXIT_VMCALL);
	eq(vp->epf_count, 6);
	is(fx_enter(f, 0, f->td[0].vcpu[0], move_and_call), EXIT_VMCALL);
	eq(vp->epf_count, 0);
	for (u32 i = 0; i < 5; i++)
		is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(vp->epf_count, 5);
	/* Forgotten, then this one counts. */
	is(fx_enter(f, 0, f->td[0].vcpu[0], move_and_fault), EXIT_EPT_VIOLATION);
	eq(vp->epf_count, 1);
	for (u32 i = 0; i < 6; i++)
		is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(vp->epf_count, 6);
	eq(vp->epf_index, 1);
	/* The page becomes accessible, the guest goes on, and the list is gone. */
	fx_poke(f, &f->td[0], GPA, 0, E_MAPPED(fx_page_high(f)));
	is(fx_enter(f, 0, f->td[0].vcpu[0], move_and_interrupt), EXIT_INTERRUPT);
	eq(vp->epf_count, 0);
	eq(vp->epf_index, 0);
	fx_poke(f, &f->td[0], GPA, 0, E_FREE);
	fx_down(f);
}

static void fault_on_a_page_that_goes(struct fx *f, struct sl_lp *lp)
{
	fx_poke(f, &f->td[0], OTHER, 0, E_FREE);
	eq(sl_guest_access(lp, fault_at, false, NULL), SL_ACCESS_EXIT);
}

/* 32 addresses and no more, each once. */
static void test_zero_step_list_full(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 6, OTHER);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);
	u64 page = fx_page_high(f);

	(void)state;
	for (u32 i = 0; i < 80; i++) {
		u32 want = i / 2 + 1 < 32 ? i / 2 + 1 : 32;

		fx_poke(f, &f->td[0], OTHER, 0, E_MAPPED(page));
		fault_at = OTHER + 8 * (i / 2);
		is(fx_enter(f, 0, f->td[0].vcpu[0], fault_on_a_page_that_goes), EXIT_EPT_VIOLATION);
		eq(f->out.rcx, 1);
		eq(vp->epf_index, want);
		eq(vp->epf_list[want - 1], OTHER + 8 * (want - 1));
	}
	eq(fx_count(f, SL_CTR_zero_step_listed), 32);
	fx_down(f);
}

/* The first listed address that would fault is the one that the host hears of. */
static void test_zero_step_order(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 7, GPA);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);

	(void)state;
	vp->epf_list[1] = OTHER + 0x123;
	vp->epf_index = 2;
	is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(f->out.r8, GPA);
	fx_poke(f, &f->td[0], GPA, 0, E_MAPPED(fx_page_high(f)));
	is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(f->out.r8, OTHER);
	eq(runs, 7);
	fx_down(f);
}

/* H9: PENDING does not satisfy the published filter, so one vCPU alone never gets out. */
static void test_zero_step_pending(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = faulty(flavours[i], 7, GPA);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f);

		is(SC(f, 1, tdh_mem_page_aug, .rcx = GPA, .rdx = td->tdr, .r8 = page), ST_SUCCESS);
		for (u32 k = 0; k < 3; k++) {
			is(fx_enter(f, 0, td->vcpu[0], NULL), i ? EXIT_VMCALL : EXIT_EPT_VIOLATION);
			if (!i)
				eq(f->out.r8, GPA);
		}
		/* Accepted by another vCPU, it is fine for both. */
		fx_poke(f, td, GPA, 0, E_MAPPED(page));
		is(fx_enter(f, 0, td->vcpu[0], NULL), EXIT_VMCALL);
		/* Blocked, for neither. */
		fx_tdvps(f, td->vcpu[0])->epf_index = 1;
		fx_poke(f, td, GPA, 0, E_BLOCKED(page));
		is(fx_enter(f, 0, td->vcpu[0], NULL), EXIT_EPT_VIOLATION);
		fx_poke(f, td, GPA, 0, E_PENDING_B(page));
		is(fx_enter(f, 0, td->vcpu[0], NULL), EXIT_EPT_VIOLATION);
		fx_down(f);
	}
}

/* Another machine counts to another number. */
static void test_zero_step_configured(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 0, GPA);

	(void)state;
	f->m->cfg.zero_step_threshold = 2;
	for (u32 i = 0; i < 3; i++)
		is(enter_fault(f, GPA), EXIT_EPT_VIOLATION);
	eq(fx_tdvps(f, f->td[0].vcpu[0])->epf_index, 1);
	fx_down(f);
}

/* Shared addresses and #VE are none of its business. */
static void shared_access(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	eq(sl_guest_access(lp, 1ull << 47 | 0x5000, false, NULL), SL_ACCESS_EXIT);
}

static void pending_access(struct fx *f, struct sl_lp *lp)
{
	eq(sl_guest_access(lp, GPA, false, NULL), SL_ACCESS_VE);
	is(TC(f, lp, tdg_vp_veinfo_get, 0), ST_SUCCESS);
}

static void test_zero_step_not_logged(void **state)
{
	struct fx *f = faulty(SL_PUBLISHED, 0, GPA);
	struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);

	(void)state;
	is(SC(f, 1, tdh_mem_page_aug, .rcx = GPA, .rdx = f->td[0].tdr, .r8 = fx_page_high(f)),
	   ST_SUCCESS);
	for (u32 i = 0; i < 8; i++) {
		is(fx_enter(f, 0, f->td[0].vcpu[0], shared_access), EXIT_EPT_VIOLATION);
		eq(f->out.r8, 1ull << 47 | 0x5000);
		eq(f->out.rcx, 1);
		eq(f->out.rdx, 0);
		is(fx_enter(f, 0, f->td[0].vcpu[0], pending_access), EXIT_VMCALL);
	}
	eq(vp->epf_count, 0);
	eq(vp->epf_index, 0);
	fx_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_addcx),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_association),
		cmocka_unit_test(test_flush_fatal),
		cmocka_unit_test(test_held_while_running),
		cmocka_unit_test(test_enter_refused_registers),
		cmocka_unit_test(test_interrupt_exit),
		cmocka_unit_test(test_no_guest),
		cmocka_unit_test(test_tlb_flushes),
		cmocka_unit_test(test_no_stale_translation),
		cmocka_unit_test(test_zero_step_threshold),
		cmocka_unit_test(test_zero_step_emulated_exit),
		cmocka_unit_test(test_zero_step_tree_busy),
		cmocka_unit_test(test_zero_step_holds_tree),
		cmocka_unit_test(test_zero_step_reset),
		cmocka_unit_test(test_zero_step_list_full),
		cmocka_unit_test(test_zero_step_order),
		cmocka_unit_test(test_zero_step_pending),
		cmocka_unit_test(test_zero_step_configured),
		cmocka_unit_test(test_zero_step_not_logged),
	};

	return cmocka_run_group_tests_name("module: VP", tests, NULL, NULL);
}
