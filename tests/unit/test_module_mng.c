// SPDX-License-Identifier: MIT
/* TDH.MNG.*, TDH.MR.* and TDH.PHYMEM.*: what building a TD and taking it down does. */
#include "module_fixture.h"

#include <string.h>

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

#define GPA 0x40000000ull

/* ---- building ------------------------------------------------------------------------------- */

static void test_create(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u64 page = fx_page_td(f);
	struct tdr *tdr;

	(void)state;
	/* What a page contained before does not matter. */
	memset(f->m->mem.frames, 0xA5, sizeof(*tdr));
	is(SC(f, 0, tdh_mng_create, .rcx = page, .rdx = 63), ST_SUCCESS);
	page_is(f, page, 0, PAMT_TDR, 0, 0);
	eq(f->m->kot[63].state, KOT_ASSIGNED);
	tdr = (struct tdr *)f->m->mem.frames;
	eq(tdr->hkid, 63);
	eq(tdr->lifecycle, TD_HKID_ASSIGNED);
	eq(tdr->num_tdcx, 0);
	eq(atomic_load(&tdr->chldcnt), 0);
	assert_false(atomic_load(&tdr->fatal));
	/* The key id of the module itself, and of another TD. */
	is(SC(f, 0, tdh_mng_create, .rcx = fx_page_td(f), .rdx = FX_MODULE_KEY), ST_HKID_NOT_FREE);
	is(SC(f, 0, tdh_mng_create, .rcx = fx_page_td(f), .rdx = 63), ST_HKID_NOT_FREE);
	/* A page of a TD. */
	is(SC(f, 0, tdh_mng_create, .rcx = page, .rdx = 62), ST_METADATA(R_RCX));
	/* Without entropy the page has been written already, and nothing else. */
	page = fx_page_td(f);
	fx_script(f, 1, 1u);
	is(SC(f, 0, tdh_mng_create, .rcx = page, .rdx = 62), ST_RND_NO_ENTROPY);
	page_is(f, page, 0, PAMT_NDA, 0, 0);
	eq(f->m->kot[62].state, KOT_FREE);
	fx_down(f);
}

