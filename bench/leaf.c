// SPDX-License-Identifier: MIT
/*
 * What a leaf costs besides its locks, and how many calls a hostile host gets through: parts of the
 * section "module".
 *
 *  leaves:  each leaf's successful call, nobody in its way, against the lock operations of its plan on
 *           the same words alone, and against those with the work that the leaf is there for done while
 *           the locks are held (work.h); one core, contents off, no oracle
 *  hostile: random SEAMCALLs and TDCALLs on four LPs, a thread each, all oracles on (hostile.h)
 *
 * A TD is built, run and torn down again and again; a leaf is called for many pages in a row where it
 * can be, and others are built and torn down with it for what a TD needs once. Ratios are medians over
 * those lives. The locks are taken once to warm up, and so is the leaf called.
 */
#include "leaf.h"
#include "env.h"
#include "work.h"

#include <pthread.h>

#include <seamlab/hplock.h>

#include "module/machine.h"
#include "module/plan.h"
#include "module/sept.h"
#include "../tests/fuzz/hostile.h"

#define LIVES_MAX 401
#define BATCH     512u
#define PIECE     32u
#define OPS_MAX   520u

/* Page numbers, and GPAs in pages. */
#define AT_TDCX    1u
#define AT_TDVPR   8u
#define AT_VCX     9u
#define AT_SEPT    16u
#define AT_TABLES  32u
#define AT_DATA    512u
#define AT_TARGET  1024u
#define AT_CROWD   2048u
#define AT_BIG     2560u
#define BIGS       8u
#define PAGES      (AT_BIG + BIGS * 512u)
#define TDS        16u
#define TD_PAGES   16u /* of a TD and its vCPU */
#define HKID       40u /* of the first */
#define VCX        5u
#define ADDED      128u
#define TABLES     64u
#define GPA_BIG    (1ull << 21)
#define GPA_TABLES (1ull << 30)

#define SHARED_LIST   0x1000ull
#define SHARED_INFO   0x1200ull
#define SHARED_PARAMS 0x2000ull
#define SHARED_SOURCE 0x3000ull

/* One lock operation, and the one that undoes it. */
struct op {
	void *word;
	u8 kind; /* enum lock_kind */
	u8 mode;
	u8 guest;
};

struct row {
	u32 samples;
	u32 in_a_row;                                              /* calls, of each life */
	double leaf[LIVES_MAX], locks[LIVES_MAX], work[LIVES_MAX]; /* ticks per call */
};

static struct {
	struct sl_env env;
	struct sl_stats stats;
	struct sl_machine *m;
	struct sl_lp *lp;
	struct tdcs *tdcs;
	enum sl_flavour flavour;
	struct op op[PIECE][16];
	u32 ops[PIECE];
	struct op many[OPS_MAX];
	struct row seamcall[TDX_SEAMCALL_COUNT], tdcall[TDX_TDCALL_COUNT];
	struct work_place work;
	double ticks_per_ns;
} b;

static void die(const char *what, u64 status)
{
	fprintf(stderr, "seamlab bench: %s returns 0x%llx\n", what, (unsigned long long)status);
	exit(1);
}

static u64 hpa_at(u64 page)
{
	return SL_PRIVATE_BASE + page * SL_PAGE_SIZE;
}

/* ---- the locks of a plan ------------------------------------------------------------------------ */

/* What a call is about: the words of its plan follow from that. */
struct about {
	u64 rax;
	bool guest;
	struct tdx_module_args args;
	u64 td;    /* the page number of its TDR */
	u64 page;  /* the page that the plan calls PAGE */
	u64 large; /* and LARGE_PAGE */
	u64 gpa;   /* whose S-EPT entry */
	u32 level; /* of the entry */
};

static u64 scratch;

static _Atomic u64 *entry_of(u64 gpa, u32 level)
{
	return sept_walk(b.m, b.tdcs, (struct gpa){ gpa }, level).entry;
}

static void add_op(struct op *ops, u32 *n, void *word, enum lock_kind kind, u32 mode, bool guest)
{
	ops[(*n)++] = (struct op){ word, (u8)kind, (u8)mode, guest };
}

static void add_page(struct op *ops, u32 *n, u64 hpa, const struct lock_step *s)
{
	struct hpa page = { hpa };

	if (s->path == LOCK_WALK) {
		add_op(ops, n, &mem_pamt(b.m, page, 2)->lock, LOCK_KIND_SHAREX_HP, LOCK_SH, false);
		add_op(ops, n, &mem_pamt(b.m, page, 1)->lock, LOCK_KIND_SHAREX_HP, LOCK_SH, false);
	}
	add_op(ops, n, &mem_pamt(b.m, page, 0)->lock, LOCK_KIND_SHAREX_HP, s->mode, false);
}

