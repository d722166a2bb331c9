// SPDX-License-Identifier: MIT
/*
 * Dynamic PAMT of release 1.5.25: TDH.PHYMEM.PAMT.ADD and TDH.PHYMEM.PAMT.REMOVE, and what the other leaves
 * do where a 2 MB range has no pair of PAMT pages.
 */
#include "module_fixture.h"

#include <string.h>

#define GPA 0x40000000ull
/* 2 MB that have no pair, a page in them; one without a pair in the middle of nowhere. */
#define FREE_2M    FX_HPA(FX_AT_BIG)
#define FREE_4K    FX_HPA(FX_AT_BIG + 5)
#define BIG        FX_HPA(FX_AT_HIGH_BIG)
#define RANGE(hpa) ((hpa) | 1)
#define P(i)       FX_HPA(FX_AT_PAIRS + 400 + (i))

static u64 add(struct fx *f, u64 rcx, u64 first, u64 second)
{
	return SC(f, 0, tdh_phymem_pamt_add, .rcx = rcx, .rdx = first, .r8 = second);
}

static u64 take_back(struct fx *f, u64 rcx)
{
	return SC(f, 0, tdh_phymem_pamt_remove, .rcx = rcx);
}

static u32 in_use(struct fx *f, u64 hpa)
{
	return pamt_pages_in_use(fx_pamt(f, hpa, 1));
}

static bool is_pamt_page(struct fx *f, u64 hpa)
{
	return mem_is_pamt_page(f->m, (struct hpa){ hpa });
}

/* A call that must not change anything. */
#define refused(f, call, status)            \
	do {                                \
		u64 before_ = fx_digest(f); \
                                            \
		is(call, status);           \
		eq(fx_digest(f), before_);  \
	} while (0)

/* ---- switching it on ----------------------------------------------------------------------------- */

static void test_off(void **state)
{
	struct fx *f = fx_up_release(SL_RELEASE_1_5_25, SL_PUBLISHED);
	struct fx *old = fx_up_release(SL_RELEASE_1_5_01, SL_PUBLISHED);

	(void)state;
	refused(f, add(f, RANGE(FREE_2M), P(0), P(1)), ST_INVALID(R_RAX));
	refused(f, take_back(f, RANGE(FREE_2M)), ST_INVALID(R_RAX));
	refused(old, add(old, RANGE(FREE_2M), P(0), P(1)), ST_INVALID(R_RAX));
	refused(old, take_back(old, RANGE(FREE_2M)), ST_INVALID(R_RAX));
	is(SC(f, 0, tdh_sys_rd, .rdx = 0x0A00000300000008ull), ST_SUCCESS);
	eq(f->out.r8 >> 36 & 1, 0);
	fx_down(f);
	fx_down(old);
	f = fx_up_bare(SL_PUBLISHED);
	is(SC(f, 0, tdh_sys_rd, .rdx = 0x0A00000300000008ull), ST_SUCCESS);
	eq(f->out.r8 >> 36 & 1, 1);
	fx_down(f);
}

/* ---- ADD ------------------------------------------------------------------------------------------ */

static void test_add_operands(void **state)
{
	static const u64 bad_rcx[] = {
		FREE_2M,         /* level 0 */
		FREE_2M | 2,     /* level 2 */
		FREE_2M | 1 | 8, /* reserved */
		FREE_4K | 1,     /* not aligned */
		RANGE(FREE_2M) | 1ull << 52,
		RANGE(FREE_2M) | 1ull << SL_HKID_SHIFT,
	};
	static const u64 bad_page[] = { P(0) | 8, P(0) | 1ull << SL_HKID_SHIFT };
	struct fx *f = fx_up_bare(SL_PUBLISHED);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bad_rcx); i++) {
		refused(f, add(f, bad_rcx[i], P(0), P(1)), ST_INVALID(R_RCX));
		refused(f, take_back(f, bad_rcx[i]), ST_INVALID(R_RCX));
	}
	for (u32 i = 0; i < ARRAY_SIZE(bad_page); i++) {
		refused(f, add(f, RANGE(FREE_2M), bad_page[i], P(1)), ST_INVALID(R_RDX));
		refused(f, add(f, RANGE(FREE_2M), P(1), bad_page[i]), ST_INVALID(R_R8));
	}
	refused(f, add(f, RANGE(FREE_2M), 0x1000, P(1)), ST_RANGE(R_RDX));
	refused(f, add(f, RANGE(FREE_2M), P(0), 0x1000), ST_RANGE(R_R8));
	refused(f, add(f, RANGE(0), P(0), P(1)), ST_RANGE(R_RCX));
	refused(f, take_back(f, RANGE(0)), ST_RANGE(R_RCX));
	/* The pages' addresses come before the range's place. */
	refused(f, add(f, RANGE(0), P(0), 0x1000), ST_RANGE(R_R8));
	fx_down(f);
}

