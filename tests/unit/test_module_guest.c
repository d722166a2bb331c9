// SPDX-License-Identifier: MIT
/* The guest's side: TDCALLs, memory accesses, the host-priority timeout. */
#include "module_fixture.h"

#include <string.h>

#define GPA     0x40000000ull
#define BIG     0x40200000ull
#define FAR     0x8000000000ull
#define SHARED  0x800000000000ull
#define HINT    (1ull << 52)
#define TIMEOUT (1000000ull * FX_TSC)

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

static struct fx *runnable(enum sl_flavour flavour, bool contents)
{
	struct fx *f = contents ? fx_up_contents(flavour) : fx_up(flavour);

	fx_td_runnable(f, &f->td[0], 2);
	fx_sept(f, &f->td[0], GPA, 0);
	fx_sept(f, &f->td[0], BIG, 1);
	return f;
}

static struct tdvps *vp_of(struct fx *f)
{
	return fx_tdvps(f, f->td[0].vcpu[0]);
}

static u64 enter(struct fx *f, fx_guest_fn fn)
{
	return fx_enter(f, 0, f->td[0].vcpu[0], fn);
}

static void aug(struct fx *f, u64 gpa, u32 level, u64 page)
{
	is(SC(f, 1, tdh_mem_page_aug, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr,
	      .r8 = page),
	   ST_SUCCESS);
}

static u64 entry(struct fx *f, u64 gpa, u32 level)
{
	return fx_entry_value(f, &f->td[0], gpa, level);
}

/* What the guest asks for, and what it saw. */
static u64 ask, saw;

static void accept_asked(struct fx *f, struct sl_lp *lp)
{
	saw = TC(f, lp, tdg_mem_page_accept, .rcx = ask);
}

static u64 enter_accept(struct fx *f, u64 gpa, u32 level)
{
	ask = PAGE_INFO(gpa, level);
	saw = 0x5EE;
	return enter(f, accept_asked);
}

static u64 accept(struct fx *f, u64 gpa, u32 level)
{
	is(enter_accept(f, gpa, level), EXIT_VMCALL);
	return saw;
}

static u8 *page_bytes(struct fx *f, u64 hpa)
{
	return f->m->mem.frames + (hpa - SL_PRIVATE_BASE);
}

static bool all(const u8 *p, u8 value, size_t n)
{
	while (n--)
		if (*p++ != value)
			return false;
	return true;
}

/* ---- ACCEPT ----------------------------------------------------------------------------------- */

static void test_accept_4k(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], true);
		u64 page = fx_page_high(f);

		memset(page_bytes(f, page), 0x77, 2 * SL_PAGE_SIZE);
		aug(f, GPA, 0, page);
		is(accept(f, GPA, 0), ST_SUCCESS);
		eq(entry(f, GPA, 0), E_MAPPED(page));
		assert_true(all(page_bytes(f, page), 0, SL_PAGE_SIZE));
		assert_true(all(page_bytes(f, page) + SL_PAGE_SIZE, 0x77, SL_PAGE_SIZE));
		eq(fx_count(f, SL_CTR_pages_accepted), 1);
		is(accept(f, GPA, 0), ST_ALREADY_ACCEPTED(0));
		eq(fx_count(f, SL_CTR_pages_accepted), 1);
		fx_down(f);
	}
}

static void test_accept_sizes(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], false);
		u64 big = FX_HPA(FX_AT_HIGH_BIG);

		/* A table where a page was expected. */
		is(accept(f, GPA, 1), 0xC0000B0B00000001ull);
		fx_poke(f, &f->td[0], GPA, 0, E_REMOVED);
		is(accept(f, GPA, 0), 0xC0000B0B00000000ull);
		/* A large page where a small one was expected. */
		aug(f, BIG, 1, big);
		is(enter_accept(f, BIG + 0x3000, 0), EXIT_EPT_VIOLATION);
		is(accept(f, BIG, 1), ST_SUCCESS);
		eq(entry(f, BIG, 1), E_MAPPED(big));
		eq(fx_count(f, SL_CTR_pages_accepted), 512);
		is(accept(f, BIG + 0x3000, 0), 0x00000B0A00000001ull);
		is(accept(f, BIG, 1), 0x00000B0A00000001ull);
		fx_down(f);
	}
}

