/* SPDX-License-Identifier: MIT */
/*
 * What a leaf has to do besides taking its locks, for timing that alone: the module's own functions, on
 * the call's own operands before it is made, where that changes nothing, else on data set aside. Which
 * leaf does what is in works[]; what is not timed there stands in its text in brackets.
 */
#ifndef SL_BENCH_WORK_H
#define SL_BENCH_WORK_H

#include "module/call.h"
#include "module/kot.h"
#include "module/metadata.h"
#include "module/pamt.h"
#include "module/sept.h"
#include "module/td_params.h"
#include "module/tlb.h"
#include "module/track.h"
#include "module/vcpu.h"

#include <string.h>

enum work {
	WORK_NONE,
	WORK_WALK,       /* to the call's S-EPT entry */
	WORK_COMMIT,     /* writes the entry, which stays locked */
	WORK_CHILD,      /* counts a page of the TD's, in CHLDCNT */
	WORK_VCPU,       /* counts a vCPU that the TD has from now on */
	WORK_ASSOC,      /* counts a vCPU that comes to an LP or leaves it */
	WORK_EPOCH,      /* epoch and counts in one 16-byte read */
	WORK_COUNT,      /* a vCPU counts itself in and out */
	WORK_FIELD,      /* finds a field by its id and reads it */
	WORK_FLUSH,      /* of the TLB */
	WORK_FILL,       /* a S-EPT page with FREE entries */
	WORK_LOOK,       /* at the states of 512 entries */
	WORK_SPLIT,      /* a S-EPT page with the pieces of a large page */
	WORK_PAMT,       /* writes the PAMT entries of those */
	WORK_PARAMS,     /* copies TD_PARAMS and looks at what has to be zero there */
	WORK_TD,         /* writes the TDCS, and begins SHA-384 */
	WORK_FLUSHED,    /* looks at the states of 64 HKIDs */
	WORK_WRITTEN,    /* clears a bit of each that has been flushed */
	WORK_CLEAR_TDR,  /* with zeros */
	WORK_CLEAR_TDCS, /* likewise */
	WORK_CLEAR_VP,   /* likewise */
	WORK_SHA_ADD,    /* SHA-384 of so many bytes more */
	WORK_SHA_END,    /* the last of a SHA-384 */
	WORK_SHA_OF,     /* SHA-384 of so many bytes at once */
	WORK_HMAC,       /* HMAC-SHA-256 of so many bytes */
};

#define WORKS_MAX 7
#define WORK_SHA  32u /* digests in progress, used in turn */
#define WORK_DATA 512u

struct leaf_work {
	bool guest;
	u32 leaf;
	struct {
		enum work kind;
		u32 size;
	} work[WORKS_MAX]; /* walks first */
	const char *does;
};

#define HOST_WORK(ident)  .leaf = SEAMCALL_##ident
#define GUEST_WORK(ident) .guest = true, .leaf = TDCALL_##ident
#define WALK                 \
	{                    \
		WORK_WALK, 0 \
	}
#define COMMIT                 \
	{                      \
		WORK_COMMIT, 0 \
	}
#define CHILD                 \
	{                     \
		WORK_CHILD, 0 \
	}
#define EPOCH                 \
	{                     \
		WORK_EPOCH, 0 \
	}
#define FIELD                 \
	{                     \
		WORK_FIELD, 0 \
	}