static void test_add(void **state)
{
	struct fx *f = fx_up_bare(SL_PUBLISHED);
	struct pamt_entry *stale = fx_pamt(f, FREE_4K, 0);

	(void)state;
	/* Whatever was in the pages: they are zeroed. */
	pamt_set_bepoch(stale, 7);
	fx_set_hp(fx_w_pamt(f, FREE_4K, 0));
	is(add(f, RANGE(FREE_2M), P(0), P(1)), ST_SUCCESS);
	eq(fx_word_value(fx_w_pamt(f, FREE_4K, 0)), 0);
	page_is(f, FREE_4K, 0, PAMT_NDA, 0, 0);
	eq(pamt_type(fx_pamt(f, FREE_2M, 1)), PAMT_PAMT);
	eq(pamt_pair_page(fx_pamt(f, FREE_2M, 1), 0).v, P(0));
	eq(pamt_pair_page(fx_pamt(f, FREE_2M, 1), 1).v, P(1));
	eq(in_use(f, FREE_2M), 0);
	assert_true(is_pamt_page(f, P(0)) && is_pamt_page(f, P(1)) && !is_pamt_page(f, P(2)));
	/* Once more. */
	refused(f, add(f, RANGE(FREE_2M), P(2), P(3)), ST_RANGE_NOT_FREE);
	/* A page only once; not one that is in use; not one that is not there. */
	refused(f, add(f, RANGE(BIG), P(0), P(3)), ST_PAGE_TAKEN(R_RDX));
	refused(f, add(f, RANGE(BIG), P(3), P(1)), ST_PAGE_TAKEN(R_R8));
	refused(f, add(f, RANGE(BIG), P(3), P(3)), ST_PAGE_TAKEN(R_R8));
	refused(f, add(f, RANGE(BIG), P(3), FX_HPA(FX_PAGES + 600)), ST_PAGE_TAKEN(R_R8));
	fx_pair(f, FX_HPA(FX_AT_TD));
	is(SC(f, 0, tdh_mng_create, .rcx = FX_HPA(FX_AT_TD), .rdx = FX_MODULE_KEY + 1), ST_SUCCESS);
	refused(f, add(f, RANGE(BIG), FX_HPA(FX_AT_TD), P(3)), ST_PAGE_TAKEN(R_RDX));
	/* In the range itself. */
	is(add(f, RANGE(BIG), BIG, BIG + SL_PAGE_SIZE), ST_SUCCESS);
	is(take_back(f, RANGE(BIG)), ST_SUCCESS);
	eq(f->out.rdx, BIG);
	eq(f->out.r8, BIG + SL_PAGE_SIZE);
	assert_false(is_pamt_page(f, BIG));
	fx_down(f);
}