/* EPT violation with extended qualification of type 1. */
static void exits(struct fx *f, u64 gpa, u32 level, u32 stopped, u32 pub, bool leaf)
{
	is(enter_accept(f, gpa, level), EXIT_EPT_VIOLATION);
	eq(f->out.rcx, 2);
	eq(f->out.rdx,
	   1 | (u64)level << 32 | (u64)stopped << 35 | (u64)pub << 38 | (u64)leaf << 46);
	eq(f->out.r8, gpa);
	eq(f->out.r9 | f->out.r10 | f->out.r11 | f->out.r12 | f->out.r13, 0);
	eq(vp_of(f)->last_exit, LAST_EXIT_ASYNC_FAULT);
	eq(vp_of(f)->rip, 0x3000);
	/* Not counted as a step: the guest asked for it. */
	eq(vp_of(f)->epf_count, 0);
}

static void test_accept_exits(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], false);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f);

		vp_of(f)->rip = 0x3000;
		exits(f, GPA, 0, 0, PUB_FREE, false);
		exits(f, FAR, 0, 3, PUB_FREE, false);
		exits(f, FAR, 1, 3, PUB_FREE, false);
		fx_poke(f, td, GPA, 0, E_BLOCKED(page));
		exits(f, GPA, 0, 0, PUB_BLOCKED, true);
		fx_poke(f, td, GPA, 0, E_PENDING_B(page));
		exits(f, GPA, 0, 0, PUB_PENDING_BLOCKED, true);
		fx_poke(f, td, GPA, 0, E_PENDING_BW(page));
		exits(f, GPA, 0, 0, PUB_PENDING_BLOCKEDW, true);
		aug(f, BIG, 1, FX_HPA(FX_AT_HIGH_BIG));
		exits(f, BIG + 0x5000, 0, 1, PUB_PENDING, true);
		fx_poke(f, td, BIG, 1, E_BLOCKED(FX_HPA(FX_AT_HIGH_BIG)));
		exits(f, BIG + 0x5000, 0, 1, PUB_BLOCKED, true);
		fx_poke(f, td, GPA, 1,
			(fx_entry_value(f, td, GPA, 1) & 0x000FFFFFFFFFF000ull) | E_TABLE_BLK(0));
		exits(f, GPA, 0, 1, PUB_NL_BLOCKED, false);
		fx_check_locks(f);
		fx_down(f);
	}
}

/* The host maps the page between the guest's walk and its lock: the lock bit is the first write. */
static void aug_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	aug(f, GPA, 0, FX_HPA(FX_AT_HIGH));
}

static void test_accept_races_with_aug(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], false);

		fx_trap(f, entry(f, GPA, 1) & 0x000FFFFFFFFFF000ull, aug_meanwhile);
		is(accept(f, GPA, 0), i ? ST_SUCCESS : ST_SIZE_MISMATCH(0));
		eq(f->traps, 1);
		eq(entry(f, GPA, 0),
		   i ? E_MAPPED(FX_HPA(FX_AT_HIGH)) : E_PENDING(FX_HPA(FX_AT_HIGH)));
		is(accept(f, GPA, 0), i ? ST_ALREADY_ACCEPTED(0) : ST_SUCCESS);
		fx_down(f);
	}
}

/* ---- 2 MB ------------------------------------------------------------------------------------- */

#define CHUNK 100

static struct fx *big_pending(enum sl_flavour flavour)
{
	struct fx *f = runnable(flavour, true);
	u64 big = FX_HPA(FX_AT_HIGH_BIG);

	memset(page_bytes(f, big), 0x77, 512 * SL_PAGE_SIZE);
	aug(f, BIG, 1, big);
	return f;
}

static void accept_interrupted(struct fx *f, struct sl_lp *lp)
{
	ask = PAGE_INFO(BIG, 1);
	accept_asked(f, lp);
	assert_true(sl_guest_exit_pending(lp));
}

static void test_accept_2m_interrupted(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = big_pending(flavours[i]);
		u64 big = FX_HPA(FX_AT_HIGH_BIG);

		vp_of(f)->rip = 0x3000;
		vp_of(f)->hp_lock_busy = true;
		sl_lp_interrupt_raise(f->lp[0]);
		is(enter(f, accept_interrupted), EXIT_INTERRUPT);
		/* One chunk done, the entry free, the TDCALL not. */
		eq(entry(f, BIG, 1), E_PENDING(big) | 1 << 12);
		eq(vp_of(f)->rip, 0x3000);
		eq(vp_of(f)->last_exit, LAST_EXIT_ASYNC_FAULT);
		assert_false(vp_of(f)->tdcall_completed);
		/* To the timer it was a success. */
		assert_false(vp_of(f)->hp_lock_busy);
		assert_true(all(page_bytes(f, big), 0, SL_PAGE_SIZE));
		assert_true(all(page_bytes(f, big) + SL_PAGE_SIZE, 0x77, 511 * SL_PAGE_SIZE));
		/* The second burst goes on where the first one stopped. */
		memset(page_bytes(f, big), 0x33, SL_PAGE_SIZE);
		is(enter(f, accept_interrupted), EXIT_INTERRUPT);
		eq(entry(f, BIG, 1), E_PENDING(big) | 2 << 12);
		assert_true(sl_lp_interrupt_take(f->lp[0]));
		is(accept(f, BIG, 1), ST_SUCCESS);
		eq(entry(f, BIG, 1), E_MAPPED(big));
		assert_true(all(page_bytes(f, big), 0x33, SL_PAGE_SIZE));
		assert_true(all(page_bytes(f, big) + SL_PAGE_SIZE, 0, 511 * SL_PAGE_SIZE));
		eq(fx_count(f, SL_CTR_pages_accepted), 512);
		fx_down(f);
	}
}