static void test_key_config(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_create(f, td);
	is(SC(f, 0, tdh_mng_addcx, .rcx = FX_HPA(9), .rdx = td->tdr), ST_TD_KEYS);
	fx_script(f, 1, 1u);
	is(SC(f, 1, tdh_mng_key_config, .rcx = td->tdr), ST_KEY_GENERATION_FAILED);
	eq(atomic_load(&fx_tdr(f, td)->pkg_config_bitmap), 0);
	is(SC(f, 1, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
	eq(atomic_load(&fx_tdr(f, td)->pkg_config_bitmap), 2);
	eq(fx_tdr(f, td)->lifecycle, TD_HKID_ASSIGNED);
	is(SC(f, 3, tdh_mng_key_config, .rcx = td->tdr), ST_KEY_CONFIGURED);
	is(SC(f, 2, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
	eq(fx_tdr(f, td)->lifecycle, TD_KEYS_CONFIGURED);
	is(SC(f, 2, tdh_mng_key_config, .rcx = td->tdr), ST_LIFECYCLE);
	fx_down(f);
}

static void test_addcx(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page;

	(void)state;
	fx_td_create(f, td);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_TDCS_NOT_ALLOCATED);
	for (u32 i = 1; i <= 6; i++) {
		page = fx_page_td(f);
		if (i == 6) {
			/* Only the sixth page needs entropy. */
			eq(f->asked[SL_CHOICE_ENTROPY], FX_LPS + 2 * FX_PACKAGES + 1);
			fx_script(f, 1, 1u);
			is(SC(f, 0, tdh_mng_addcx, .rcx = page, .rdx = td->tdr), ST_RND_NO_ENTROPY);
			page_is(f, page, 0, PAMT_NDA, 0, 0);
			eq(fx_chldcnt(f, td), 5);
		}
		fx_pamt(f, page, 0)->bepoch = 77;
		is(SC(f, 0, tdh_mng_addcx, .rcx = page, .rdx = td->tdr), ST_SUCCESS);
		page_is(f, page, 0, PAMT_TDCX, td->tdr, 0);
		eq(fx_chldcnt(f, td), i);
		eq(fx_tdr(f, td)->num_tdcx, i);
		eq(fx_tdr(f, td)->tdcx[i - 1].v, page);
		td->tdcx[i - 1] = page;
	}
	/* The fourth is the root of the S-EPT, all FREE. */
	for (u64 i = 0; i < 512; i++)
		eq(fx_entry_value(f, td, i << 39, 3), E_FREE);
	/* Three more, as long as the TD is not initialised. */
	is(SC(f, 0, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr), ST_SUCCESS);
	fx_td_init(f, td);
	page = fx_page_td(f);
	is(SC(f, 0, tdh_mng_addcx, .rcx = page, .rdx = td->tdr), ST_OP_STATE);
	page_is(f, page, 0, PAMT_NDA, 0, 0);
	eq(fx_chldcnt(f, td), 7);
	fx_tdcs(f, td)->op_state = OP_UNINITIALIZED;
	for (u32 i = 0; i < 2; i++)
		is(SC(f, 0, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr), ST_TDCX_NUM);
	eq(fx_chldcnt(f, td), 9);
	fx_down(f);
}

static void test_init(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	struct tdcs *t;
	u8 *p;

	(void)state;
	fx_td_create(f, td);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
	fx_td_addcx(f, td, 6);
	p = fx_td_params(f);
	/* RCX says which CPUID leaf was wrong, and 0 for every other error. */
	p[256 + 16 * 5 + 3] = 1;
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_INVALID(R_CPUID_CONFIG));
	eq(f->out.rcx, 5);
	p = fx_td_params(f);
	p[0] = 2;
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_INVALID(R_ATTRIBUTES));
	eq(f->out.rcx, 0);
	p = fx_td_params(f);
	p[3] = 0x10; /* SEPT_VE_DISABLE */
	p[16] = 9;
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_SUCCESS);
	eq(f->out.rcx, 0);
	t = fx_tdcs(f, td);
	eq(t->op_state, OP_INITIALIZED);
	eq(t->attributes, 1ull << 28);
	eq(atomic_load(&t->td_ctls), 1);
	eq(t->max_vcpus, 9);
	eq(t->page_walk, 3);
	assert_false(t->gpaw);
	eq(t->sept_root.v, td->tdcx[3]);
	eq(atomic_load(&t->epoch.f.epoch), 1);
	eq(atomic_load(&t->epoch.f.refcount[0]), 0);
	eq(atomic_load(&t->epoch.f.refcount[1]), 0);
	eq(atomic_load(&t->num_vcpus), 0);
	/* One second, in ticks. */
	eq(atomic_load(&t->hp_lock_timeout), 1000000ull * FX_TSC);
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_OP_STATE);
	eq(f->out.rcx, 0);
	fx_down(f);
}