static void test_add_busy(void **state)
{
	struct fx *f = fx_up_bare(SL_PUBLISHED);

	(void)state;
	/* Any walk in the range is in its way: it has the 2 MB entry shared. */
	fx_hold(f, fx_w_pamt(f, FREE_2M, 1), false);
	refused(f, add(f, RANGE(FREE_2M), P(0), P(1)), ST_BUSY(R_RCX));
	fx_release_all(f);
	fx_hold(f, fx_w_pamt(f, FREE_2M, 2), true);
	refused(f, add(f, RANGE(FREE_2M), P(0), P(1)), ST_BUSY(R_RCX));
	fx_release_all(f);
	is(add(f, RANGE(FREE_2M), P(0), P(1)), ST_SUCCESS);
	fx_hold(f, fx_w_pamt(f, FREE_2M, 1), false);
	refused(f, take_back(f, RANGE(FREE_2M)), ST_BUSY(R_RCX));
	fx_release_all(f);
	/* The two pages: at their own entry, or at their 2 MB if that has no pair. */
	fx_hold(f, fx_w_pamt(f, P(0), 1), true);
	refused(f, add(f, RANGE(BIG), P(2), FREE_4K), ST_BUSY(R_RDX));
	refused(f, add(f, RANGE(BIG), FREE_4K, P(2)), ST_BUSY(R_R8));
	fx_release_all(f);
	fx_hold(f, fx_w_pamt(f, FREE_4K, 0), true);
	refused(f, add(f, RANGE(BIG), FREE_4K, P(2)), ST_BUSY(R_RDX));
	refused(f, add(f, RANGE(BIG), P(2), FREE_4K), ST_BUSY(R_R8));
	fx_release_all(f);
	fx_down(f);
}

/* ---- REMOVE --------------------------------------------------------------------------------------- */

static void test_remove(void **state)
{
	struct fx *f = fx_up_bare(SL_PUBLISHED);

	(void)state;
	refused(f, take_back(f, RANGE(FREE_2M)), ST_NO_PAIR);
	is(add(f, RANGE(FREE_2M), P(0), P(1)), ST_SUCCESS);
	is(take_back(f, RANGE(FREE_2M)), ST_SUCCESS);
	eq(f->out.rdx, P(0));
	eq(f->out.r8, P(1));
	page_is(f, FREE_2M, 1, PAMT_NDA, 0, 0);
	assert_false(is_pamt_page(f, P(0)) || is_pamt_page(f, P(1)));
	refused(f, take_back(f, RANGE(FREE_2M)), ST_NO_PAIR);
	/* Which page of the pair the first entry in use is on. */
	fx_pair(f, FREE_2M);
	is(SC(f, 0, tdh_mng_create, .rcx = FREE_2M + 256 * SL_PAGE_SIZE, .rdx = FX_MODULE_KEY + 1),
	   ST_SUCCESS);
	refused(f, take_back(f, RANGE(FREE_2M)), ST_PAIR_NOT_EMPTY(1));
	is(SC(f, 0, tdh_mng_create, .rcx = FREE_2M + 255 * SL_PAGE_SIZE, .rdx = FX_MODULE_KEY + 2),
	   ST_SUCCESS);
	refused(f, take_back(f, RANGE(FREE_2M)), ST_PAIR_NOT_EMPTY(0));
	eq(in_use(f, FREE_2M), 2);
	fx_down(f);
}

/* ---- a page without PAMT entry -------------------------------------------------------------------- */

struct td {
	struct fx *f;
	u64 tdr, vcpu;
};

/* One call, with @page where the pair is missing. */
typedef u64 (*missing_fn)(const struct td *t, u64 page);

#define CALL(name, leaf, ...)                          \
	static u64 name(const struct td *t, u64 page)  \
	{                                              \
		return SC(t->f, 0, leaf, __VA_ARGS__); \
	}