/* The words of @x's plan in order. Rows for L2 VMs and for the zero-step list are never taken here. */
static u32 words_of(const struct about *x, struct op *ops, struct op *children)
{
	const struct lock_step *s = lock_plan(b.m->cfg.release, x->guest, (u32)x->rax & 0xFFFF, 0);
	bool enters = !x->guest && x->rax == SEAMCALL_tdh_vp_enter;
	bool builds = x->rax == SEAMCALL_tdh_mng_create && !x->guest;
	struct tdcs *tdcs = mem_frame(b.m, (struct hpa){ hpa_at(x->td + AT_TDCX) });
	u32 n = 0, first = 0;

	for (; s && s->object != LOCK_END; s++) {
		switch (s->object) {
		case LOCK_TDR:
			add_page(ops, &n, builds ? x->page : hpa_at(x->td), s);
			break;
		case LOCK_TDVPR:
			add_page(ops, &n, hpa_at(x->td + AT_TDVPR), s);
			break;
		case LOCK_PAGE:
			add_page(ops, &n,
				 x->page + (first++ ? (AT_TARGET - AT_DATA) * SL_PAGE_SIZE : 0), s);
			break;
		case LOCK_LARGE_PAGE:
			add_op(ops, &n, &mem_pamt(b.m, (struct hpa){ x->large }, 1)->lock,
			       LOCK_KIND_SHAREX_HP, LOCK_EX, false);
			break;
		case LOCK_OP_STATE:
			add_op(ops, &n, &tdcs->op_state_lock, LOCK_KIND_SHAREX_HP, s->mode, false);
			break;
		case LOCK_TREE:
			if (!enters)
				add_op(ops, &n, &tdcs->tree_lock, lock_kind(b.m->cfg.release, s),
				       s->mode, false);
			break;
		case LOCK_EPOCH:
			add_op(ops, &n, &tdcs->epoch_lock, LOCK_KIND_SHAREX, s->mode, false);
			break;
		case LOCK_RTMR:
			add_op(ops, &n, &tdcs->rtmr_lock, LOCK_KIND_SHAREX_HP, s->mode, true);
			break;
		case LOCK_ENTRY:
			add_op(ops, &n, entry_of(x->gpa, x->level), LOCK_KIND_TDEL, LOCK_EX,
			       s->guest);
			break;
		case LOCK_KOT:
			add_op(ops, &n, &b.m->kot_lock, LOCK_KIND_SHAREX, s->mode, false);
			break;
		case LOCK_KET:
			add_op(ops, &n, &b.m->key_engine[0], LOCK_KIND_MUTEX, LOCK_EX, false);
			break;
		case LOCK_WBT:
			add_op(ops, &n, &b.m->wbt[0].lock, LOCK_KIND_MUTEX, LOCK_EX, false);
			break;
		case LOCK_ASSOC:
		case LOCK_FIELD:
			add_op(ops, &n, &scratch, LOCK_KIND_CAS, LOCK_EX, false);
			break;
		case LOCK_CHILD:
			for (u32 i = 0; children && i < SL_ENTRIES; i++)
				children[i] = (struct op){
					(u64 *)mem_frame(b.m, (struct hpa){ x->page }) + i,
					LOCK_KIND_TDEL, LOCK_EX, false
				};
			break;
		default:
			break;
		}
	}
	return n;
}

/* Compiled once for each flavour. */
static inline __attribute__((always_inline)) void take(const struct op *o, bool hardened)
{
	enum hp_side side = o->guest ? HP_GUEST : HP_HOST;
	enum hp_result r = HP_OK;
	u64 old = 0;

	switch (o->kind) {
	case LOCK_KIND_SHAREX_HP:
		if (o->mode == LOCK_EX)
			r = hardened ? sharex_hp_try_exclusive(o->word, side)
				     : sharex_hp_try_exclusive_published(o->word, side);
		else
			r = hardened ? sharex_hp_try_shared(o->word, side)
				     : sharex_hp_try_shared_published(o->word, side);
		break;
	case LOCK_KIND_SHAREX:
		if (o->mode == LOCK_EX)
			r = hardened ? sharex_try_exclusive(o->word)
				     : sharex_try_exclusive_published(o->word);
		else
			r = hardened ? sharex_try_shared(o->word)
				     : sharex_try_shared_published(o->word);
		break;
	case LOCK_KIND_MUTEX:
		r = hp_mutex_try_lock(o->word);
		break;
	case LOCK_KIND_TDEL:
		r = hardened ? sept_entry_try_lock(o->word, side)
			     : sept_entry_try_lock_published(o->word, side);
		break;
	default:
		__atomic_compare_exchange_n((u64 *)o->word, &old, 0, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_ACQUIRE);
		break;
	}
	if (sl_unlikely(r != HP_OK))
		die("a lock that should be free", o->kind);
}