/* An interrupt during the last chunk comes too late to matter. */
static void raise_now(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	sl_lp_interrupt_raise(f->lp[0]);
}

static void test_accept_2m_last_chunk(void **state)
{
	struct fx *f = big_pending(SL_PUBLISHED);
	u64 big = FX_HPA(FX_AT_HIGH_BIG);

	(void)state;
	fx_trap(f, big + 511 * SL_PAGE_SIZE, raise_now);
	is(accept(f, BIG, 1), ST_SUCCESS);
	eq(f->traps, 1);
	eq(entry(f, BIG, 1), E_MAPPED(big));
	sl_lp_interrupt_take(f->lp[0]);
	fx_down(f);

	f = big_pending(SL_PUBLISHED);
	fx_trap(f, big + 510 * SL_PAGE_SIZE, raise_now);
	is(enter(f, accept_interrupted), EXIT_INTERRUPT);
	eq(entry(f, BIG, 1), E_PENDING(big) | 511 << 12);
	sl_lp_interrupt_take(f->lp[0]);
	is(accept(f, BIG, 1), ST_SUCCESS);
	fx_down(f);
}

/* A host wants the entry while the guest works through the page. */
static u64 host_saw;

static void host_wants_it(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(entry(f, BIG, 1) & (E_TDEL | E_HP), E_TDEL);
	host_saw = SC(f, 1, tdh_mem_range_block, .rcx = PAGE_INFO(BIG, 1), .rdx = f->td[0].tdr);
	/* From the copy before the lock. */
	eq(f->out.rcx, X_LEAF(FX_HPA(FX_AT_HIGH_BIG)));
	eq(f->out.rdx, X_RDX(1, PUB_PENDING));
	eq(entry(f, BIG, 1) & (E_TDEL | E_HP), E_TDEL | E_HP);
}

static void test_accept_2m_host_waits(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = big_pending(flavours[i]);
		u64 big = FX_HPA(FX_AT_HIGH_BIG);

		host_saw = 0;
		fx_trap(f, big + CHUNK * SL_PAGE_SIZE, host_wants_it);
		if (!i) {
			/* F7: the guest finishes, and its commit erases the host's request. */
			is(accept(f, BIG, 1), ST_SUCCESS);
			eq(entry(f, BIG, 1), E_MAPPED(big));
		} else {
			/* It lets go after the chunk at hand; trying again it is told to wait. */
			is(accept(f, BIG, 1), ST_BUSY(R_RCX));
			eq(entry(f, BIG, 1), E_PENDING(big) | (CHUNK + 1) << 12 | E_HP);
			eq(fx_count(f, SL_CTR_guest_busy_hp), 1);
			assert_true(vp_of(f)->hp_lock_busy);
		}
		eq(f->traps, 1);
		is(host_saw, ST_BUSY(R_RCX));
		is(SC(f, 1, tdh_mem_range_block, .rcx = PAGE_INFO(BIG, 1), .rdx = f->td[0].tdr),
		   ST_SUCCESS);
		eq(entry(f, BIG, 1), i ? E_PENDING_B(big) : E_BLOCKED(big));
		fx_down(f);
	}
}

/* The interrupt's commit erases it as well. */
static void host_wants_it_and_interrupt(struct fx *f, struct sl_lp *lp)
{
	host_wants_it(f, lp);
	sl_lp_interrupt_raise(f->lp[0]);
}

static void test_accept_2m_interrupt_erases(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = big_pending(flavours[i]);
		u64 big = FX_HPA(FX_AT_HIGH_BIG);

		fx_trap(f, big + CHUNK * SL_PAGE_SIZE, host_wants_it_and_interrupt);
		is(enter(f, accept_interrupted), EXIT_INTERRUPT);
		eq(entry(f, BIG, 1), E_PENDING(big) | (CHUNK + 1) << 12 | (i ? E_HP : 0));
		sl_lp_interrupt_take(f->lp[0]);
		is(accept(f, BIG, 1), i ? ST_BUSY(R_RCX) : ST_SUCCESS);
		fx_down(f);
	}
}