CALL(mng_create, tdh_mng_create, .rcx = page, .rdx = FX_MODULE_KEY + 2)
CALL(mng_addcx_1, tdh_mng_addcx, .rcx = P(9), .rdx = page)
CALL(mng_addcx_2, tdh_mng_addcx, .rcx = page, .rdx = t->tdr)
CALL(mng_key_config, tdh_mng_key_config, .rcx = page)
CALL(mng_init, tdh_mng_init, .rcx = page)
CALL(mng_rd, tdh_mng_rd, .rcx = page)
CALL(mng_wr, tdh_mng_wr, .rcx = page)
CALL(vpflushdone, tdh_mng_vpflushdone, .rcx = page)
CALL(freeid, tdh_mng_key_freeid, .rcx = page)
CALL(vp_create_1, tdh_vp_create, .rcx = P(9), .rdx = page)
CALL(vp_create_2, tdh_vp_create, .rcx = page, .rdx = t->tdr)
CALL(vp_addcx_1, tdh_vp_addcx, .rcx = P(9), .rdx = page)
CALL(vp_addcx_2, tdh_vp_addcx, .rcx = page, .rdx = t->vcpu)
CALL(vp_init, tdh_vp_init, .rcx = page)
CALL(vp_flush, tdh_vp_flush, .rcx = page)
CALL(vp_rd, tdh_vp_rd, .rcx = page)
CALL(vp_wr, tdh_vp_wr, .rcx = page)
CALL(vp_enter, tdh_vp_enter, .rcx = page)
CALL(sept_add_1, tdh_mem_sept_add, .rcx = PAGE_INFO(0, 3), .rdx = page, .r8 = P(9))
CALL(sept_add_2, tdh_mem_sept_add, .rcx = PAGE_INFO(4 * GPA, 2), .rdx = t->tdr, .r8 = page)
CALL(sept_rd, tdh_mem_sept_rd, .rcx = GPA, .rdx = page)
CALL(sept_remove, tdh_mem_sept_remove, .rcx = PAGE_INFO(0, 1), .rdx = page)
CALL(page_add_1, tdh_mem_page_add, .rcx = GPA, .rdx = page, .r8 = P(9), .r9 = FX_SOURCE)
CALL(page_add_2, tdh_mem_page_add, .rcx = GPA, .rdx = t->tdr, .r8 = page, .r9 = FX_SOURCE)
CALL(page_aug_1, tdh_mem_page_aug, .rcx = GPA, .rdx = page, .r8 = P(9))
CALL(page_aug_2, tdh_mem_page_aug, .rcx = GPA, .rdx = t->tdr, .r8 = page)
CALL(page_remove, tdh_mem_page_remove, .rcx = GPA, .rdx = page)
CALL(relocate_1, tdh_mem_page_relocate, .rcx = GPA, .rdx = page, .r8 = P(9))
CALL(relocate_2, tdh_mem_page_relocate, .rcx = GPA + SL_PAGE_SIZE, .rdx = t->tdr, .r8 = page)
CALL(demote_1, tdh_mem_page_demote, .rcx = PAGE_INFO(0, 1), .rdx = page, .r8 = P(9))
CALL(demote_2, tdh_mem_page_demote, .rcx = PAGE_INFO(2 * GPA, 1), .rdx = t->tdr, .r8 = page)
CALL(promote, tdh_mem_page_promote, .rcx = PAGE_INFO(0, 1), .rdx = page)
CALL(mem_rd, tdh_mem_rd, .rcx = GPA, .rdx = page)
CALL(mem_wr, tdh_mem_wr, .rcx = GPA, .rdx = page)
CALL(block, tdh_mem_range_block, .rcx = GPA, .rdx = page)
CALL(unblock, tdh_mem_range_unblock, .rcx = GPA, .rdx = page)
CALL(track, tdh_mem_track, .rcx = page)
CALL(extend, tdh_mr_extend, .rcx = GPA, .rdx = page)
CALL(finalize, tdh_mr_finalize, .rcx = page)
#undef CALL

