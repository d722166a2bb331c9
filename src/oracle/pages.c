// SPDX-License-Identifier: MIT
/* What is looked at while the module works: pages, translations, measurement. Layer: oracle. */
#include "oracle/pages.h"

#include <string.h>

#include "base/arena.h"
#include "module/sept.h"

#define BROKEN(lp, id, ...) \
	env_violate((lp)->env, SL_VIOLATION_ORACLE, oracle_name(INV_##id), __VA_ARGS__)

static struct oracle *oracle_of(const struct sl_lp *lp)
{
	return (struct oracle *)(uintptr_t)lp->machine->hooks;
}

static unsigned long long ull(u64 v)
{
	return v;
}

/* ---- pages that come and go ---------------------------------------------------------------- */

/* The record of @page, @level or of a page that lies in it or around it: somebody has it. 0: nobody. */
static u64 who_has(const struct oracle *o, struct hpa page, u32 level)
{
	for (u32 above = 2; above > level; above--) {
		u64 rec = rec_read(o, page, above);

		if (rec)
			return rec;
	}
	for (u32 i = 0; level == 1 && i < SL_ENTRIES; i++) {
		u64 rec = rec_read(o, (struct hpa){ page.v + i * SL_PAGE_SIZE }, 0);

		if (rec)
			return rec;
	}
	return 0;
}

static void taken_twice(struct sl_lp *lp, const struct commit *x, u64 rec)
{
	if ((rec & REC_MAPPED) && rec_belongs(rec, x->tdr))
		BROKEN(lp, PAGE_02,
		       "page 0x%llx, mapped at GPA 0x%llx, gets mapped at GPA 0x%llx of the same TD",
		       ull(x->page.v), ull(rec_gpa(rec).v), ull(x->gpa.v));
	else
		BROKEN(lp, PAGE_01,
		       "TD 0x%llx takes page 0x%llx (level %u), some of which TD 0x%llx has",
		       ull(x->tdr.v), ull(x->page.v), x->level, ull(rec_tdr(rec).v));
}

static void take(struct oracle *o, struct sl_lp *lp, const struct commit *x, u64 rec)
{
	u64 old = who_has(o, x->page, x->level);
	u64 own =
		atomic_exchange_explicit(rec_at(o, x->page, x->level),
					 rec | REC_OWNED | rec_owner(x->tdr), memory_order_relaxed);

	if (own || old)
		taken_twice(lp, x, own ? own : old);
}

static void give(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 rec = atomic_exchange_explicit(rec_at(o, x->page, x->level), 0, memory_order_relaxed);

	if (!rec_belongs(rec, x->tdr))
		BROKEN(lp, PAGE_01,
		       "page 0x%llx (level %u) is taken from TD 0x%llx, which does not have it",
		       ull(x->page.v), x->level, ull(x->tdr.v));
	else if (x->kind == COMMIT_REMOVE && !rec_is(rec, x->tdr, x->gpa))
		BROKEN(lp, PAGE_02,
		       "page 0x%llx, mapped at GPA 0x%llx, is removed from GPA 0x%llx too",
		       ull(x->page.v), ull(rec_gpa(rec).v), ull(x->gpa.v));
}

static void accept(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 rec = atomic_fetch_or_explicit(rec_at(o, x->page, x->level), REC_ACCEPTED,
					   memory_order_relaxed);

	if (!rec_is(rec, x->tdr, x->gpa))
		BROKEN(lp, PAGE_01,
		       "TD 0x%llx accepts page 0x%llx at GPA 0x%llx, which it does not have there",
		       ull(x->tdr.v), ull(x->page.v), ull(x->gpa.v));
	else if (rec & REC_ACCEPTED)
		BROKEN(lp, ACCEPT_01, "page 0x%llx at GPA 0x%llx is accepted again", ull(x->page.v),
		       ull(x->gpa.v));
}

/* Contents come along, accepted or not. */
static void relocate(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 from = rec_read(o, x->from, 0);
	struct commit left = *x;

	left.kind = COMMIT_REMOVE;
	left.page = x->from;
	give(o, lp, &left);
	take(o, lp, x, REC_MAPPED | rec_gfn(x->gpa) | (from & REC_ACCEPTED));
}

/* ---- pages of the PAMT (dynamic PAMT) ----------------------------------------------------------- */

static void pamt_take(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 old = who_has(o, x->page, 0);
	u64 own = atomic_exchange_explicit(rec_at(o, x->page, 0), rec_pamt(x->from),
					   memory_order_relaxed);

	if (own || old)
		BROKEN(lp, PAGE_01,
		       "page 0x%llx is to hold PAMT entries of 0x%llx, and somebody has it",
		       ull(x->page.v), ull(x->from.v));
}

/* Whoever still has a lock there will write into a page that is the VMM's. */
static void pamt_entries_unused(struct oracle *o, struct sl_lp *lp, struct hpa range)
{
	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct hpa page = { range.v + i * SL_PAGE_SIZE };
		const sharex_hp_t *lock = &mem_pamt(o->m, page, 0)->lock;

		env_observe(lp->env, &lock->word);
		if (atomic_load_explicit(&lock->word, memory_order_relaxed) & ~SHAREX_HP_PRIORITY) {
			BROKEN(lp, PAMT_02,
			       "PAMT entry of page 0x%llx is locked, and the page that holds it goes",
			       ull(page.v));
			return;
		}
	}
}

static void pamt_give(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 rec = atomic_exchange_explicit(rec_at(o, x->page, 0), 0, memory_order_relaxed);

	if (rec != rec_pamt(x->from))
		BROKEN(lp, PAGE_01,
		       "page 0x%llx is given back as one that held PAMT entries of 0x%llx, which it did not",
		       ull(x->page.v), ull(x->from.v));
	/* Once for the pair. */
	if (pamt_pair_page(mem_pamt(o->m, x->from, 1), 0).v == x->page.v)
		pamt_entries_unused(o, lp, x->from);
}

/* ---- pages that change their size --------------------------------------------------------------- */

static struct hpa piece(struct hpa page, u32 level, u32 i)
{
	return (struct hpa){ page.v + i * SL_LEVEL_SIZE(level - 1) };
}

static void demote(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 rec = atomic_exchange_explicit(rec_at(o, x->page, x->level), 0, memory_order_relaxed);

	if (!rec_is(rec, x->tdr, x->gpa))
		BROKEN(lp, PAGE_02, "page 0x%llx (level %u) is not mapped at GPA 0x%llx alone",
		       ull(x->page.v), x->level, ull(x->gpa.v));
	for (u32 i = 0; i < SL_ENTRIES; i++)
		atomic_store_explicit(rec_at(o, piece(x->page, x->level, i), x->level - 1),
				      rec + ((u64)i * SL_LEVEL_PAGES(x->level - 1)
					     << REC_GFN_SHIFT),
				      memory_order_relaxed);
}

static void promote(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	u64 first = rec_read(o, x->page, x->level - 1);
	bool good = rec_is(first, x->tdr, x->gpa), accepted = true;

	for (u32 i = 0; i < SL_ENTRIES; i++) {
		u64 rec = atomic_exchange_explicit(rec_at(o, piece(x->page, x->level, i),
							  x->level - 1),
						   0, memory_order_relaxed);
		u64 want = first + ((u64)i * SL_LEVEL_PAGES(x->level - 1) << REC_GFN_SHIFT);

		good = good && !((rec ^ want) & ~REC_ACCEPTED);
		accepted = accepted && (rec & REC_ACCEPTED);
	}
	if (!good)
		BROKEN(lp, PAGE_02,
		       "512 pages from 0x%llx on are not those mapped from GPA 0x%llx on",
		       ull(x->page.v), ull(x->gpa.v));
	if (!accepted && (first & REC_ACCEPTED))
		BROKEN(lp, ACCEPT_01,
		       "some of the 512 pages at GPA 0x%llx that become one have not been accepted",
		       ull(x->gpa.v));
	atomic_store_explicit(rec_at(o, x->page, x->level), first, memory_order_relaxed);
}

/* ---- measurement --------------------------------------------------------------------------- */

/* The architecture's records: a name padded to 16 bytes, then a GPA, zeros to 128. */
static void record(struct td_measurement *t, const char *name, size_t size, struct gpa gpa)
{
	u8 bytes[128] = { 0 };

	memcpy(bytes, name, size);
	memcpy(bytes + 16, &gpa.v, sizeof(gpa.v));
	sha384_add(&t->digest, bytes, sizeof(bytes));
}

static void extend(struct td_measurement *t, const struct commit *x)
{
	u8 chunk[256] = { 0 };

	record(t, "MR.EXTEND", 9, x->gpa);
	if (x->data)
		memcpy(chunk, x->data, sizeof(chunk));
	sha384_add(&t->digest, chunk, sizeof(chunk));
}

static void finalize(struct sl_lp *lp, struct td_measurement *t, const struct tdcs *tdcs,
		     const struct commit *x)
{
	u8 want[SHA384_SIZE], have[SHA384_SIZE];

	sha384_end(&t->digest, want);
	memcpy(have, tdcs->mrtd, sizeof(have));
	if (!t->begun || memcmp(want, have, sizeof(want)))
		BROKEN(lp, MEASURE_01,
		       "MRTD of TD 0x%llx is not that of the calls that have succeeded",
		       ull(x->tdr.v));
	t->begun = false;
}

static void measure(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	const struct tdr *tdr = mem_frame(o->m, x->tdr);
	struct td_measurement *t = &o->td[tdr->hkid % SL_HKIDS];

	if (!o->m->cfg.measurement)
		return;
	switch (x->kind) {
	case COMMIT_INIT:
		sha384_begin(&t->digest);
		t->begun = true;
		break;
	case COMMIT_ADD:
		record(t, "MEM.PAGE.ADD", 12, x->gpa);
		break;
	case COMMIT_EXTEND:
		extend(t, x);
		break;
	default:
		finalize(lp, t, tdr_tdcs(o->m, tdr), x);
		break;
	}
}

/* ---- what the module tells ------------------------------------------------------------------ */

static void added(struct oracle *o, struct sl_lp *lp, const struct commit *x)
{
	const struct tdcs *tdcs = tdr_tdcs(o->m, mem_frame(o->m, x->tdr));

	take(o, lp, x, REC_MAPPED | REC_ACCEPTED | rec_gfn(x->gpa));
	measure(o, lp, x);
	if (tdcs->op_state != OP_INITIALIZED)
		BROKEN(lp, ACCEPT_01,
		       "page 0x%llx is added at GPA 0x%llx of a TD that may run already",
		       ull(x->page.v), ull(x->gpa.v));
}

static void on_commit(struct sl_lp *lp, const struct commit *x)
{
	struct oracle *o = oracle_of(lp);

	switch (x->kind) {
	case COMMIT_CONTROL:
		take(o, lp, x, 0);
		break;
	case COMMIT_ADD:
		added(o, lp, x);
		break;
	case COMMIT_AUG:
		take(o, lp, x, REC_MAPPED | rec_gfn(x->gpa));
		break;
	case COMMIT_ACCEPT:
		accept(o, lp, x);
		break;
	case COMMIT_RELOCATE:
		relocate(o, lp, x);
		break;
	case COMMIT_DEMOTE:
		demote(o, lp, x);
		break;
	case COMMIT_PROMOTE:
		promote(o, lp, x);
		break;
	case COMMIT_REMOVE:
	case COMMIT_FREE:
		give(o, lp, x);
		break;
	case COMMIT_PAMT_ADD:
		pamt_take(o, lp, x);
		break;
	case COMMIT_PAMT_REMOVE:
		pamt_give(o, lp, x);
		break;
	case COMMIT_INIT:
	case COMMIT_EXTEND:
	case COMMIT_FINALIZE:
		measure(o, lp, x);
		break;
	}
}

static void on_leaked(struct sl_lp *lp, const char *leaf, u64 status, u32 words)
{
	BROKEN(lp, LOCK_03, "%s returns 0x%016llx with %d lock words of its own still held", leaf,
	       ull(status), (int)words);
}

/*
 * Where does the S-EPT map @gpa now? *at is the leaf's entry, blocked or not; or the entry at which the
 * walk ends. An oracle only looks: nothing that the explorer takes for something the lane has seen, and
 * no access that a thread sanitizer takes for the model's own, hence not instrumented.
 */
__attribute__((no_sanitize("thread"))) static u64 look_up(const struct sl_lp *lp, u64 gpa,
							  u32 *level, const u64 **at)
{
	const u64 *table =
		(const u64 *)(lp->machine->mem.frames + (lp->tdcs->sept_root.v - SL_PRIVATE_BASE));
	u64 entry;

	for (*level = lp->tdcs->page_walk;; --*level) {
		*at = &table[gpa >> SL_LEVEL_SHIFT(*level) & (SL_ENTRIES - 1)];
		entry = __atomic_load_n(*at, __ATOMIC_RELAXED);
		if (*level == 0 || (entry & SEPT_PS) || !(entry & SEPT_RWX))
			return entry;
		table = (const u64 *)(lp->machine->mem.frames +
				      ((entry & SEPT_HPA_MASK) - SL_PRIVATE_BASE));
	}
}

static bool still_there(struct sl_lp *lp, struct gpa gpa, struct hpa page)
{
	const u64 *at;
	u64 entry, offset;
	u32 level;

	/* The access may come at any time after the translation was cached. */
	look_up(lp, gpa.v, &level, &at);
	env_observe(lp->env, at);
	entry = look_up(lp, gpa.v, &level, &at);
	offset = gpa.v & (SL_LEVEL_SIZE(level) - 1) & ~SL_PAGE_MASK;
	/* Under a blocked table the leaf cannot be seen, and cannot have been removed either. */
	if (!(entry & SEPT_PS) && level != 0 && !(entry & SEPT_RWX) &&
	    (entry & SEPT_STATE_MASK) == sept_state_raw(SEPT_NL_BLOCKED))
		return true;
	return (entry & SEPT_PS) &&
	       (entry & SEPT_HPA_MASK & ~(SL_LEVEL_SIZE(level) - 1)) + offset == page.v;
}

/*
 * A translation in use keeps its page: it leaves the TD, or changes its size, only after the vCPU has
 * left. So its record stands still, as long as the module keeps the promise.
 */
static void on_translate(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 level, bool cached)
{
	const struct oracle *o = oracle_of(lp);
	struct gpa start = { gpa.v & ~(SL_LEVEL_SIZE(level) - 1) };
	u64 rec;

	if (cached && !still_there(lp, gpa, page)) {
		BROKEN(lp, TLB_01,
		       "LP %u uses GPA 0x%llx -> HPA 0x%llx, which was taken from its TD",
		       lp->index, ull(gpa.v), ull(page.v));
		return;
	}
	rec = rec_read(o, page, level);
	if (!rec_is(rec, lp->tdr_hpa, start))
		BROKEN(lp, TLB_01,
		       "LP %u uses GPA 0x%llx -> HPA 0x%llx, which its TD does not have", lp->index,
		       ull(gpa.v), ull(page.v));
	else if (!(rec & REC_ACCEPTED))
		BROKEN(lp, ACCEPT_01,
		       "LP %u uses GPA 0x%llx -> HPA 0x%llx, which was never accepted", lp->index,
		       ull(gpa.v), ull(page.v));
}

/* ---- making one ----------------------------------------------------------------------------- */

static u64 blocks_of(const struct sl_machine_config *cfg)
{
	return sl_align_up(cfg->private_pages, SL_LEVEL_PAGES(2)) / SL_LEVEL_PAGES(2);
}

size_t oracle_size(const struct sl_machine_config *cfg)
{
	u64 records = cfg->private_pages + blocks_of(cfg) * (SL_ENTRIES + 1);

	return sl_align_up(sizeof(struct oracle) + records * sizeof(u64) + 4 * SL_PAGE_SIZE,
			   SL_PAGE_SIZE);
}

struct oracle *oracle_init(void *room, struct sl_machine *m)
{
	struct sl_arena a = { .base = room, .size = oracle_size(&m->cfg) };
	struct oracle *o = sl_arena_alloc(&a, sizeof(*o), SL_CACHELINE);

	o->m = m;
	for (u32 level = 0; level < 3; level++)
		o->rec[level] =
			sl_arena_alloc(&a, rec_count(&m->mem, level) * sizeof(u64), SL_CACHELINE);
	o->hooks.translate = on_translate;
	o->hooks.commit = on_commit;
	o->hooks.leaked = on_leaked;
	m->hooks = &o->hooks;
	return o;
}