/* ---- the host-priority timeout ---------------------------------------------------------------- */

static void test_host_priority(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], false);
		u64 page = fx_page_high(f);

		aug(f, GPA, 0, page);
		fx_set_hp(fx_w_entry(f, &f->td[0], GPA, 0));
		/* The guest never sees the other code. */
		is(accept(f, GPA, 0), 0x8000020000000001ull);
		eq(entry(f, GPA, 0), E_PENDING(page) | E_HP);
		/* F4: a stale mark on a FREE entry hides the violation from the host. */
		fx_poke(f, &f->td[0], GPA, 0, E_FREE | E_HP);
		is(accept(f, GPA, 0), 0x8000020000000001ull);
		fx_poke(f, &f->td[0], GPA, 0, E_PENDING(page) | E_HP);
		/* A host takes the mark away. */
		is(SC(f, 1, tdh_mem_sept_rd, .rcx = GPA, .rdx = f->td[0].tdr), ST_SUCCESS);
		is(accept(f, GPA, 0), ST_SUCCESS);
		fx_down(f);
	}
}

static struct fx *waiting(enum sl_flavour flavour)
{
	struct fx *f = runnable(flavour, false);

	aug(f, GPA, 0, fx_page_high(f));
	fx_set_hp(fx_w_entry(f, &f->td[0], GPA, 0));
	vp_of(f)->rip = 0x3000;
	f->clock = 5000;
	return f;
}

static void two_until_timeout(struct fx *f, struct sl_lp *lp)
{
	ask = GPA;
	accept_asked(f, lp);
	is(saw, ST_BUSY(R_RCX));
	assert_true(vp_of(f)->hp_lock_busy);
	eq(vp_of(f)->hp_lock_busy_start, 5000);
	f->clock = 5000 + TIMEOUT - 1;
	accept_asked(f, lp);
	is(saw, ST_BUSY(R_RCX));
	assert_false(sl_guest_exit_pending(lp));
	eq(vp_of(f)->hp_lock_busy_start, 5000);
	f->clock++;
	accept_asked(f, lp);
	assert_true(sl_guest_exit_pending(lp));
}

static u64 resumed_rax;

static void resumed(struct fx *f, struct sl_lp *lp)
{
	struct tdx_module_args args;

	assert_true(sl_guest_tdcall_completed(lp, &resumed_rax, &args));
	assert_false(sl_guest_tdcall_completed(lp, &resumed_rax, &args));
	/* The guest's other registers are its own. */
	eq(args.rcx, GPA);
	eq(vp_of(f)->rip, 0x3001);
}

static void test_timeout(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = waiting(flavours[i & 1]);
		bool hint = i & 2;

		is(enter(f, two_until_timeout), 0x9000020500000000ull);
		eq(f->out.rcx | f->out.rdx | f->out.r8 | f->out.r9 | f->out.r10 | f->out.r11, 0);
		eq(f->out.r12 | f->out.r13 | f->out.r14 | f->out.r15, 0);
		eq(f->out.rbx | f->out.rdi | f->out.rsi, 0);
		eq(atomic_load(&vp_of(f)->state), VCPU_READY);
		eq(vp_of(f)->last_exit, LAST_EXIT_ASYNC_TRAP);
		eq(vp_of(f)->rip, 0x3001);
		assert_false(vp_of(f)->hp_lock_busy);
		/* The host says whether it could help; the guest finds it in bit 60. */
		is(fx_enter_flags(f, 0, f->td[0].vcpu[0], hint ? HINT : 0, resumed), EXIT_VMCALL);
		is(resumed_rax, hint ? 0x9000020000000001ull : 0x8000020000000001ull);
		/* Only after such an exit. */
		is(fx_enter_flags(f, 0, f->td[0].vcpu[0], HINT, NULL), ST_INVALID(R_RCX));
		fx_down(f);
	}
}

static void test_timeout_off(void **state)
{
	struct fx *f = waiting(SL_PUBLISHED);

	(void)state;
	f->m->cfg.hp_timeout = false;
	for (u32 i = 0; i < 4; i++) {
		is(accept(f, GPA, 0), ST_BUSY(R_RCX));
		f->clock += 2 * TIMEOUT;
	}
	fx_down(f);
}