static const struct missing {
	missing_fn call;
	u32 operand;
} missing[] = {
	{ mng_create, R_RCX },     { mng_addcx_1, R_RDX }, { mng_addcx_2, R_RCX },
	{ mng_key_config, R_RCX }, { mng_init, R_RCX },    { mng_rd, R_RCX },
	{ mng_wr, R_RCX },         { vpflushdone, R_RCX }, { freeid, R_RCX },
	{ vp_create_1, R_RDX },    { vp_create_2, R_RCX }, { vp_addcx_1, R_RDX },
	{ vp_addcx_2, R_RCX },     { vp_init, R_RCX },     { vp_flush, R_RCX },
	{ vp_rd, R_RCX },          { vp_wr, R_RCX },       { vp_enter, R_RCX },
	{ sept_add_1, R_RDX },     { sept_add_2, R_R8 },   { sept_rd, R_RDX },
	{ sept_remove, R_RDX },    { page_add_1, R_RDX },  { page_add_2, R_R8 },
	{ page_aug_1, R_RDX },     { page_aug_2, R_R8 },   { page_remove, R_RDX },
	{ relocate_1, R_RDX },     { relocate_2, R_R8 },   { demote_1, R_RDX },
	{ demote_2, R_R8 },        { promote, R_RDX },     { mem_rd, R_RDX },
	{ mem_wr, R_RDX },         { block, R_RDX },       { unblock, R_RDX },
	{ track, R_RCX },          { extend, R_RDX },      { finalize, R_RCX },
};

/* A TD that is not finalized yet, so that every leaf gets as far as its pages. */
static struct td ready(enum sl_flavour flavour)
{
	struct td t = { .f = fx_up_dynamic(flavour) };
	struct fx_td *td = &t.f->td[0];

	fx_td_initialized(t.f, td, 1);
	fx_sept(t.f, td, GPA, 0);
	fx_aug(t.f, td, GPA + SL_PAGE_SIZE, 0, fx_page_high(t.f));
	is(SC(t.f, 0, tdh_mem_range_block, .rcx = GPA + SL_PAGE_SIZE, .rdx = td->tdr), ST_SUCCESS);
	fx_aug(t.f, td, 2 * GPA, 1, BIG);
	is(SC(t.f, 0, tdh_mem_range_block, .rcx = PAGE_INFO(2 * GPA, 1), .rdx = td->tdr),
	   ST_SUCCESS);
	t.tdr = td->tdr;
	t.vcpu = fx_page_vp(t.f);
	is(SC(t.f, 0, tdh_vp_create, .rcx = t.vcpu, .rdx = t.tdr), ST_SUCCESS);
	return t;
}

static void test_missing(void **state)
{
	struct td t = ready(SL_PUBLISHED);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(missing); i++)
		refused(t.f, missing[i].call(&t, FREE_4K), ST_MISSING_PAIR(missing[i].operand));
	/* While somebody walks there an exclusive request is in the way at the 2 MB entry. */
	fx_hold(t.f, fx_w_pamt(t.f, FREE_2M, 1), false);
	refused(t.f, page_aug_2(&t, FREE_4K), ST_BUSY(R_R8));
	fx_release_all(t.f);
	fx_down(t.f);
}

/* A free page that holds PAMT entries is no page for anything else. */
static void test_pamt_page(void **state)
{
	struct td t = ready(SL_PUBLISHED);
	u64 page = fx_page_high(t.f);

	(void)state;
	is(add(t.f, RANGE(FREE_2M), page, P(0)), ST_SUCCESS);
	refused(t.f, page_aug_2(&t, page), ST_METADATA(R_R8));
	refused(t.f, vp_create_2(&t, page), ST_METADATA(R_RCX));
	refused(t.f, relocate_2(&t, page), ST_METADATA(R_R8));
	is(take_back(t.f, RANGE(FREE_2M)), ST_SUCCESS);
	is(page_aug_2(&t, page), ST_SUCCESS);
	/* Nor is a 2 MB page one around it. */
	is(add(t.f, RANGE(FREE_2M), FX_HPA(FX_AT_PAIRS + 512), P(0)), ST_SUCCESS);
	refused(t.f,
		SC(t.f, 0, tdh_mem_page_aug, .rcx = PAGE_INFO(3 * GPA, 1), .rdx = t.tdr,
		   .r8 = FX_HPA(FX_AT_PAIRS + 512)),
		ST_WALK_FAILED);
	fx_sept(t.f, &t.f->td[0], 3 * GPA, 1);
	refused(t.f,
		SC(t.f, 0, tdh_mem_page_aug, .rcx = PAGE_INFO(3 * GPA, 1), .rdx = t.tdr,
		   .r8 = FX_HPA(FX_AT_PAIRS + 512)),
		ST_METADATA(R_R8));
	/* And 2 MB that have a pair are no 2 MB page. */
	refused(t.f,
		SC(t.f, 0, tdh_mem_page_aug, .rcx = PAGE_INFO(3 * GPA, 1), .rdx = t.tdr,
		   .r8 = FREE_2M),
		ST_METADATA(R_R8));
	fx_down(t.f);
}