/* In brackets: not timed alone. */
static const struct leaf_work works[] = {
	{ HOST_WORK(tdh_mng_create), { { WORK_CLEAR_TDR, 0 } }, "clears the TDR" },
	{ HOST_WORK(tdh_mng_addcx),
	  { CHILD, { WORK_CLEAR_TDCS, 0 }, { WORK_FILL, 0 } },
	  "counts the page; clears the TDCS or fills the S-EPT root: one call in six each" },
	{ HOST_WORK(tdh_mng_init),
	  { { WORK_PARAMS, 0 }, { WORK_TD, 0 } },
	  "copies 1 KB, of which most has to be zero; writes the TDCS, begins SHA-384" },
	{ HOST_WORK(tdh_vp_create),
	  { CHILD, { WORK_CLEAR_VP, 0 } },
	  "counts the page; clears the TDVPS" },
	{ HOST_WORK(tdh_vp_addcx), { CHILD }, "counts the page" },
	{ HOST_WORK(tdh_vp_init),
	  { { WORK_VCPU, 0 }, { WORK_ASSOC, 0 } },
	  "counts the vCPU, twice" },
	{ HOST_WORK(tdh_vp_flush),
	  { { WORK_FLUSH, 0 }, { WORK_ASSOC, 0 } },
	  "flushes the TLB; counts the vCPU" },
	{ HOST_WORK(tdh_vp_enter),
	  { { WORK_COUNT, 0 } },
	  "counts itself in and out of the epoch [world switch]" },
	{ HOST_WORK(tdh_mem_sept_add),
	  { WALK, { WORK_FILL, 0 }, COMMIT, CHILD },
	  "walk; fills 512 entries; writes the entry; counts the page" },
	{ HOST_WORK(tdh_mem_sept_remove),
	  { WALK, EPOCH, { WORK_LOOK, 0 }, CHILD },
	  "walk; reads the epoch; looks at 512 entries; counts the page" },
	{ HOST_WORK(tdh_mem_page_add),
	  { WALK, { WORK_SHA_ADD, 128 }, CHILD },
	  "walk; SHA-384 of 128 bytes; counts the page" },
	{ HOST_WORK(tdh_mr_extend),
	  { WALK, { WORK_SHA_ADD, 128 }, { WORK_SHA_ADD, 256 } },
	  "walk; SHA-384 of 128 and of 256 bytes" },
	{ HOST_WORK(tdh_mr_finalize), { { WORK_SHA_END, 0 } }, "ends SHA-384" },
	{ HOST_WORK(tdh_mem_page_aug), { WALK, CHILD }, "walk; counts the page" },
	{ HOST_WORK(tdh_mem_page_remove),
	  { WALK, EPOCH, CHILD },
	  "walk; reads the epoch; counts the page" },
	{ HOST_WORK(tdh_mem_page_relocate),
	  { WALK, EPOCH, COMMIT },
	  "walk; reads the epoch; writes the entry" },
	{ HOST_WORK(tdh_mem_page_demote),
	  { WALK, EPOCH, { WORK_SPLIT, 0 }, { WORK_PAMT, 0 }, COMMIT, CHILD },
	  "walk; reads the epoch; fills 512 entries; writes 512 PAMT entries, the entry; counts the page" },
	{ HOST_WORK(tdh_mem_page_promote),
	  { WALK, EPOCH, COMMIT, CHILD },
	  "walk; reads the epoch; writes the entry; counts the page [compares 512 entries, writes 512 PAMT entries]" },
	{ HOST_WORK(tdh_mem_range_block), { WALK, COMMIT }, "walk; writes the entry" },
	{ HOST_WORK(tdh_mem_range_unblock), { WALK, EPOCH }, "walk; reads the epoch" },
	{ HOST_WORK(tdh_mem_sept_rd), { WALK }, "walk" },
	{ HOST_WORK(tdh_mem_rd), { WALK }, "walk" },
	{ HOST_WORK(tdh_mem_wr), { WALK }, "walk" },
	{ HOST_WORK(tdh_mng_rd), { FIELD }, "finds a field by its id" },
	{ HOST_WORK(tdh_mng_wr), { FIELD }, "finds a field by its id" },
	{ HOST_WORK(tdh_vp_rd), { FIELD }, "finds a field by its id" },
	{ HOST_WORK(tdh_vp_wr), { FIELD }, "finds a field by its id" },
	{ HOST_WORK(tdh_phymem_page_reclaim), { CHILD }, "counts the page" },
	{ HOST_WORK(tdh_phymem_cache_wb),
	  { { WORK_FLUSHED, 0 }, { WORK_WRITTEN, 0 } },
	  "looks at the states of 64 HKIDs; clears a bit of 15 of them" },
	{ GUEST_WORK(tdg_mem_page_accept), { WALK, COMMIT }, "walk; writes the entry" },
	{ GUEST_WORK(tdg_mem_page_attr_rd), { WALK }, "walk" },
	{ GUEST_WORK(tdg_mem_page_attr_wr), { WALK }, "walk" },
	{ GUEST_WORK(tdg_mr_rtmr_extend),
	  { WALK, { WORK_SHA_OF, 96 } },
	  "walk; SHA-384 of 96 bytes" },
	{ GUEST_WORK(tdg_mr_report),
	  { WALK, WALK, { WORK_SHA_OF, 239 }, { WORK_HMAC, 224 } },
	  "two walks; SHA-384 of 239, HMAC-SHA-256 of 224 bytes [builds 1 KB]" },
	{ GUEST_WORK(tdg_vm_rd), { FIELD }, "finds a field by its id" },
	{ GUEST_WORK(tdg_vm_wr), { FIELD }, "finds a field by its id" },
};

#undef HOST_WORK
#undef GUEST_WORK
#undef WALK
#undef COMMIT
#undef CHILD
#undef EPOCH
#undef FIELD

/* What the work is done on. */
struct work_place {
	struct sl_lp *lp;
	struct tdcs *tdcs;
	struct md md;
	u64 field;                      /* id */
	struct call call;               /* in which entries are written */
	struct tdr tdr;                 /* whose pages are counted */
	struct tdcs counts;             /* whose vCPUs are */
	struct kot_entry kot[SL_HKIDS]; /* whose bits are cleared */
	struct sha384 sha[WORK_SHA];    /* in progress */
	const void *from;               /* TD_PARAMS, the VMM's */
	struct td_params params;
	u64 hkids;
	u8 data[WORK_DATA];
	u64 sink; /* so that none of it is left out */
};

static inline const struct leaf_work *leaf_work(bool guest, u32 leaf)
{
	for (u32 i = 0; i < ARRAY_SIZE(works); i++)
		if (works[i].guest == guest && works[i].leaf == leaf)
			return &works[i];
	return NULL;
}