static inline __attribute__((always_inline)) void drop(const struct op *o, bool hardened)
{
	switch (o->kind) {
	case LOCK_KIND_SHAREX_HP:
		if (o->mode == LOCK_EX)
			hardened ? sharex_hp_release_exclusive(o->word)
				 : sharex_hp_release_exclusive_published(o->word);
		else
			hardened ? sharex_hp_release_shared(o->word)
				 : sharex_hp_release_shared_published(o->word);
		break;
	case LOCK_KIND_SHAREX:
		if (o->mode == LOCK_EX)
			hardened ? sharex_release_exclusive(o->word)
				 : sharex_release_exclusive_published(o->word);
		else
			hardened ? sharex_release_shared(o->word)
				 : sharex_release_shared_published(o->word);
		break;
	case LOCK_KIND_MUTEX:
		hp_mutex_unlock(o->word);
		break;
	case LOCK_KIND_TDEL:
		hardened ? sept_entry_unlock(o->word) : sept_entry_unlock_published(o->word);
		break;
	default:
		break;
	}
}

/* The locks of a piece of the batch; with @work that of the calls in between, else nothing. */
static inline __attribute__((always_inline)) u64 locks_of(const struct about *piece, u32 at,
							  u32 count, bool children, bool hardened,
							  const struct leaf_work *work)
{
	u64 t0 = __rdtsc();

	for (u32 i = 0; i < count; i++) {
		_Atomic u64 *entry = NULL;
		u32 n = b.ops[i];
		bool walk = work;

		for (u32 k = 0; k < n; k++) {
			if (walk && b.op[i][k].kind == LOCK_KIND_TDEL) {
				work_walk(&b.work, work, piece[i].gpa, piece[i].level);
				walk = false;
			}
			take(&b.op[i][k], hardened);
			if (b.op[i][k].kind == LOCK_KIND_TDEL)
				entry = b.op[i][k].word;
		}
		if (walk)
			work_walk(&b.work, work, piece[i].gpa, piece[i].level);
		for (u32 k = 0; children && k < SL_ENTRIES; k++)
			take(&b.many[k], hardened);
		if (work)
			work_do(&b.work, work, at + i,
				mem_frame(b.m, (struct hpa){ hpa_at(piece[i].td) }),
				(struct hpa){ piece[i].page }, entry);
		for (u32 k = 0; children && k < SL_ENTRIES; k++)
			drop(&b.many[k], hardened);
		while (n--)
			drop(&b.op[i][n], hardened);
	}
	return __rdtsc() - t0;
}

static __attribute__((noinline)) u64 locks_published(u32 count, bool children)
{
	return locks_of(NULL, 0, count, children, false, NULL);
}

static __attribute__((noinline)) u64 locks_hardened(u32 count, bool children)
{
	return locks_of(NULL, 0, count, children, true, NULL);
}

static __attribute__((noinline)) u64 work_published(const struct about *piece, u32 at, u32 count,
						    bool children, const struct leaf_work *work)
{
	return locks_of(piece, at, count, children, false, work);
}

static __attribute__((noinline)) u64 work_hardened(const struct about *piece, u32 at, u32 count,
						   bool children, const struct leaf_work *work)
{
	return locks_of(piece, at, count, children, true, work);
}

/* ---- timed calls ---------------------------------------------------------------------------------- */

static struct about batch[BATCH];

static const char *name_of(const struct about *x)
{
	return x->guest ? tdx_tdcall_name((u32)x->rax) : tdx_seamcall_name((u32)x->rax);
}

/* Does it lock the 512 entries of a S-EPT page, too? Then b.many has those of one call at a time. */
static bool takes_children(const struct about *x)
{
	return !x->guest && x->rax == SEAMCALL_tdh_mem_page_promote;
}

struct ticks {
	u64 locks, work, calls;
};

/*
 * A piece of the batch: its locks alone and with the work, once to warm up, then its calls. Pieces are
 * small, so that neither the list of locks nor the registers of the calls have to come from further
 * than the L1 cache: on a processor they would be registers.
 */