/* Leaves that take whatever page is there find the 2 MB. */
static void test_any_level(void **state)
{
	struct fx *f = fx_up_dynamic(SL_PUBLISHED);

	(void)state;
	is(SC(f, 0, tdh_phymem_page_rdmd, .rcx = FREE_4K), ST_SUCCESS);
	eq(f->out.rcx, PAMT_NDA);
	eq(f->out.r8, 1);
	is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = FREE_4K), ST_METADATA(R_RCX));
	is(SC(f, 0, tdh_phymem_page_wbinvd, .rcx = FREE_4K | (u64)FX_MODULE_KEY << SL_HKID_SHIFT),
	   ST_SUCCESS);
	fx_down(f);
}

/* ---- the page count -------------------------------------------------------------------------------- */

#define EMPTY_HINT (1ull << 62)

static void test_count(void **state)
{
	struct fx *f = fx_up_dynamic(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 sept, page[2];

	(void)state;
	fx_td_initialized(f, td, 1);
	eq(in_use(f, FX_HPA(FX_AT_TD)), 1 + FX_TDCX);
	eq(in_use(f, FX_HPA(FX_AT_VP)), 6);
	fx_sept(f, td, GPA, 0);
	sept = in_use(f, FX_HPA(FX_AT_SEPT));
	eq(sept, 3);
	page[0] = fx_page_high(f);
	page[1] = fx_page_high(f);
	is(SC(f, 0, tdh_mem_page_add, .rcx = GPA, .rdx = td->tdr, .r8 = page[0], .r9 = FX_SOURCE),
	   ST_SUCCESS);
	eq(in_use(f, page[0]), 1);
	fx_aug(f, td, GPA + SL_PAGE_SIZE, 0, page[1]);
	eq(in_use(f, page[0]), 2);
	/* To another range: the last of this one is told. */
	fx_pair(f, FREE_2M);
	is(SC(f, 0, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx, page[0]);
	is(SC(f, 0, tdh_mem_range_block, .rcx = GPA + SL_PAGE_SIZE, .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_page_relocate, .rcx = GPA + SL_PAGE_SIZE, .rdx = td->tdr,
	      .r8 = FREE_4K),
	   ST_SUCCESS);
	eq(f->out.rcx, page[1] | EMPTY_HINT);
	eq(in_use(f, page[0]), 0);
	eq(in_use(f, FREE_4K), 1);
	is(SC(f, 0, tdh_mem_range_block, .rcx = GPA + SL_PAGE_SIZE, .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA + SL_PAGE_SIZE, .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx, FREE_4K | EMPTY_HINT);
	/* S-EPT pages, and what is reclaimed. */
	is(SC(f, 0, tdh_mem_range_block, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_sept_remove, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.rcx & EMPTY_HINT, 0);
	eq(in_use(f, FX_HPA(FX_AT_SEPT)), sept - 1);
	fx_td_teardown(f, td);
	for (u64 i = 0; i < 6; i++) {
		is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = FX_HPA(FX_AT_VP + i)), ST_SUCCESS);
		eq(f->out.r9, i == 5 ? EMPTY_HINT : 0);
	}
	is(take_back(f, RANGE(FX_HPA(FX_AT_VP))), ST_SUCCESS);
	for (u64 i = 0; i < 2; i++)
		is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = FX_HPA(FX_AT_SEPT + i)), ST_SUCCESS);
	eq(f->out.r9, EMPTY_HINT);
	for (u64 i = 0; i < FX_TDCX; i++)
		is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = td->tdcx[i]), ST_SUCCESS);
	eq(f->out.r9, 0);
	is(SC(f, 0, tdh_phymem_page_reclaim, .rcx = td->tdr), ST_SUCCESS);
	eq(f->out.r9, EMPTY_HINT);
	fx_down(f);
}