/* Digests in progress, which ending them uses up. */
static inline void work_prepare(struct work_place *p, const struct leaf_work *w)
{
	for (u32 k = 0; k < WORKS_MAX; k++)
		for (u32 i = 0; i < WORK_SHA && w->work[k].kind == WORK_SHA_END; i++)
			sha384_begin(&p->sha[i]);
}

/* Is it that call's, the @nth of those in a row? TDH.MNG.ADDCX does not do the same each time. */
static inline bool work_is_of(const struct leaf_work *w, u32 k, u32 nth)
{
	if (w->guest || w->leaf != SEAMCALL_tdh_mng_addcx)
		return true;
	if (w->work[k].kind == WORK_CHILD)
		return true;
	return nth % TDCX_MIN == (w->work[k].kind == WORK_FILL ? TDCX_SEPT_ROOT : 0);
}

/* The walks of a call, about the entry at @level for @gpa: to be done before that is locked. */
SL_INLINE void work_walk(struct work_place *p, const struct leaf_work *w, u64 gpa, u32 level)
{
	for (u32 k = 0; w->work[k].kind == WORK_WALK; k++)
		p->sink += sept_walk(p->lp->machine, p->tdcs, (struct gpa){ gpa }, level).copy;
}

/* Of TDH.MNG.INIT: the TDCS is the call's, which comes to it uninitialised. */
static inline void work_td(struct work_place *p, const struct tdr *tdr)
{
	struct tdcs *tdcs = tdr_tdcs(p->lp->machine, tdr);

	td_params_apply(&p->call, tdr, tdcs, &p->params);
	tdcs->op_state = OP_UNINITIALIZED;
}

/*
 * The rest of the work of the @nth call of those in a row, which is about the TD @tdr and @page and has
 * locked @entry.
 */
SL_INLINE void work_do(struct work_place *p, const struct leaf_work *w, u32 nth,
		       const struct tdr *tdr, struct hpa page, _Atomic u64 *entry)
{
	struct entry_ref e = { .entry = entry, .locked = true };
	struct sl_machine *m = p->lp->machine;
	u64 value;

	for (u32 k = 0; k < WORKS_MAX && w->work[k].kind; k++) {
		u32 size = w->work[k].size;

		if (!work_is_of(w, k, nth))
			continue;
		switch (w->work[k].kind) {
		case WORK_COMMIT:
			entry_commit(&p->call, &e, *entry, true);
			break;
		case WORK_CHILD:
			tdr_count_up(&p->tdr, 1);
			break;
		case WORK_VCPU:
			p->sink += vcpu_index_take(&p->counts);
			break;
		case WORK_ASSOC:
			vcpu_count_up(&p->counts);
			break;
		case WORK_EPOCH:
			p->sink += td_is_tracked(p->tdcs, 1);
			break;
		case WORK_COUNT:
			value = epoch_read(p->tdcs);
			epoch_enter(p->tdcs, value);
			epoch_leave(p->lp, p->tdcs, value);
			break;
		case WORK_FIELD:
			p->sink += md_read(&p->md, p->field, &value, NULL);
			p->sink += value;
			break;
		case WORK_FLUSH:
			tlb_flush(p->lp);
			break;
		case WORK_FILL:
			sept_page_init(m, page);
			break;
		case WORK_LOOK:
			p->sink += sept_page_is_free(m, page);
			break;
		case WORK_SPLIT:
			sept_page_split(m, page, *entry, 1);
			break;
		case WORK_PAMT:
			pamt_children_init(m, sept_leaf_hpa(*entry, 1), 1, page);
			break;
		case WORK_PARAMS:
			memcpy(&p->params, p->from, sizeof(p->params));
			p->sink += td_params_check_zeros(&p->params, &value);
			break;
		case WORK_TD:
			work_td(p, tdr);
			break;
		case WORK_FLUSHED:
			p->hkids = kot_flushed(m->kot);
			break;
		case WORK_WRITTEN:
			kot_written_back(p->kot, p->hkids, p->lp->package);
			break;
		case WORK_CLEAR_TDR:
			memset(mem_frame(m, page), 0, sizeof(struct tdr));
			break;
		case WORK_CLEAR_TDCS:
			memset(mem_frame(m, page), 0, sizeof(struct tdcs));
			break;
		case WORK_CLEAR_VP:
			memset(mem_frame(m, page), 0, sizeof(struct tdvps));
			break;
		case WORK_SHA_ADD:
			sha384_add(&p->sha[nth % WORK_SHA], p->data, size);
			break;
		case WORK_SHA_END:
			sha384_end(&p->sha[nth % WORK_SHA], p->data);
			break;
		case WORK_SHA_OF:
			sha384_of(p->data, size, p->data);
			break;
		case WORK_HMAC:
			hmac256_of("the report key of no processor", 30, p->data, size, p->data);
			break;
		default:
			break;
		}
	}
}

#endif