/* The time between entries counts, and a field of the TD says how long it is. */
static void test_timeout_across_exits(void **state)
{
	struct fx *f = waiting(SL_PUBLISHED);

	(void)state;
	is(accept(f, GPA, 0), ST_BUSY(R_RCX));
	f->clock += TIMEOUT - 1;
	is(enter(f, NULL), EXIT_VMCALL);
	is(accept(f, GPA, 0), ST_BUSY(R_RCX));
	f->clock++;
	is(enter_accept(f, GPA, 0), ST_HP_TIMEOUT);
	/* From scratch. */
	f->clock += 10 * TIMEOUT;
	is(accept(f, GPA, 0), ST_BUSY(R_RCX));
	eq(vp_of(f)->hp_lock_busy_start, f->clock);
	atomic_store(&fx_tdcs(f, &f->td[0])->hp_lock_timeout, 50);
	f->clock += 49;
	is(accept(f, GPA, 0), ST_BUSY(R_RCX));
	f->clock++;
	is(enter_accept(f, GPA, 0), ST_HP_TIMEOUT);
	/* A TD exit from a TDCALL leaves the clock alone too. */
	is(accept(f, GPA, 0), ST_BUSY(R_RCX));
	is(enter_accept(f, FAR, 0), EXIT_EPT_VIOLATION);
	f->clock += 50;
	is(enter_accept(f, GPA, 0), ST_HP_TIMEOUT);
	fx_down(f);
}

/* Any other TDCALL that returns starts the clock anew. */
static void info_call(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vp_info, 0), ST_SUCCESS);
}

static void wrong_call(struct fx *f, struct sl_lp *lp)
{
	is(fx_tdcall(f, lp, 1000, (struct tdx_module_args){ 0 }), ST_INVALID(R_RAX));
}

static void test_timeout_reset(void **state)
{
	static const fx_guest_fn others[] = { info_call, wrong_call };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
		struct fx *f = waiting(SL_PUBLISHED);

		is(accept(f, GPA, 0), ST_BUSY(R_RCX));
		f->clock += TIMEOUT;
		is(enter(f, others[i]), EXIT_VMCALL);
		assert_false(vp_of(f)->hp_lock_busy);
		is(accept(f, GPA, 0), ST_BUSY(R_RCX));
		fx_down(f);
	}
}

/* F10: a locked entry hides the request from a published guest, and restarts its clock. */
static void test_timeout_and_plain_busy(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = waiting(flavours[i]);

		is(accept(f, GPA, 0), ST_BUSY(R_RCX));
		f->clock += TIMEOUT;
		fx_hold(f, fx_w_entry(f, &f->td[0], GPA, 0), true);
		if (!i) {
			is(accept(f, GPA, 0), ST_BUSY(R_RCX));
			assert_false(vp_of(f)->hp_lock_busy);
		} else {
			is(enter_accept(f, GPA, 0), ST_HP_TIMEOUT);
		}
		fx_release_all(f);
		fx_down(f);
	}
}

static void attr_asked(struct fx *f, struct sl_lp *lp)
{
	saw = TC(f, lp, tdg_mem_page_attr_rd, .rcx = ask, .rdx = 7);
}

static void test_timeout_attr_rd(void **state)
{
	struct fx *f = waiting(SL_HARDENED);

	(void)state;
	ask = GPA;
	is(enter(f, attr_asked), EXIT_VMCALL);
	is(saw, ST_BUSY(R_RCX));
	eq(f->g.rcx | f->g.rdx, 0);
	f->clock += TIMEOUT;
	is(enter(f, attr_asked), ST_HP_TIMEOUT);
	fx_down(f);
}

/* ---- ATTR.RD ---------------------------------------------------------------------------------- */

static void test_attr_rd(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f);
	static const struct {
		u64 state;
		bool readable;
		bool pending;
	} table[] = {
		{ E_MAPPED(0), true, false },   { E_BLOCKEDW(0), true, false },
		{ E_PENDING(0), true, true },   { E_PENDING_BW(0), true, true },
		{ E_BLOCKED(0), false, false }, { E_PENDING_B(0), false, false },
		{ E_FREE, false, false },       { E_REMOVED, false, false },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
		bool leaf = table[i].state & 0x80;

		fx_poke(f, td, GPA, 0, table[i].state | (leaf ? page : 0));
		ask = GPA;
		saw = 0x5EE;
		is(enter(f, attr_asked), table[i].readable ? EXIT_VMCALL : EXIT_EPT_VIOLATION);
		if (!table[i].readable) {
			eq(f->out.rcx, 1);
			eq(f->out.rdx, 0);
			eq(f->out.r8, GPA);
			continue;
		}
		is(saw, ST_SUCCESS);
		eq(f->g.rcx, GPA | (table[i].pending ? 1ull << 62 : 0));
		eq(f->g.rdx, 0x8007);
		fx_check_locks(f);
	}
	/* A large page is found from any address inside it. */
	aug(f, BIG, 1, FX_HPA(FX_AT_HIGH_BIG));
	ask = BIG + 0x7000;
	is(enter(f, attr_asked), EXIT_VMCALL);
	eq(f->g.rcx, BIG | 1 | 1ull << 62);
	/* H10: where nothing is, the entry at which the walk ends is locked for a moment. */
	fx_hold(f, fx_w_entry(f, td, FAR, 3), true);
	ask = FAR + 0x123000;
	is(enter(f, attr_asked), EXIT_VMCALL);
	is(saw, ST_BUSY(R_RCX));
	fx_release_all(f);
	is(enter(f, attr_asked), EXIT_EPT_VIOLATION);
	eq(f->out.r8, FAR + 0x123000);
	fx_down(f);
}