/* ---- finding N1: the count goes down behind the type ------------------------------------------------ */

static u64 between;

static void take_range_back(struct fx *f, struct sl_lp *lp)
{
	struct tdx_module_args args = { .rcx = RANGE(FX_HPA(FX_AT_HIGH)) };

	(void)lp;
	between = seamcall(f->lp[1], SEAMCALL_tdh_phymem_pamt_remove, &args);
}

/* A page that is removed, in a 2 MB range where it is the only one. */
static struct fx *last_page(enum sl_flavour flavour, u64 *page)
{
	struct fx *f = fx_up_dynamic(flavour);
	struct fx_td *td = &f->td[0];

	fx_td_initialized(f, td, 1);
	*page = fx_page_high(f);
	fx_aug(f, td, GPA, 0, *page);
	is(SC(f, 0, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	return f;
}

/* At the write of the 2 MB entry's count the type has gone, at the one before it has not. */
static void test_remove_meets_remove(void **state)
{
	struct fx *f;
	u64 page;

	(void)state;
	f = last_page(SL_PUBLISHED, &page);
	/* The entry's lock is the first write to the PAMT page of the model, its type the second. */
	fx_trap_pamt(f, page, 1, take_range_back);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = f->td[0].tdr), ST_HALTED);
	is(between, ST_HALTED);
	eq(f->violations, 1);
	eq(f->kind, SL_VIOLATION_MODULE_HALT);
	f->violations_expected = 1;
	fx_down(f);
	/* Hardened: the page is in use until its lock is free. */
	f = last_page(SL_HARDENED, &page);
	fx_trap_pamt(f, page, 1, take_range_back);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = f->td[0].tdr), ST_SUCCESS);
	is(between, ST_PAIR_NOT_EMPTY(0));
	is(take_back(f, RANGE(FX_HPA(FX_AT_HIGH))), ST_SUCCESS);
	fx_down(f);
}

static void test_count_bounds(void **state)
{
	struct fx *f;
	u64 page;

	(void)state;
	f = last_page(SL_PUBLISHED, &page);
	/* Below 0. */
	pamt_set_bepoch(fx_pamt(f, page, 1), pamt_bepoch(fx_pamt(f, page, 1)) & ~PAMT_COUNT_MASK);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = f->td[0].tdr), ST_HALTED);
	f->violations_expected = 1;
	fx_down(f);
	/* Over 512. */
	f = last_page(SL_PUBLISHED, &page);
	pamt_set_bepoch(fx_pamt(f, page, 1),
			(pamt_bepoch(fx_pamt(f, page, 1)) & ~PAMT_COUNT_MASK) | 512);
	is(SC(f, 0, tdh_mem_page_aug, .rcx = GPA + SL_PAGE_SIZE, .rdx = f->td[0].tdr,
	      .r8 = fx_page_high(f)),
	   ST_HALTED);
	f->violations_expected = 1;
	fx_down(f);
	/* A page of the TD whose PAMT entry went away. */
	f = last_page(SL_PUBLISHED, &page);
	pamt_set_type(fx_pamt(f, page, 1), PAMT_NDA);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = f->td[0].tdr), ST_HALTED);
	f->violations_expected = 1;
	fx_down(f);
}

/* ---- DEMOTE and PROMOTE ------------------------------------------------------------------------------ */

static u64 split(struct fx *f, u64 table, u64 first, u64 second)
{
	return SC(f, 0, tdh_mem_page_demote, .rcx = PAGE_INFO(GPA, 1), .rdx = f->td[0].tdr,
		  .r8 = table, .r12 = first, .r13 = second);
}