/* 52-bit guest addresses over five levels. */
static void test_init_5_levels(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 gpa = 7ull << 48;
	u8 *p;

	(void)state;
	fx_td_create(f, td);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
	fx_td_addcx(f, td, 6);
	p = fx_td_params(f);
	p[24] = 4 << 3 | 6;
	p[32] = 1;
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_SUCCESS);
	eq(fx_tdcs(f, td)->page_walk, 4);
	assert_true(fx_tdcs(f, td)->gpaw);
	/* The root's entries are of level 4, and no level 5 exists. */
	is(SC(f, 0, tdh_mem_sept_add, .rcx = gpa | 5, .rdx = td->tdr, .r8 = fx_page_sept(f)),
	   ST_INVALID(R_RCX));
	is(SC(f, 0, tdh_mem_sept_add, .rcx = gpa | 4, .rdx = td->tdr, .r8 = fx_page_sept(f)),
	   ST_SUCCESS);
	is(SC(f, 0, tdh_mem_sept_rd, .rcx = gpa | 4, .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx, 7);
	eq(f->out.rdx, X_RDX(4, PUB_NL_MAPPED));
	/* Bit 51 is the shared bit, bit 50 is not. */
	is(SC(f, 0, tdh_mem_sept_rd, .rcx = 1ull << 51 | 4, .rdx = td->tdr), ST_INVALID(R_RCX));
	is(SC(f, 0, tdh_mem_sept_rd, .rcx = 1ull << 50 | 4, .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx, X_FREE);
	fx_down(f);
}

/* ---- measurement ---------------------------------------------------------------------------- */

static void test_mr(void **state)
{
	struct fx *f = fx_up_contents(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u8 *source = sl_machine_shared(f->m, FX_SOURCE);
	u64 page = fx_page_high(f);
	struct sha384 first, second;

	(void)state;
	fx_td_initialized(f, td, 0);
	fx_sept(f, td, GPA, 0);
	memset(source, 0x5C, SL_PAGE_SIZE);
	first = fx_tdcs(f, td)->mrtd_ctx;
	is(SC(f, 0, tdh_mem_page_add, .rcx = GPA, .rdx = td->tdr, .r8 = page, .r9 = FX_SOURCE),
	   ST_SUCCESS);
	eq(f->out.rcx | f->out.rdx, 0);
	eq(fx_entry_value(f, td, GPA, 0), E_MAPPED(page));
	page_is(f, page, 0, PAMT_REG, td->tdr, 0);
	eq(fx_chldcnt(f, td), 6 + 3 + 1);
	assert_memory_equal(source, f->m->mem.frames + (page - SL_PRIVATE_BASE), SL_PAGE_SIZE);
	second = fx_tdcs(f, td)->mrtd_ctx;
	assert_memory_not_equal(&first, &second, sizeof(first));
	is(SC(f, 0, tdh_mr_extend, .rcx = GPA + 0xF00, .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx | f->out.rdx, 0);
	assert_memory_not_equal(&fx_tdcs(f, td)->mrtd_ctx, &second, sizeof(second));
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_NO_VCPUS);
	eq(fx_tdcs(f, td)->op_state, OP_INITIALIZED);
	fx_vcpu_add(f, td, 0);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
	eq(fx_tdcs(f, td)->op_state, OP_RUNNABLE);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_OP_STATE);
	is(SC(f, 0, tdh_mr_extend, .rcx = GPA, .rdx = td->tdr), ST_OP_STATE);
	fx_down(f);
}

/* A TD that died refuses all that looks at its state, and can still be taken down. */
static void test_fatal(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_runnable(f, td, 1);
	atomic_store(&fx_tdr(f, td)->fatal, true);
	is(SC(f, 0, tdh_vp_enter, .rcx = td->vcpu[0]), ST_TD_FATAL);
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_TD_FATAL);
	is(SC(f, 0, tdh_mng_addcx, .rcx = fx_page_td(f), .rdx = td->tdr), ST_TD_FATAL);
	fx_td_teardown(f, td);
	is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = td->vcpu[0]), ST_SUCCESS);
	fx_down(f);
}

/* ---- taking down ---------------------------------------------------------------------------- */

static void running(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(SC(f, 1, tdh_mng_vpflushdone, .rcx = f->td[0].tdr), ST_BUSY(R_RCX));
	is(SC(f, 1, tdh_vp_flush, .rcx = f->td[0].vcpu[0]), ST_BUSY(R_RCX));
}

static void test_teardown(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	struct tdr *tdr;

	(void)state;
	fx_td_runnable(f, td, 2);
	tdr = fx_tdr(f, td);
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_LIFECYCLE);
	is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = td->tdcx[5]), ST_LIFECYCLE);
	is(SC(f, 0, tdh_phymem_cache_wb, 0), ST_NO_HKID_READY);
	is(fx_enter(f, 0, td->vcpu[0], running), EXIT_VMCALL);
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_FLUSHVP_NOT_DONE);
	is(SC(f, 1, tdh_vp_flush, .rcx = td->vcpu[0]), ST_VCPU_NOT_ASSOCIATED);
	is(SC(f, 0, tdh_vp_flush, .rcx = td->vcpu[0]), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_FLUSHVP_NOT_DONE);
	is(SC(f, 1, tdh_vp_flush, .rcx = td->vcpu[1]), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_SUCCESS);
	eq(tdr->lifecycle, TD_BLOCKED);
	eq(f->m->kot[td->hkid].state, KOT_FLUSHED);
	eq(atomic_load(&f->m->kot[td->hkid].wbinvd_bitmap), 3);
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_LIFECYCLE);
	is(SC(f, 0, tdh_vp_flush, .rcx = td->vcpu[0]), ST_TD_KEYS);
	is(SC(f, 0, tdh_vp_enter, .rcx = td->vcpu[0]), ST_TD_KEYS);
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_TD_KEYS);
	/* Each package writes back; only then is the key id free. */
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_WBCACHE_NOT_COMPLETE);
	is(SC(f, 2, tdh_phymem_cache_wb, 0), ST_SUCCESS);
	eq(atomic_load(&f->m->kot[td->hkid].wbinvd_bitmap), 2);
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_WBCACHE_NOT_COMPLETE);
	is(SC(f, 1, tdh_phymem_cache_wb, 0), ST_SUCCESS);
	eq(atomic_load(&f->m->kot[td->hkid].wbinvd_bitmap), 0);
	is(SC(f, 0, tdh_mng_create, .rcx = fx_page_td(f), .rdx = td->hkid), ST_HKID_NOT_FREE);
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_SUCCESS);
	eq(f->m->kot[td->hkid].state, KOT_FREE);
	eq(tdr->lifecycle, TD_TEARDOWN);
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_LIFECYCLE);
	is(SC(f, 0, tdh_mng_create, .rcx = fx_page_td(f), .rdx = td->hkid), ST_SUCCESS);
	fx_down(f);
}