/* ---- ATTR.WR ---------------------------------------------------------------------------------- */

static void attr_written(struct fx *f, struct sl_lp *lp)
{
	saw = TC(f, lp, tdg_mem_page_attr_wr, .rcx = ask, .rdx = 0x8007);
}

/* The exit says what was asked for, where the walk ended and what was there. */
static void attr_wr_exits(struct fx *f, u64 gpa, u32 level, u32 stopped, u32 pub, bool leaf)
{
	ask = PAGE_INFO(gpa, level);
	is(enter(f, attr_written), EXIT_EPT_VIOLATION);
	eq(f->out.rcx, 2);
	eq(f->out.rdx, 5 | (u64)(level | stopped << 3 | pub << 6 | (u32)leaf << 14) << 32);
	eq(f->out.r8, gpa);
}

static void test_attr_wr(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = runnable(flavours[i], false);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), table;

		fx_aug(f, td, GPA, 0, page);
		table = fx_entry_value(f, td, GPA, 1);
		ask = GPA;
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_SUCCESS);
		eq(f->g.rcx, GPA | 1ull << 62);
		eq(f->g.rdx, 0x8007);
		/* Nothing is stored in a TD without L2 VMs: the entry is as it was. */
		eq(fx_entry_value(f, td, GPA, 0), E_PENDING(page));
		fx_poke(f, td, GPA, 0, E_MAPPED(page));
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_SUCCESS);
		eq(f->g.rcx, GPA);
		/* The size that is asked for has to be the one that is there. */
		ask = PAGE_INFO(GPA, 1);
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_SIZE_MISMATCH(1));
		eq(f->g.rcx | f->g.rdx, 0);
		ask = PAGE_INFO(GPA, 2);
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_SIZE_MISMATCH(2));
		eq(fx_entry_value(f, td, GPA, 1), table);
		attr_wr_exits(f, GPA + 0x1000, 0, 0, PUB_FREE, false);
		fx_poke(f, td, GPA, 0, E_BLOCKED(page));
		attr_wr_exits(f, GPA, 0, 0, PUB_BLOCKED, true);
		fx_poke(f, td, GPA, 0, E_BLOCKEDW(page));
		attr_wr_exits(f, GPA, 0, 0, PUB_BLOCKEDW, true);
		fx_aug(f, td, GPA + 0x200000, 1, FX_HPA(FX_AT_HIGH_BIG));
		attr_wr_exits(f, GPA + 0x200000, 0, 1, PUB_PENDING, true);
		ask = PAGE_INFO(GPA + 0x200000, 1);
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_SUCCESS);
		eq(f->g.rcx, (GPA + 0x200000) | 1 | 1ull << 62);
		/* A host's request keeps the guest out and stays. */
		fx_poke(f, td, GPA, 0, E_MAPPED(page) | E_HP);
		ask = GPA;
		is(enter(f, attr_written), EXIT_VMCALL);
		is(saw, ST_BUSY(R_RCX));
		eq(fx_entry_value(f, td, GPA, 0), E_MAPPED(page) | E_HP);
		fx_down(f);
	}
}

/* ---- VMCALL, INFO, VEINFO --------------------------------------------------------------------- */

static struct tdx_module_args vmcall_args;

static void vmcall_asked(struct fx *f, struct sl_lp *lp)
{
	saw = fx_tdcall(f, lp, 0, vmcall_args);
}

static u64 back_rax;
static struct tdx_module_args back;

static void after_vmcall(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	assert_true(sl_guest_tdcall_completed(lp, &back_rax, &back));
}