static void timed_piece(const struct about *x, u32 at, u32 count, struct ticks *sum)
{
	const struct leaf_work *work = leaf_work(x->guest, (u32)x->rax);
	bool children = takes_children(x);
	struct about *piece = &batch[at];
	u64 t0, ticks = 0, bad = 0;

	/* Before the calls: some of them take their words away. */
	for (u32 i = 0; i < count; i++)
		b.ops[i] = words_of(&piece[i], b.op[i], children ? b.many : NULL);
	if (lock_plan(b.m->cfg.release, x->guest, (u32)x->rax, 0)) {
		for (u32 warm = 0; warm < 2; warm++)
			ticks = b.flavour == SL_HARDENED ? locks_hardened(count, children)
							 : locks_published(count, children);
		sum->locks += ticks;
	}
	for (u32 warm = 0; warm < 2 && work && work->work[0].kind; warm++) {
		work_prepare(&b.work, work);
		ticks = b.flavour == SL_HARDENED ? work_hardened(piece, at, count, children, work)
						 : work_published(piece, at, count, children, work);
		if (warm)
			sum->work += ticks;
	}
	t0 = __rdtsc();
	for (u32 i = 0; i < count; i++) {
		u64 st = x->guest ? tdcall(b.lp, x->rax, &piece[i].args)
				  : seamcall(b.lp, x->rax, &piece[i].args);

		if (sl_unlikely(st) && !bad)
			bad = st;
	}
	sum->calls += __rdtsc() - t0;
	if (bad && !(!x->guest && x->rax == SEAMCALL_tdh_vp_enter &&
		     bad == EXIT_REASON_EXTERNAL_INTERRUPT))
		die(name_of(x), bad);
}

/*
 * The @count calls of batch[], all of one leaf, which must all succeed, and their locks alone. The first
 * call is the leaf's warming up, as the locks have theirs.
 */
static void timed(u32 count)
{
	const struct about x = batch[0];
	struct row *row = x.guest ? &b.tdcall[x.rax] : &b.seamcall[x.rax];
	u32 most = takes_children(&x) ? 1 : PIECE, first = count > 1;
	struct ticks sum = { 0 }, warm = { 0 };

	if (first)
		timed_piece(&x, 0, first, &warm);
	for (u32 at = first, n; at < count; at += n) {
		n = count - at < most ? count - at : most;
		timed_piece(&x, at, n, &sum);
	}
	if (row->samples == LIVES_MAX)
		return;
	row->in_a_row = count -= first;
	row->leaf[row->samples] = (double)sum.calls / count;
	row->work[row->samples] = (double)sum.work / count;
	row->locks[row->samples++] = (double)sum.locks / count;
}

#define EACH(i, count, ...)                                       \
	do {                                                      \
		for (u32 i = 0; i < (count); i++)                 \
			batch[i] = (struct about){ __VA_ARGS__ }; \
		timed(count);                                     \
	} while (0)
#define HOST(ident)  .rax = SEAMCALL_##ident
#define GUEST(ident) .rax = TDCALL_##ident, .guest = true
#define ARGS(...)    .args = { __VA_ARGS__ }

/* Not timed. */
static void must(u32 leaf, struct tdx_module_args a)
{
	u64 st = seamcall(b.lp, leaf, &a);

	if (st)
		die(tdx_seamcall_name(leaf), st);
}

#define MUST(ident, ...) must(SEAMCALL_##ident, (struct tdx_module_args){ __VA_ARGS__ })

/* ---- a life ---------------------------------------------------------------------------------------- */

static u64 gpa_at(u32 i)
{
	return (u64)i << SL_PAGE_SHIFT;
}

/* What the work of the calls that come next reads. */
static void field_is(enum md_context context, enum md_who who, u64 id)
{
	static struct call c;

	c = (struct call){ .lp = b.lp, .m = b.m };
	b.work.field = id;
	b.work.md = (struct md){ .context = context,
				 .who = who,
				 .c = &c,
				 .tdr = mem_frame(b.m, (struct hpa){ hpa_at(0) }),
				 .tdcs = b.tdcs,
				 .vp = mem_frame(b.m, (struct hpa){ hpa_at(AT_TDVPR) }) };
}

/* TDs stand in a crowd, so that what a TD needs once is called in a row, too; the first one lives. */
static u64 td_at(u32 i)
{
	return i ? AT_CROWD + (i - 1) * TD_PAGES : 0;
}

static u64 tdr_of(u32 i)
{
	return hpa_at(td_at(i));
}

static u64 vp_of(u32 i)
{
	return hpa_at(td_at(i) + AT_TDVPR);
}