/* Straight from HKID_ASSIGNED, without any key. */
static void test_teardown_early(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_create(f, td);
	fx_td_teardown(f, td);
	is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx, PAMT_TDR);
	eq(f->out.rdx | f->out.r8 | f->out.r9 | f->out.r10 | f->out.r11, 0);
	page_is(f, td->tdr, 0, PAMT_NDA, 0, 0);
	fx_down(f);
}

static void test_reclaim(void **state)
{
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 big = FX_HPA(FX_AT_HIGH_BIG), small = fx_page_high(f), count;

		(void)state;
		fx_td_runnable(f, td, 1);
		fx_aug(f, td, GPA, 1, big);
		fx_aug(f, td, GPA + 0x200000, 0, small);
		/* TDCX, TDVPS, three levels of tables, both pages. */
		count = 6 + 6 + 3 + 512 + 1;
		eq(fx_chldcnt(f, td), count);
		fx_td_teardown(f, td);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = td->tdr), ST_ASSOCIATED_PAGES_EXIST);
		/* Registers are filled in spite of the refusal. */
		eq(f->out.rcx, PAMT_TDR);
		eq(f->out.rdx, 0);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = big + SL_PAGE_SIZE), ST_INVALID(R_RCX));
		eq(f->out.rcx | f->out.rdx | f->out.r8, 0);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = big, .r9 = 1, .r10 = 2, .r11 = 3),
		   ST_SUCCESS);
		eq(f->out.rcx, PAMT_REG);
		eq(f->out.rdx, td->tdr);
		eq(f->out.r8, 1);
		eq(f->out.r9 | f->out.r10 | f->out.r11, 0);
		page_is(f, big, 1, PAMT_NDA, td->tdr, 0);
		count -= 512;
		eq(fx_chldcnt(f, td), count);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = big), ST_METADATA(R_RCX));
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = small), ST_SUCCESS);
		eq(f->out.rcx, PAMT_REG);
		eq(f->out.r8, 0);
		eq(fx_chldcnt(f, td), --count);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = td->vcpu[0]), ST_SUCCESS);
		eq(f->out.rcx, PAMT_TDVPR);
		eq(fx_chldcnt(f, td), --count);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = td->vcpu[0] + SL_PAGE_SIZE),
		   ST_SUCCESS);
		eq(f->out.rcx, PAMT_TDCX);
		eq(fx_chldcnt(f, td), --count);
		is(SC(f, 3, tdh_phymem_page_reclaim, .rcx = FX_HPA(FX_AT_SEPT)), ST_SUCCESS);
		eq(f->out.rcx, PAMT_EPT);
		eq(f->out.rdx, td->tdr);
		eq(fx_chldcnt(f, td), --count);
		fx_down(f);
	}
}

static void test_reclaim_all(void **state)
{
	struct fx *f = fx_up(SL_HARDENED);
	struct fx_td *td = &f->td[0];
	u32 reclaimed = 0;

	(void)state;
	fx_td_runnable(f, td, 2);
	fx_aug(f, td, GPA, 0, fx_page_high(f));
	fx_td_teardown(f, td);
	for (u64 page = 0; page < FX_PAGES; page++) {
		u32 type = atomic_load(&f->m->mem.pamt[0][page].type);

		if (type == PAMT_NDA || type == PAMT_TDR)
			continue;
		is(SC(f, 1, tdh_phymem_page_reclaim, .rcx = FX_HPA(page)), ST_SUCCESS);
		reclaimed++;
	}
	eq(reclaimed, 6 + 2 * 6 + 3 + 1);
	eq(fx_chldcnt(f, td), 0);
	is(SC(f, 1, tdh_phymem_page_reclaim, .rcx = td->tdr), ST_SUCCESS);
	is(SC(f, 1, tdh_phymem_page_reclaim, .rcx = td->tdr), ST_METADATA(R_RCX));
	fx_down(f);
}