static void test_vmcall(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);
	/* RCX, RDX, R8 .. R15, RBX, RDI, RSI: the mask bit of each, RCX having none. */
	static const u8 bit[] = { 0, 2, 8, 9, 10, 11, 12, 13, 14, 15, 3, 7, 6 };
	u64 *in = &vmcall_args.rcx, *out = &f->out.rcx, *got = &back.rcx;
	static const u64 masks[] = { 0, 0xFFCC, 1 << 2 | 1 << 10, 1 << 3 | 1 << 15, 0xFFFF0000 };

	(void)state;
	for (u32 m = 0; m < ARRAY_SIZE(masks); m++) {
		struct tdx_module_args host;
		u64 *from = &host.rcx;

		for (u32 i = 0; i < 13; i++) {
			in[i] = 0x1100 + i;
			from[i] = 0x2200 + i;
		}
		vmcall_args.rcx = masks[m];
		vp_of(f)->rip = 0x3000;
		is(enter(f, vmcall_asked), EXIT_VMCALL);
		eq(out[0], masks[m]);
		for (u32 i = 1; i < 13; i++)
			eq(out[i], masks[m] >> bit[i] & 1 ? 0x1100 + i : 0);
		eq(vp_of(f)->rip, 0x3001);
		eq(vp_of(f)->last_exit, LAST_EXIT_TDVMCALL);
		eq(atomic_load(&vp_of(f)->state), VCPU_READY);
		/* Back: RAX 0, the mask in RCX, the chosen registers from the host. */
		host.rcx = f->td[0].vcpu[0];
		f->guest[0].fn = after_vmcall;
		is(fx_seamcall(f, 0, SEAMCALL_tdh_vp_enter, host), EXIT_VMCALL);
		is(back_rax, 0);
		eq(got[0], masks[m]);
		for (u32 i = 1; i < 13; i++)
			eq(got[i], (masks[m] >> bit[i] & 1 ? 0x2200 : 0x1100) + i);
	}
	fx_down(f);
}

static void bad_masks(struct fx *f, struct sl_lp *lp)
{
	static const u8 bad[] = { 0, 1, 4, 32, 63 };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		is(TC(f, lp, tdg_vp_vmcall, .rcx = 1ull << bad[i] | 0x400), ST_INVALID(R_RCX));
		assert_false(sl_guest_exit_pending(lp));
	}
}

static void test_vmcall_mask(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);

	(void)state;
	is(enter(f, bad_masks), EXIT_VMCALL);
	fx_down(f);
}

static void info(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vp_info, .r11 = 5), ST_SUCCESS);
}

static void test_vp_info(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);

	(void)state;
	fx_tdcs(f, &f->td[0])->attributes = 1ull << 28;
	is(fx_enter(f, 1, f->td[0].vcpu[1], info), EXIT_VMCALL);
	eq(f->g.rcx, 48);
	eq(f->g.rdx, 1ull << 28);
	eq(f->g.r8, 2 | 4ull << 32);
	eq(f->g.r9, 1);
	eq(f->g.r10, 1);
	eq(f->g.r11, 0);
	fx_tdcs(f, &f->td[0])->gpaw = true;
	is(fx_enter(f, 1, f->td[0].vcpu[1], info), EXIT_VMCALL);
	eq(f->g.rcx, 52);
	fx_down(f);
}

/* ---- accesses --------------------------------------------------------------------------------- */

static void ve(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vp_veinfo_get, .rcx = 1, .rdx = 2, .r8 = 3, .r9 = 4, .r10 = 5),
	   ST_NO_VE_INFO);
	eq(f->g.rcx | f->g.rdx | f->g.r8 | f->g.r9 | f->g.r10, 0);
	eq(sl_guest_access(lp, GPA + 0x10, true, NULL), SL_ACCESS_VE);
	assert_false(sl_guest_exit_pending(lp));
	is(TC(f, lp, tdg_vp_veinfo_get, 0), ST_SUCCESS);
	eq(f->g.rcx, 48);
	eq(f->g.rdx, 2);
	eq(f->g.r8, GPA + 0x10);
	eq(f->g.r9, GPA + 0x10);
	eq(f->g.r10, 0);
	is(TC(f, lp, tdg_vp_veinfo_get, 0), ST_NO_VE_INFO);
	/* Twice without looking: double fault. */
	eq(sl_guest_access(lp, GPA, false, NULL), SL_ACCESS_VE);
	eq(sl_guest_access(lp, GPA, false, NULL), SL_ACCESS_FATAL);
	assert_true(sl_guest_exit_pending(lp));
}

static void test_ve(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);

	(void)state;
	aug(f, GPA, 0, fx_page_high(f));
	vp_of(f)->last_exit = LAST_EXIT_ASYNC_TRAP;
	is(enter(f, ve), EXIT_TRIPLE_FAULT);
	eq(atomic_load(&vp_of(f)->state), VCPU_DISABLED);
	eq(vp_of(f)->last_exit, LAST_EXIT_ASYNC_TRAP);
	eq(atomic_load(&fx_tdcs(f, &f->td[0])->epoch.f.refcount[1]), 0);
	is(enter(f, NULL), ST_VCPU_STATE);
	is(SC(f, 0, tdh_vp_flush, .rcx = f->td[0].vcpu[0]), ST_SUCCESS);
	fx_down(f);
}