static void build(void)
{
	u8 *p = sl_machine_shared(b.m, SHARED_PARAMS);
	u64 tdr = tdr_of(0);

	memset(p, 0, 1024);
	p[0] = 1;
	p[8] = 3;
	p[16] = 1;
	p[24] = 3 << 3 | 6;
	p[40] = 40;
	EACH(i, TDS, HOST(tdh_mng_create), .td = td_at(i), .page = tdr_of(i),
	     ARGS(.rcx = tdr_of(i), .rdx = HKID + i));
	EACH(i, TDS, HOST(tdh_mng_key_config), .td = td_at(i), ARGS(.rcx = tdr_of(i)));
	EACH(i, TDS * TDCX_MIN, HOST(tdh_mng_addcx), .td = td_at(i / TDCX_MIN),
	     .page = hpa_at(td_at(i / TDCX_MIN) + AT_TDCX + i % TDCX_MIN),
	     ARGS(.rcx = hpa_at(td_at(i / TDCX_MIN) + AT_TDCX + i % TDCX_MIN),
		  .rdx = tdr_of(i / TDCX_MIN)));
	b.tdcs = mem_frame(b.m, (struct hpa){ hpa_at(AT_TDCX) });
	b.work.tdcs = b.tdcs;
	b.work.from = p;
	EACH(i, TDS, HOST(tdh_mng_init), .td = td_at(i),
	     ARGS(.rcx = tdr_of(i), .rdx = SHARED_PARAMS));
	EACH(i, TDS, HOST(tdh_vp_create), .td = td_at(i), .page = vp_of(i),
	     ARGS(.rcx = vp_of(i), .rdx = tdr_of(i)));
	EACH(i, TDS * VCX, HOST(tdh_vp_addcx), .td = td_at(i / VCX),
	     .page = hpa_at(td_at(i / VCX) + AT_VCX + i % VCX),
	     ARGS(.rcx = hpa_at(td_at(i / VCX) + AT_VCX + i % VCX), .rdx = vp_of(i / VCX)));
	EACH(i, TDS, HOST(tdh_vp_init), .td = td_at(i), ARGS(.rcx = vp_of(i)));
	for (u32 level = 3; level; level--)
		MUST(tdh_mem_sept_add, .rcx = level, .rdx = tdr, .r8 = hpa_at(AT_SEPT + level));
	MUST(tdh_mem_sept_add, .rcx = GPA_TABLES | 2, .rdx = tdr, .r8 = hpa_at(AT_SEPT));
	EACH(i, TABLES, HOST(tdh_mem_sept_add), .page = hpa_at(AT_TABLES + i),
	     .gpa = GPA_TABLES + i * SL_LEVEL_SIZE(1), .level = 1,
	     ARGS(.rcx = (GPA_TABLES + i * SL_LEVEL_SIZE(1)) | 1, .rdx = tdr,
		  .r8 = hpa_at(AT_TABLES + i)));
	EACH(i, ADDED, HOST(tdh_mem_page_add), .page = hpa_at(AT_DATA + i),
	     ARGS(.rcx = gpa_at(i), .rdx = tdr, .r8 = hpa_at(AT_DATA + i), .r9 = SHARED_SOURCE));
	EACH(i, ADDED, HOST(tdh_mr_extend), ARGS(.rcx = gpa_at(i), .rdx = tdr));
	EACH(i, TDS, HOST(tdh_mr_finalize), .td = td_at(i), ARGS(.rcx = tdr_of(i)));
}

/* All TDs but the first, at once while they are near. */
static void crowd_ends(void)
{
	u32 n = 0;

	EACH(i, TDS - 1, HOST(tdh_vp_flush), .td = td_at(i + 1), ARGS(.rcx = vp_of(i + 1)));
	EACH(i, TDS - 1, HOST(tdh_mng_vpflushdone), .td = td_at(i + 1), ARGS(.rcx = tdr_of(i + 1)));
	EACH(i, PIECE, HOST(tdh_phymem_cache_wb), .gpa = 0);
	EACH(i, TDS - 1, HOST(tdh_mng_key_freeid), .td = td_at(i + 1), ARGS(.rcx = tdr_of(i + 1)));
	for (u32 i = 1; i < TDS; i++)
		for (u64 page = td_at(i) + 1; page < td_at(i) + TD_PAGES; page++)
			if (pamt_type(&b.m->mem.pamt[0][page]) != PAMT_NDA)
				batch[n++] = (struct about){ HOST(tdh_phymem_page_reclaim),
							     .td = td_at(i), .page = hpa_at(page),
							     ARGS(.rcx = hpa_at(page)) };
	timed(n);
	for (u32 i = 1; i < TDS; i++)
		MUST(tdh_phymem_page_reclaim, .rcx = tdr_of(i));
}