/* ---- caches ----------------------------------------------------------------------------------- */

static void flushed_td(struct fx *f, struct fx_td *td)
{
	fx_td_create(f, td);
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_SUCCESS);
}

static void test_cache_wb_interrupted(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u32 calls = 0;
	u64 st;

	(void)state;
	flushed_td(f, &f->td[0]);
	is(SC(f, 0, tdh_phymem_cache_wb, .rcx = 1), ST_WBCACHE_RESUME);
	sl_lp_interrupt_raise(f->lp[0]);
	is(SC(f, 0, tdh_phymem_cache_wb, .rcx = 0), ST_INTERRUPTED_RESUMABLE);
	eq(f->m->wbt[0].position, 1);
	eq(atomic_load(&f->m->kot[f->td[0].hkid].wbinvd_bitmap), 3);
	/* A key id that is flushed meanwhile waits for the next cycle. */
	flushed_td(f, &f->td[1]);
	for (st = ST_INTERRUPTED_RESUMABLE; st == ST_INTERRUPTED_RESUMABLE; calls++)
		st = SC(f, 0, tdh_phymem_cache_wb, .rcx = 1);
	is(st, ST_SUCCESS);
	eq(calls, 3);
	eq(atomic_load(&f->m->kot[f->td[0].hkid].wbinvd_bitmap), 2);
	eq(atomic_load(&f->m->kot[f->td[1].hkid].wbinvd_bitmap), 3);
	is(SC(f, 0, tdh_phymem_cache_wb, .rcx = 1), ST_WBCACHE_RESUME);
	assert_true(sl_lp_interrupt_take(f->lp[0]));
	assert_false(sl_lp_interrupt_take(f->lp[0]));
	is(SC(f, 0, tdh_phymem_cache_wb, .rcx = 0), ST_SUCCESS);
	eq(atomic_load(&f->m->kot[f->td[1].hkid].wbinvd_bitmap), 2);
	/* The other package counts for itself. */
	is(SC(f, 1, tdh_phymem_cache_wb, .rcx = 1), ST_WBCACHE_RESUME);
	is(SC(f, 1, tdh_phymem_cache_wb, .rcx = 0), ST_SUCCESS);
	eq(atomic_load(&f->m->kot[f->td[0].hkid].wbinvd_bitmap), 0);
	eq(atomic_load(&f->m->kot[f->td[1].hkid].wbinvd_bitmap), 0);
	/* Both key ids are still flushed and not freed: a new cycle has something to write back. */
	is(SC(f, 1, tdh_phymem_cache_wb, .rcx = 0), ST_SUCCESS);
	is(SC(f, 1, tdh_phymem_cache_wb, .rcx = 2), ST_INVALID(R_RCX));
	fx_down(f);
}

static void test_wbinvd(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u64 before;

	(void)state;
	fx_td_create(f, &f->td[0]);
	before = fx_digest(f);
	is(SC(f, 0, tdh_phymem_page_wbinvd, .rcx = FX_HPA(FX_AT_HIGH) | 33ull << 46), ST_SUCCESS);
	is(SC(f, 0, tdh_phymem_page_wbinvd, .rcx = f->td[0].tdr | 33ull << 46), ST_METADATA(R_RCX));
	/* Shared: another reader does not matter. */
	fx_hold(f, fx_w_pamt(f, FX_HPA(FX_AT_HIGH), 0), false);
	is(SC(f, 0, tdh_phymem_page_wbinvd, .rcx = FX_HPA(FX_AT_HIGH) | 33ull << 46), ST_SUCCESS);
	eq(fx_word_value(f->held[0].w), 4);
	fx_release_all(f);
	eq(fx_digest(f), before);
	fx_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),         cmocka_unit_test(test_key_config),
		cmocka_unit_test(test_addcx),          cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_5_levels),  cmocka_unit_test(test_mr),
		cmocka_unit_test(test_fatal),          cmocka_unit_test(test_teardown),
		cmocka_unit_test(test_teardown_early), cmocka_unit_test(test_reclaim),
		cmocka_unit_test(test_reclaim_all),    cmocka_unit_test(test_cache_wb_interrupted),
		cmocka_unit_test(test_wbinvd),
	};

	return cmocka_run_group_tests_name("module: MNG, MR, PHYMEM", tests, NULL, NULL);
}