static void access_asked(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	saw = (u64)sl_guest_access(lp, ask, false, NULL);
}

static void test_access_exits(void **state)
{
	struct fx *f = runnable(SL_PUBLISHED, false);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f);

	(void)state;
	ask = FAR + 0x5678;
	is(enter(f, access_asked), EXIT_EPT_VIOLATION);
	eq(f->out.rcx, 1);
	eq(f->out.rdx, 0);
	eq(f->out.r8, FAR + 0x5000);
	ask = GPA + 0x678;
	fx_poke(f, td, GPA, 0, E_BLOCKED(page));
	is(enter(f, access_asked), EXIT_EPT_VIOLATION);
	eq(f->out.rdx, 0);
	fx_poke(f, td, GPA, 0, E_FREE);
	/* A PENDING page of a TD that wants no #VE: the exit says so. */
	aug(f, GPA, 0, page);
	atomic_store(&fx_tdcs(f, td)->td_ctls, 1);
	is(enter(f, access_asked), EXIT_EPT_VIOLATION);
	eq(saw, SL_ACCESS_EXIT);
	eq(f->out.rdx, 6);
	eq(f->out.r8, GPA);
	fx_poke(f, td, GPA, 0, E_MAPPED(page));
	is(enter(f, access_asked), EXIT_VMCALL);
	eq(saw, SL_ACCESS_OK);
	ask = SHARED | GPA;
	is(enter(f, access_asked), EXIT_EPT_VIOLATION);
	eq(f->out.r8, SHARED | GPA);
	fx_down(f);
}

static void write_and_read(struct fx *f, struct sl_lp *lp)
{
	u64 value = 0x0123456789ABCDEFull, other = 1;

	(void)f;
	eq(sl_guest_access(lp, BIG + 0x1234567ull % 0x200000, true, &value), SL_ACCESS_OK);
	value = 0;
	eq(sl_guest_access(lp, BIG + 0x1234567ull % 0x200000, false, &value), SL_ACCESS_OK);
	eq(value, 0x0123456789ABCDEFull);
	eq(sl_guest_access(lp, BIG, false, &other), SL_ACCESS_OK);
	eq(other, 0);
}

static void test_contents(void **state)
{
	struct fx *f = big_pending(SL_HARDENED);
	u64 at = FX_HPA(FX_AT_HIGH_BIG) + (0x1234567ull % 0x200000 & ~7ull), value;

	(void)state;
	is(accept(f, BIG, 1), ST_SUCCESS);
	is(enter(f, write_and_read), EXIT_VMCALL);
	memcpy(&value, page_bytes(f, at), sizeof(value));
	eq(value, 0x0123456789ABCDEFull);
	fx_down(f);
}

/* A tree that no module wrote. */
static void access_wrong(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	eq(sl_guest_access(lp, GPA, false, NULL), SL_ACCESS_FATAL);
}

static void test_misconfigured(void **state)
{
	static const fx_guest_fn ways[] = { access_wrong, accept_asked, attr_asked };

	(void)state;
	ask = GPA;
	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		struct fx *f = runnable(SL_PUBLISHED, false);

		fx_poke(f, &f->td[0], GPA, 1, 0x8000000000000001ull | FX_HPA(FX_AT_SEPT));
		is(enter(f, ways[i]), ST_HALTED);
		eq(f->violations, 1);
		f->violations_expected = 1;
		fx_down(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept_4k),
		cmocka_unit_test(test_accept_sizes),
		cmocka_unit_test(test_accept_exits),
		cmocka_unit_test(test_accept_races_with_aug),
		cmocka_unit_test(test_accept_2m_interrupted),
		cmocka_unit_test(test_accept_2m_last_chunk),
		cmocka_unit_test(test_accept_2m_host_waits),
		cmocka_unit_test(test_accept_2m_interrupt_erases),
		cmocka_unit_test(test_host_priority),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeout_off),
		cmocka_unit_test(test_timeout_across_exits),
		cmocka_unit_test(test_timeout_reset),
		cmocka_unit_test(test_timeout_and_plain_busy),
		cmocka_unit_test(test_timeout_attr_rd),
		cmocka_unit_test(test_attr_rd),
		cmocka_unit_test(test_attr_wr),
		cmocka_unit_test(test_vmcall),
		cmocka_unit_test(test_vmcall_mask),
		cmocka_unit_test(test_vp_info),
		cmocka_unit_test(test_ve),
		cmocka_unit_test(test_access_exits),
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_misconfigured),
	};

	return cmocka_run_group_tests_name("module: guests", tests, NULL, NULL);
}