static void guest_run(struct sl_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args a = { .rcx = 0xFC00 };

	(void)g;
	EACH(i, BATCH - ADDED, GUEST(tdg_mem_page_accept), .gpa = gpa_at(ADDED + i),
	     ARGS(.rcx = gpa_at(ADDED + i)));
	EACH(i, BATCH, GUEST(tdg_mem_page_attr_rd), .gpa = gpa_at(i), ARGS(.rcx = gpa_at(i)));
	EACH(i, BATCH, GUEST(tdg_mem_page_attr_wr), .gpa = gpa_at(i),
	     ARGS(.rcx = gpa_at(i), .rdx = 0x8007));
	EACH(i, 16u, GUEST(tdg_mr_rtmr_extend), ARGS(.rcx = gpa_at(i), .rdx = 1));
	EACH(i, 16u, GUEST(tdg_mr_report), ARGS(.rcx = gpa_at(i), .rdx = gpa_at(i + 16)));
	EACH(i, BATCH, GUEST(tdg_vp_info), .gpa = 0);
	field_is(MD_TD, MD_GUEST, 0x9110000300000010);
	EACH(i, BATCH, GUEST(tdg_vm_rd), ARGS(.rdx = 0x9110000300000010));
	EACH(i, BATCH, GUEST(tdg_vm_wr), ARGS(.rdx = 0x9110000300000010, .r8 = 1, .r9 = 1));
	tdcall(lp, TDCALL_tdg_vp_vmcall, &a);
}

static void use(void)
{
	struct sl_guest guest = { .run = guest_run };
	struct tdx_module_args a = { .rcx = hpa_at(AT_TDVPR) };
	u64 tdr = hpa_at(0), vp = hpa_at(AT_TDVPR);

	EACH(i, BATCH - ADDED, HOST(tdh_mem_page_aug), .page = hpa_at(AT_DATA + ADDED + i),
	     .gpa = gpa_at(ADDED + i),
	     ARGS(.rcx = gpa_at(ADDED + i), .rdx = tdr, .r8 = hpa_at(AT_DATA + ADDED + i)));
	if (sl_guest_bind(b.m, vp, &guest) || seamcall(b.lp, SEAMCALL_tdh_vp_enter, &a) != 77)
		die("the guest", 0);
	(void)!sl_guest_bind(b.m, vp, NULL);
	EACH(i, BATCH, HOST(tdh_vp_enter), ARGS(.rcx = vp));
	EACH(i, BATCH, HOST(tdh_mem_sept_rd), .gpa = gpa_at(i), ARGS(.rcx = gpa_at(i), .rdx = tdr));
	EACH(i, BATCH, HOST(tdh_mem_rd), .gpa = gpa_at(i), ARGS(.rcx = gpa_at(i), .rdx = tdr));
	EACH(i, BATCH, HOST(tdh_mem_wr), .gpa = gpa_at(i), ARGS(.rcx = gpa_at(i), .rdx = tdr));
	field_is(MD_TD, MD_HOST, 0x9110000300000011);
	EACH(i, BATCH, HOST(tdh_mng_rd), ARGS(.rcx = tdr, .rdx = 0x9110000300000011));
	EACH(i, BATCH, HOST(tdh_mng_wr),
	     ARGS(.rcx = tdr, .rdx = 0x9110000300000011, .r8 = 1000000, .r9 = ~0ull));
	field_is(MD_VP, MD_HOST, 0xA02000000000000B);
	EACH(i, BATCH, HOST(tdh_vp_rd), ARGS(.rcx = vp, .rdx = 0xA02000000000000B));
	EACH(i, BATCH, HOST(tdh_vp_wr),
	     ARGS(.rcx = vp, .rdx = 0xA02000000000000B, .r8 = 1, .r9 = 1));
	EACH(i, BATCH, HOST(tdh_phymem_page_rdmd), .page = hpa_at(AT_DATA + i),
	     ARGS(.rcx = hpa_at(AT_DATA + i)));
	EACH(i, BATCH, HOST(tdh_phymem_page_wbinvd), .page = hpa_at(AT_TARGET + i),
	     ARGS(.rcx = hpa_at(AT_TARGET + i) | (u64)HKID << SL_HKID_SHIFT));
	EACH(i, BATCH, HOST(tdh_mem_track), ARGS(.rcx = tdr));
}