static void test_resize(void **state)
{
	struct fx *f = fx_up_dynamic(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 table, used;

	(void)state;
	fx_td_initialized(f, td, 1);
	fx_aug(f, td, GPA, 1, BIG);
	table = fx_page_sept(f);
	used = in_use(f, table);
	is(split(f, table, P(0) | 8, P(1)), ST_INVALID(R_R12));
	is(split(f, table, P(0), P(1) | 8), ST_INVALID(R_R13));
	is(split(f, table, 0x1000, P(1)), ST_RANGE(R_R12));
	is(split(f, table, P(0), 0x1000), ST_RANGE(R_R13));
	is(split(f, table, td->tdr, P(1)), ST_PAGE_TAKEN(R_R12));
	is(split(f, table, P(0), td->tdr), ST_PAGE_TAKEN(R_R13));
	is(split(f, table, P(0), P(0)), ST_PAGE_TAKEN(R_R13));
	/* One in the 2 MB itself meets the caller's own lock, always. */
	is(split(f, table, BIG, P(0)), ST_BUSY(R_R12));
	assert_true(fx_word_hp(fx_w_pamt(f, BIG, 1)));
	is(split(f, table, P(0), BIG), ST_BUSY(R_R13));
	assert_false(is_pamt_page(f, P(0)));
	page_is(f, BIG, 1, PAMT_REG, td->tdr, 0);
	eq(in_use(f, table), used);
	is(split(f, table, P(0), P(1)), ST_SUCCESS);
	eq(in_use(f, table), used + 1);
	eq(in_use(f, BIG), 512);
	eq(pamt_type(fx_pamt(f, BIG, 1)), PAMT_PAMT);
	eq(pamt_pair_page(fx_pamt(f, BIG, 1), 1).v, P(1));
	page_is(f, BIG + SL_PAGE_SIZE, 0, PAMT_REG, td->tdr, 0);
	is(take_back(f, RANGE(BIG)), ST_PAIR_NOT_EMPTY(0));
	is(SC(f, 0, tdh_mem_range_block, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_page_promote, .rcx = PAGE_INFO(GPA, 1), .rdx = td->tdr), ST_SUCCESS);
	eq(f->out.r12, P(0));
	eq(f->out.r13, P(1));
	eq(f->out.rcx, table);
	eq(in_use(f, table), used);
	page_is(f, BIG, 1, PAMT_REG, td->tdr, 0);
	assert_false(is_pamt_page(f, P(0)) || is_pamt_page(f, P(1)));
	fx_down(f);
}

/* ---- plans -------------------------------------------------------------------------------------------- */

static void test_plans(void **state)
{
	static const u32 leaf[] = { SEAMCALL_tdh_phymem_pamt_add, SEAMCALL_tdh_phymem_pamt_remove };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(leaf); i++) {
		const struct lock_step *s = lock_plan(SL_RELEASE_1_5_25, false, leaf[i], 0);

		assert_null(lock_plan(SL_RELEASE_1_5_01, false, leaf[i], 0));
		eq(s[0].object, LOCK_LARGE_PAGE);
		eq(s[0].mode, LOCK_EX);
		is(s[0].busy, ST_BUSY(R_RCX));
		if (i == 0) {
			is(s[1].busy, ST_BUSY(R_RDX));
			is(s[2].busy, ST_BUSY(R_R8));
		}
		eq(s[i == 0 ? 3 : 1].object, LOCK_END);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),          cmocka_unit_test(test_add_operands),
		cmocka_unit_test(test_add),          cmocka_unit_test(test_add_busy),
		cmocka_unit_test(test_remove),       cmocka_unit_test(test_missing),
		cmocka_unit_test(test_pamt_page),    cmocka_unit_test(test_any_level),
		cmocka_unit_test(test_count),        cmocka_unit_test(test_remove_meets_remove),
		cmocka_unit_test(test_count_bounds), cmocka_unit_test(test_resize),
		cmocka_unit_test(test_plans),
	};

	return cmocka_run_group_tests_name("module: dynamic PAMT", tests, NULL, NULL);
}