static void block_all(void)
{
	for (u32 i = 0; i < BATCH; i++)
		MUST(tdh_mem_range_block, .rcx = gpa_at(i), .rdx = hpa_at(0));
	MUST(tdh_mem_track, .rcx = hpa_at(0));
}

static u64 big_at(u32 i)
{
	return hpa_at(AT_BIG) + i * SL_LEVEL_SIZE(1);
}

static u64 gpa_of_big(u32 i)
{
	return GPA_BIG + i * SL_LEVEL_SIZE(1);
}

static void block_bigs(void)
{
	for (u32 i = 0; i < BIGS; i++)
		MUST(tdh_mem_range_block, .rcx = gpa_of_big(i) | 1, .rdx = hpa_at(0));
	MUST(tdh_mem_track, .rcx = hpa_at(0));
}

static void resize(void)
{
	u64 tdr = hpa_at(0);

	for (u32 i = 0; i < BIGS; i++)
		MUST(tdh_mem_page_aug, .rcx = gpa_of_big(i) | 1, .rdx = tdr, .r8 = big_at(i));
	block_bigs();
	EACH(i, BIGS, HOST(tdh_mem_page_demote), .page = hpa_at(AT_TABLES + i), .large = big_at(i),
	     .gpa = gpa_of_big(i), .level = 1,
	     ARGS(.rcx = gpa_of_big(i) | 1, .rdx = tdr, .r8 = hpa_at(AT_TABLES + i)));
	block_bigs();
	EACH(i, BIGS, HOST(tdh_mem_page_promote), .page = hpa_at(AT_TABLES + i), .large = big_at(i),
	     .gpa = gpa_of_big(i), .level = 1, ARGS(.rcx = gpa_of_big(i) | 1, .rdx = tdr));
}

static void change(void)
{
	u64 tdr = hpa_at(0);

	EACH(i, BATCH, HOST(tdh_mem_range_block), .gpa = gpa_at(i),
	     ARGS(.rcx = gpa_at(i), .rdx = tdr));
	MUST(tdh_mem_track, .rcx = tdr);
	EACH(i, BATCH, HOST(tdh_mem_range_unblock), .gpa = gpa_at(i),
	     ARGS(.rcx = gpa_at(i), .rdx = tdr));
	block_all();
	EACH(i, BATCH, HOST(tdh_mem_page_relocate), .page = hpa_at(AT_DATA + i), .gpa = gpa_at(i),
	     ARGS(.rcx = gpa_at(i), .rdx = tdr, .r8 = hpa_at(AT_TARGET + i)));
	block_all();
	EACH(i, BATCH, HOST(tdh_mem_page_remove), .page = hpa_at(AT_TARGET + i), .gpa = gpa_at(i),
	     ARGS(.rcx = gpa_at(i), .rdx = tdr));
	for (u32 i = 0; i < TABLES; i++)
		MUST(tdh_mem_range_block, .rcx = (GPA_TABLES + i * SL_LEVEL_SIZE(1)) | 1,
		     .rdx = tdr);
	MUST(tdh_mem_track, .rcx = tdr);
	EACH(i, TABLES, HOST(tdh_mem_sept_remove), .page = hpa_at(AT_TABLES + i),
	     .gpa = GPA_TABLES + i * SL_LEVEL_SIZE(1), .level = 1,
	     ARGS(.rcx = (GPA_TABLES + i * SL_LEVEL_SIZE(1)) | 1, .rdx = tdr));
	resize();
}

static void tear_down(void)
{
	MUST(tdh_vp_flush, .rcx = vp_of(0));
	MUST(tdh_mng_vpflushdone, .rcx = tdr_of(0));
	MUST(tdh_phymem_cache_wb, 0);
	MUST(tdh_mng_key_freeid, .rcx = tdr_of(0));
	for (u32 i = 0; i < BIGS; i++)
		MUST(tdh_phymem_page_reclaim, .rcx = big_at(i));
	for (u64 page = 1; page < AT_DATA; page++)
		if (pamt_type(&b.m->mem.pamt[0][page]) != PAMT_NDA)
			MUST(tdh_phymem_page_reclaim, .rcx = hpa_at(page));
	MUST(tdh_phymem_page_reclaim, .rcx = tdr_of(0));
}

static void machine_up(void)
{
	struct sl_machine_config mc;
	u64 *list, *info;
	size_t size;

	sl_machine_config_init(&mc);
	mc.private_pages = PAGES;
	mc.flavour = b.flavour;
	size = sl_machine_arena_size(&mc);
	b.env = bench_env(&b.stats);
	b.m = sl_machine_init(&mc, bench_arena(size), size);
	b.lp = sl_machine_lp(b.m, 0);
	sl_lp_set_env(b.lp, &b.env);
	b.work.lp = b.lp;
	b.work.call = (struct call){ .lp = b.lp, .m = b.m, .hardened = b.m->hardened };
	list = sl_machine_shared(b.m, SHARED_LIST);
	info = sl_machine_shared(b.m, SHARED_INFO);
	list[0] = SHARED_INFO;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	MUST(tdh_sys_init, 0);
	MUST(tdh_sys_lp_init, 0);
	MUST(tdh_sys_config, .rcx = SHARED_LIST, .rdx = 1, .r8 = 32);
	MUST(tdh_sys_key_config, 0);
	for (u32 i = 0; i < 256; i++)
		MUST(tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE);
}

/* Of @leaf to @ns; null where there is nothing to compare with. */
static json_t *against(double leaf, double ns)
{
	return ns > 0 ? json_real(leaf / ns) : json_null();
}

static void add_row(json_t *rows, struct row *r, bool guest, u32 number)
{
	const struct leaf_work *work = leaf_work(guest, number);
	double leaf, locks, with_work;

	if (!r->samples)
		return;
	leaf = bench_median(r->leaf, r->samples) / b.ticks_per_ns;
	locks = bench_median(r->locks, r->samples) / b.ticks_per_ns;
	with_work = bench_median(r->work, r->samples) / b.ticks_per_ns;
	json_array_append_new(
		rows,
		json_pack("{s:s, s:s, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:i, s:i, s:s}", "leaf",
			  guest ? tdx_tdcall_name(number) : tdx_seamcall_name(number), "flavour",
			  b.flavour == SL_HARDENED ? "hardened" : "published", "ns", leaf, "ns_p90",
			  bench_percentile(r->leaf, r->samples, 0.9) / b.ticks_per_ns,
			  "calls_per_second", 1e9 / leaf, "locks_ns",
			  locks > 0 ? json_real(locks) : json_null(), "ratio", against(leaf, locks),
			  "locks_and_work_ns", with_work > 0 ? json_real(with_work) : json_null(),
			  "ratio_work", against(leaf, with_work), "in_a_row", (int)r->in_a_row,
			  "lives", (int)r->samples, "work", work ? work->does : ""));
}

void bench_leaves(json_t *rows, enum sl_flavour flavour, u32 lives)
{
	double t0 = bench_seconds();
	u64 c0 = __rdtsc();

	memset(&b, 0, sizeof(b));
	b.flavour = flavour;
	machine_up();
	for (u32 i = 0; i < lives && i < LIVES_MAX && !bench_interrupted(); i++) {
		build();
		crowd_ends();
		use();
		change();
		tear_down();
	}
	b.ticks_per_ns = (double)(__rdtsc() - c0) / ((bench_seconds() - t0) * 1e9);
	for (u32 i = 0; i < TDX_SEAMCALL_COUNT; i++)
		add_row(rows, &b.seamcall[i], false, i);
	for (u32 i = 0; i < TDX_TDCALL_COUNT; i++)
		add_row(rows, &b.tdcall[i], true, i);
}

/* ---- the hostile host ------------------------------------------------------------------------------- */

static struct hostile host;
static _Atomic bool stop;

static void on_finding(struct hostile *h, enum sl_violation kind, const char *id, const char *text)
{
	(void)h;
	bench_violate(NULL, kind, id, text);
}

static void *lp_thread(void *arg)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		for (u32 i = 0; i < 64; i++)
			hostile_step(arg);
	return NULL;
}

json_t *bench_hostile(double seconds)
{
	pthread_t thread[HOSTILE_LPS];
	struct hostile_count n = { 0 };
	struct sl_machine_config mc;
	double t0;

	sl_machine_config_init(&mc);
	mc.flavour = SL_HARDENED;
	host.finding = on_finding;
	hostile_up(&host, &mc, 1);
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		host.lp[i].count = (struct hostile_count){ 0 };
	atomic_store(&stop, false);
	t0 = bench_seconds();
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		if (pthread_create(&thread[i], NULL, lp_thread, &host.lp[i]))
			die("pthread_create", 0);
	bench_sleep(seconds);
	atomic_store(&stop, true);
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		pthread_join(thread[i], NULL);
	seconds = bench_seconds() - t0;
	hostile_at_rest(&host);
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		hostile_count_add(&n, &host.lp[i].count);
	return json_pack("{s:i, s:I, s:f}", "lps", HOSTILE_LPS, "calls", (json_int_t)n.calls,
			 "calls_per_second", (double)n.calls / seconds);
}
