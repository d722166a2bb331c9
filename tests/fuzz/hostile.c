// SPDX-License-Identifier: MIT
/* See hostile.h. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "module/sept.h"

/*
 * Page numbers. The first 2 MB are for control and S-EPT pages, each TD's own, mostly; the second for
 * 4 KB pages that any TD may get; the rest are large pages.
 */
#define PAGES      3072
#define TDR_PAGE   64u /* of TD k at k * TDR_PAGE, its TDCX pages behind */
#define VCPU_PAGE  16u
#define SEPT_FIRST 192u
#define SEPT_COUNT 96u
#define DATA_FIRST 512u
#define DATA_COUNT 192u
#define BIG_FIRST  1024u
#define BIG_COUNT  4u

/* GPAs: 4 KB pages, one large page, one table that stays empty. */
#define GPA_SMALL     0ull
#define GPA_SMALL_END 8u
#define GPA_BIG       (1ull << 21)
#define GPA_EMPTY     (2ull << 21)

#define SHARED_LIST   0x1000ull
#define SHARED_INFO   0x1200ull
#define SHARED_SOURCE 0x3000ull
#define SHARED_PARAMS 0x8000ull /* a page for each LP */

static u64 hpa_at(u64 page)
{
	return SL_PRIVATE_BASE + page * SL_PAGE_SIZE;
}

static u64 tdr_at(u32 k)
{
	return hpa_at(k * TDR_PAGE);
}

static u64 vcpu_at(u32 k, u32 n)
{
	return hpa_at(k * TDR_PAGE + (n + 1) * VCPU_PAGE);
}

/* ---- draws ------------------------------------------------------------------------------------- */

static u32 draw(struct hostile_lp *l, u32 n)
{
	if (!l->left)
		return sl_rng_below(&l->rng, n);
	l->left--;
	return *l->data++ % n;
}

static bool rarely(struct hostile_lp *l, u32 n)
{
	return draw(l, n) == 0;
}

static u64 draw_word(struct hostile_lp *l)
{
	u64 value = 0;

	if (!l->left)
		return sl_rng_next(&l->rng);
	for (u32 i = 0; i < 8; i++)
		value = value << 8 | draw(l, 256);
	return value;
}

/* ---- env --------------------------------------------------------------------------------------- */

static struct hostile_lp *self(struct sl_env *env)
{
	return (struct hostile_lp *)env;
}

static u32 op_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	(void)what;
	return rarely(self(env), 32) ? n - 1 : 0;
}

static u64 op_now(struct sl_env *env)
{
	return self(env)->clock += 400000;
}

static void op_pause(struct sl_env *env)
{
	(void)env;
	abort();
}

static void op_wait_while(struct sl_env *env, const _Atomic u32 *at, u32 old)
{
	(void)env;
	(void)at;
	(void)old;
	abort();
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	struct hostile *h = self(env)->h;

	h->finding(h, kind, id, text);
}

static const struct sl_env_ops ops = {
	.choose = op_choose,
	.now = op_now,
	.pause = op_pause,
	.wait_while = op_wait_while,
	.violate = op_violate,
};

/* ---- looking at the module --------------------------------------------------------------------- */

/*
 * A hostile host knows more than it should. What it sees may be gone when it acts on it, and torn where
 * somebody writes: only hints, so neither is a race of the model's.
 */
#define PEEKS    __attribute__((no_sanitize("thread"), noinline))
#define PEEK(at) __atomic_load_n((at), __ATOMIC_RELAXED)

struct peek {
	u32 lifecycle, op_state, tdcx, vcpus;
	u64 tdcs, root; /* HPAs, 0 if there are none */
	u32 top;
};

static bool in_memory(u64 hpa)
{
	return hpa >= SL_PRIVATE_BASE && hpa < hpa_at(PAGES) && !(hpa & SL_PAGE_MASK);
}

static PEEKS u32 peek_type(struct hostile *h, u64 hpa)
{
	return PEEK((u8 *)&mem_pamt(h->m, (struct hpa){ hpa }, 0)->type);
}

/* Is it part of a large page? */
static PEEKS bool peek_large(struct hostile *h, u64 hpa)
{
	return PEEK((u8 *)&mem_pamt(h->m, (struct hpa){ hpa }, 1)->type) != PAMT_NDA;
}

static PEEKS u64 peek_owner(struct hostile *h, u64 page)
{
	struct pamt_entry *e = &h->m->mem.pamt[0][page];

	return (u64)PEEK(&e->owner_low) << SL_PAGE_SHIFT;
}

static PEEKS void peek_td(struct hostile *h, u32 k, struct peek *p)
{
	const struct tdr *t = (const void *)(h->m->mem.frames + k * TDR_PAGE * SL_PAGE_SIZE);
	const struct tdcs *c;

	memset(p, 0, sizeof(*p));
	p->lifecycle = PEEK(&t->lifecycle);
	p->tdcx = PEEK(&t->num_tdcx);
	p->tdcs = PEEK(&t->tdcx[0].v);
	if (p->tdcx < TDCX_MIN || !in_memory(p->tdcs))
		return;
	c = (const void *)(h->m->mem.frames + (p->tdcs - SL_PRIVATE_BASE));
	p->op_state = PEEK(&c->op_state);
	p->vcpus = PEEK((const u32 *)&c->num_vcpus);
	p->root = PEEK(&c->sept_root.v);
	p->top = PEEK(&c->page_walk);
}

/* The entry at @level, or the one above at which the way ends; SEPT_FREE_ENTRY without a tree. */
static PEEKS u64 peek_entry(struct hostile *h, const struct peek *p, u64 gpa, u32 level, u32 *at)
{
	u64 table = p->root, entry;

	for (*at = p->top; in_memory(table) && *at <= 4; --*at) {
		entry = PEEK(
			(const u64 *)(const void *)(h->m->mem.frames + (table - SL_PRIVATE_BASE)) +
			(gpa >> SL_LEVEL_SHIFT(*at) & (SL_ENTRIES - 1)));
		if (*at == level || (entry & SEPT_PS) || !(entry & SEPT_RWX))
			return entry;
		table = entry & SEPT_HPA_MASK;
	}
	*at = level;
	return SEPT_FREE_ENTRY;
}

struct peek_vcpu {
	u32 state, pages, lpid;
};

static PEEKS void peek_vcpu(struct hostile *h, u32 k, u32 n, struct peek_vcpu *v)
{
	const struct tdvps *vp =
		(const void *)(h->m->mem.frames + (vcpu_at(k, n) - SL_PRIVATE_BASE));

	v->state = PEEK((const u8 *)&vp->state);
	v->pages = PEEK(&vp->num_pages);
	v->lpid = PEEK((const u32 *)&vp->assoc_lpid);
}

/* A page that nobody has, from a random place on; or just that place. */
static u64 free_page(struct hostile_lp *l, u32 first, u32 count)
{
	u32 start = draw(l, count);

	for (u32 i = 0; i < 8; i++) {
		u64 hpa = hpa_at(first + (start + i) % count);

		if (peek_type(l->h, hpa) == PAMT_NDA)
			return hpa;
	}
	return hpa_at(first + start);
}

/* One of the large pages, in one piece or in 512. */
static u64 big_page(struct hostile_lp *l)
{
	u32 first = draw(l, BIG_COUNT);

	for (u32 i = 0; i < BIG_COUNT; i++) {
		u64 hpa = hpa_at(BIG_FIRST + SL_ENTRIES * ((first + i) % BIG_COUNT));

		if (!peek_large(l->h, hpa) && peek_type(l->h, hpa) == PAMT_NDA)
			return hpa;
	}
	return hpa_at(BIG_FIRST + SL_ENTRIES * first);
}

/* ---- calls ------------------------------------------------------------------------------------ */

static u64 call(struct hostile_lp *l, u64 rax, struct tdx_module_args *a);

#define RANGE_OF(hpa) (((hpa) & ~(SL_LEVEL_SIZE(1) - 1)) | 1)

/* Gives the 2 MB of the page that @status complains of its PAMT pages, or tries to. */
static void add_pair(struct hostile_lp *l, const struct tdx_module_args *in, u64 status)
{
	u32 operand = (u32)status;
	struct tdx_module_args add = {
		.rcx = operand == TDX_OPERAND_ID_RCX   ? in->rcx
		       : operand == TDX_OPERAND_ID_RDX ? in->rdx
						       : in->r8,
		.rdx = free_page(l, DATA_FIRST, DATA_COUNT),
		.r8 = free_page(l, DATA_FIRST, DATA_COUNT),
	};

	add.rcx = RANGE_OF(add.rcx);
	call(l, SEAMCALL_tdh_phymem_pamt_add, &add);
}

static u64 call(struct hostile_lp *l, u64 rax, struct tdx_module_args *a)
{
	u32 leaf = (u32)(rax & 0xFFFF);
	const struct tdx_module_args in = *a;
	u64 st = seamcall(l->lp, rax, a);
	/* Of TDH.VP.ENTER a TD exit. */
	bool ok = leaf == SEAMCALL_tdh_vp_enter ? !(st >> 63) : st == TDX_SUCCESS;

	l->count.calls++;
	if (leaf < TDX_SEAMCALL_COUNT) {
		l->count.seamcall[leaf]++;
		l->count.seamcall_ok[leaf] += ok;
	}
	if ((st & TDX_STATUS_CLASS_MASK) == TDX_MISSING_PAMT_PAGE_PAIR)
		add_pair(l, &in, st);
	return st;
}

#define CALL(l, leaf, ...) call(l, SEAMCALL_##leaf, &(struct tdx_module_args){ __VA_ARGS__ })

static u64 guest_call(struct hostile_lp *l, u64 rax, struct tdx_module_args *a)
{
	u32 leaf = (u32)(rax & 0xFFFF);
	u64 st = tdcall(l->lp, rax, a);
	bool vmcall = leaf == TDCALL_tdg_vp_vmcall;

	l->count.calls++;
	if (leaf < TDX_TDCALL_COUNT) {
		l->count.tdcall[leaf]++;
		l->count.tdcall_ok[leaf] +=
			sl_guest_exit_pending(l->lp)
				? vmcall
				: !sl_guest_ve_injected(l->lp) && st == TDX_SUCCESS;
	}
	return st;
}

/* ---- operands that are wrong ------------------------------------------------------------------- */

static u64 anything(struct hostile_lp *l)
{
	switch (draw(l, 8)) {
	case 0:
		return hpa_at(draw(l, 256) + 256 * draw(l, PAGES / 256));
	case 1:
		return tdr_at(draw(l, HOSTILE_TDS));
	case 2:
		return vcpu_at(draw(l, HOSTILE_TDS), draw(l, HOSTILE_VCPUS));
	case 3:
		return (u64)draw(l, GPA_SMALL_END) << SL_PAGE_SHIFT | draw(l, 2);
	case 4:
		return draw(l, 256);
	case 5:
		return ~0ull;
	case 6:
		return 1ull << draw(l, 64);
	default:
		return draw_word(l);
	}
}

static u64 maybe_wrong(struct hostile_lp *l, u64 good)
{
	switch (draw(l, 64)) {
	case 0:
		return good ^ 1ull << draw(l, 64);
	case 1:
		return anything(l);
	default:
		return good;
	}
}

/* Whoever makes a vCPU puts the guest behind it before it can be initialised. */
static bool may_init(struct hostile_lp *l, u64 tdvpr)
{
	for (u32 k = 0; k < HOSTILE_TDS; k++)
		for (u32 n = 0; n < HOSTILE_VCPUS; n++)
			if (tdvpr == vcpu_at(k, n))
				return atomic_load_explicit(&l->h->maker[k][n],
							    memory_order_relaxed) == l->index + 1;
	return true;
}

static void wild(struct hostile_lp *l)
{
	struct tdx_module_args a = {
		.rcx = anything(l), .rdx = anything(l), .r8 = anything(l), .r9 = anything(l)
	};
	u64 rax = draw(l, TDX_SEAMCALL_COUNT);

	if (rarely(l, 8))
		rax |= 1ull << TDX_RAX_VERSION_SHIFT;
	if (rarely(l, 32))
		rax = anything(l);
	/* Bring-up and its end are for all; a vCPU that somebody else has made gets no guest. */
	if ((rax & 0xFFFF) == SEAMCALL_tdh_sys_lp_shutdown ||
	    ((rax & 0xFFFF) == SEAMCALL_tdh_vp_init && !may_init(l, a.rcx)) ||
	    (rax & 0xFFFF) == SEAMCALL_tdh_vp_create)
		rax = SEAMCALL_tdh_phymem_page_rdmd;
	call(l, rax, &a);
}

/* ---- guests ------------------------------------------------------------------------------------ */

static u64 small_gpa(struct hostile_lp *l)
{
	return GPA_SMALL + ((u64)draw(l, GPA_SMALL_END) << SL_PAGE_SHIFT);
}

static u64 guest_gpa(struct hostile_lp *l)
{
	return rarely(l, 4) ? GPA_BIG + ((u64)draw(l, 2) << SL_PAGE_SHIFT) : small_gpa(l);
}

static u64 any_field(struct hostile_lp *l, bool vp)
{
	static const u64 of_td[] = { 0x9110000300000011, 0x9110000300000010, 0x1110000300000017,
				     0x9210000300000000, 0x1110000300000016, ~0ull };
	static const u64 of_vp[] = { 0xA020000000000000, 0xA020000300000006, 0xA02000000000000B,
				     0xA22000030000021F, ~0ull };

	return vp ? of_vp[draw(l, ARRAY_SIZE(of_vp))] : of_td[draw(l, ARRAY_SIZE(of_td))];
}

/* A handler reads what a #VE was about, or the next one is fatal; then it accepts the page. */
static void on_ve(struct hostile_lp *l)
{
	struct tdx_module_args a = { 0 };

	if (rarely(l, 64))
		return;
	if (guest_call(l, TDCALL_tdg_vp_veinfo_get, &a) != TDX_SUCCESS || rarely(l, 4))
		return;
	a = (struct tdx_module_args){ .rcx = a.r9 & ~SL_PAGE_MASK };
	guest_call(l, TDCALL_tdg_mem_page_accept, &a);
}

static void guest_op(struct hostile_lp *l)
{
	struct tdx_module_args a = { .rcx = guest_gpa(l) };
	u64 rax, value = l->clock;
	bool big;

	switch (draw(l, 20)) {
	default:
		big = rarely(l, 6);
		a.rcx = big ? GPA_BIG | 1 : guest_gpa(l);
		rax = TDCALL_tdg_mem_page_accept;
		break;
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		for (u32 i = 0; i < 3 && !sl_guest_exit_pending(l->lp); i++)
			if (sl_guest_access(l->lp, guest_gpa(l), draw(l, 2), &value) ==
			    SL_ACCESS_VE)
				on_ve(l);
		return;
	case 6:
		rax = TDCALL_tdg_mem_page_attr_rd;
		break;
	case 7:
		a.rdx = 0x8007;
		rax = TDCALL_tdg_mem_page_attr_wr;
		break;
	case 8:
		a.rdx = draw(l, 4);
		rax = TDCALL_tdg_mr_rtmr_extend;
		break;
	case 9:
		a.rdx = guest_gpa(l);
		rax = TDCALL_tdg_mr_report;
		break;
	case 10:
		rax = draw(l, 2) ? TDCALL_tdg_vp_veinfo_get : TDCALL_tdg_vp_info;
		break;
	case 11:
		a.rcx = draw(l, 4);
		rax = TDCALL_tdg_vp_cpuidve_set;
		break;
	case 12:
	case 13:
		a.rcx = 0;
		big = draw(l, 2);
		a.rdx = any_field(l, big);
		a.r8 = draw(l, 2);
		a.r9 = ~0ull;
		rax = big ? (draw(l, 2) ? TDCALL_tdg_vp_rd : TDCALL_tdg_vp_wr)
			  : (draw(l, 2) ? TDCALL_tdg_vm_rd : TDCALL_tdg_vm_wr);
		break;
	case 14:
		rax = draw(l, 64);
		a = (struct tdx_module_args){ .rcx = anything(l), .rdx = anything(l) };
		break;
	case 15:
		sl_guest_set_rip(l->lp, draw(l, 4));
		return;
	}
	a.rcx = maybe_wrong(l, a.rcx);
	guest_call(l, rax, &a);
	if (sl_guest_ve_injected(l->lp))
		on_ve(l);
}

static void others_step(struct hostile_lp *l)
{
	struct hostile_lp *o = &l->h->lp[draw(l, HOSTILE_LPS)];

	if (!o->inside)
		hostile_step(o);
}

static void guest_run(struct sl_guest *g, struct sl_lp *lp)
{
	struct hostile_lp *l = self(sl_lp_env(lp));
	struct hostile *h = l->h;
	struct tdx_module_args a = { 0 };
	u64 rax;

	(void)g;
	l->inside = true;
	if (h->depth_max)
		h->depth++;
	sl_guest_tdcall_completed(lp, &rax, &a);
	for (u32 i = 1 + draw(l, 6); i && !sl_guest_exiting(lp); i--) {
		guest_op(l);
		if (h->depth_max && !sl_guest_exit_pending(lp))
			others_step(l);
	}
	a = (struct tdx_module_args){ .rcx = 0xFC00 };
	if (!sl_guest_exit_pending(lp))
		guest_call(l, TDCALL_tdg_vp_vmcall, &a);
	if (h->depth_max)
		h->depth--;
	l->inside = false;
}

/* ---- the way of a TD --------------------------------------------------------------------------- */

static void init_td(struct hostile_lp *l, u32 k)
{
	u64 at = SHARED_PARAMS + l->index * SL_PAGE_SIZE;
	u8 *p = sl_machine_shared(l->h->m, at);

	memset(p, 0, 1024);
	p[0] = (u8)draw(l, 2);          /* debug */
	p[3] = rarely(l, 4) ? 0x10 : 0; /* no #VE for pending pages */
	p[8] = 3;                       /* XFAM */
	p[16] = (u8)(1 + draw(l, 4));   /* vCPUs at most */
	p[24] = 3 << 3 | 6;             /* EPTP */
	p[40] = rarely(l, 16) ? 0 : 40; /* TSC */
	CALL(l, tdh_mng_init, .rcx = tdr_at(k), .rdx = at);
}

static void make_vcpu(struct hostile_lp *l, u32 k)
{
	u32 n = draw(l, HOSTILE_VCPUS);
	u64 tdvpr = vcpu_at(k, n);
	struct peek_vcpu v;

	if (peek_type(l->h, tdvpr) != PAMT_TDVPR) {
		if (CALL(l, tdh_vp_create, .rcx = tdvpr, .rdx = tdr_at(k)) != TDX_SUCCESS)
			return;
		/* Nobody else binds it, and whoever initialises it has bound it before. */
		(void)!sl_guest_bind(l->h->m, tdvpr, &l->h->guest);
		atomic_store_explicit(&l->h->maker[k][n], (u8)(l->index + 1), memory_order_relaxed);
		return;
	}
	peek_vcpu(l->h, k, n, &v);
	if (v.pages < TDVPS_PAGES_MIN)
		CALL(l, tdh_vp_addcx, .rcx = tdvpr + v.pages * SL_PAGE_SIZE, .rdx = tdvpr);
	else if (v.state == VCPU_UNINITIALIZED && may_init(l, tdvpr))
		CALL(l, tdh_vp_init, .rcx = tdvpr, .rdx = n);
	else
		CALL(l, tdh_vp_wr, .rcx = tdvpr, .rdx = any_field(l, true), .r8 = draw(l, 2),
		     .r9 = ~0ull);
}

/* The S-EPT is not deep enough: one page more. */
static void add_table(struct hostile_lp *l, u32 k, u64 gpa, u32 level)
{
	CALL(l, tdh_mem_sept_add, .rcx = (gpa & ~(SL_LEVEL_SIZE(level) - 1)) | level,
	     .rdx = tdr_at(k) | draw(l, 2), .r8 = free_page(l, SEPT_FIRST, SEPT_COUNT));
}

static void build_memory(struct hostile_lp *l, u32 k, const struct peek *p)
{
	u64 gpa = small_gpa(l);
	u32 at;
	u64 entry = peek_entry(l->h, p, gpa, 0, &at);

	if (at)
		add_table(l, k, gpa, at);
	else if (sept_state(entry) == SEPT_FREE)
		CALL(l, tdh_mem_page_add, .rcx = gpa, .rdx = tdr_at(k),
		     .r8 = free_page(l, DATA_FIRST, DATA_COUNT), .r9 = SHARED_SOURCE);
	else
		CALL(l, tdh_mr_extend, .rcx = gpa | draw(l, 16) << 8, .rdx = tdr_at(k));
}

static void build(struct hostile_lp *l, u32 k, const struct peek *p)
{
	switch (draw(l, 4)) {
	case 0:
	case 1:
		make_vcpu(l, k);
		break;
	case 2:
		build_memory(l, k, p);
		break;
	default:
		if (p->vcpus && rarely(l, 8))
			CALL(l, tdh_mr_finalize, .rcx = tdr_at(k));
		else
			build_memory(l, k, p);
		break;
	}
}

static void ask(struct hostile_lp *l);

/* A vCPU that this LP may run; HOSTILE_VCPUS if there is none. */
static u32 choose_vcpu(struct hostile_lp *l, u32 k)
{
	u32 first = draw(l, HOSTILE_VCPUS), disabled = 0;

	for (u32 i = 0; i < HOSTILE_VCPUS; i++) {
		u32 n = (first + i) % HOSTILE_VCPUS;
		struct peek_vcpu v;

		peek_vcpu(l->h, k, n, &v);
		if (v.state == VCPU_READY && (v.lpid == l->index || v.lpid == LPID_NONE))
			return n;
		disabled += v.state == VCPU_DISABLED;
	}
	/* A TD without a vCPU that could run is of no use. */
	if (disabled && rarely(l, 64))
		atomic_fetch_or_explicit(&l->h->dying, 1u << k, memory_order_relaxed);
	return rarely(l, 8) ? first : HOSTILE_VCPUS;
}

/* What a host does about an EPT violation, if it feels like it: one step of what is needed. */
static void fault(struct hostile_lp *l, u32 k, u64 gpa)
{
	u64 tdr = tdr_at(k), entry;
	u32 level = gpa >= GPA_BIG, at;
	struct peek p;

	if (rarely(l, 8) || gpa >= GPA_EMPTY)
		return;
	peek_td(l->h, k, &p);
	entry = peek_entry(l->h, &p, gpa, 0, &at);
	gpa &= ~(SL_LEVEL_SIZE(at) - 1);
	if (sept_state_flags(sept_state(entry)) & SEPT_ANY_BLOCKED ||
	    sept_state(entry) == SEPT_NL_BLOCKED)
		CALL(l, tdh_mem_range_unblock, .rcx = gpa | at, .rdx = tdr);
	else if (at > level)
		add_table(l, k, gpa, at);
	else
		CALL(l, tdh_mem_page_aug, .rcx = gpa | at, .rdx = tdr,
		     .r8 = at ? big_page(l) : free_page(l, DATA_FIRST, DATA_COUNT));
}

static void enter(struct hostile_lp *l, u32 k)
{
	u32 n = choose_vcpu(l, k);
	struct tdx_module_args a;

	if (n == HOSTILE_VCPUS || (l->h->depth_max && l->h->depth >= l->h->depth_max)) {
		ask(l);
		return;
	}
	a = (struct tdx_module_args){ .rcx = maybe_wrong(l, vcpu_at(k, n)) };
	if (call(l, SEAMCALL_tdh_vp_enter, &a) == EXIT_REASON_EPT_VIOLATION)
		fault(l, k, a.r8);
	sl_lp_interrupt_take(l->lp);
}

/* Rather late than never: TRACK is needed between BLOCK and what takes away. */
static void take_away(struct hostile_lp *l, u32 k, u64 info, enum sept_state state)
{
	bool table = state == SEPT_NL_BLOCKED;
	u64 tdr = tdr_at(k);

	switch (draw(l, 8)) {
	case 0:
		CALL(l, tdh_mem_range_unblock, .rcx = info, .rdx = tdr);
		break;
	case 1:
	case 2:
	case 3:
		CALL(l, tdh_mem_track, .rcx = tdr);
		break;
	case 4:
		if (table)
			CALL(l, tdh_mem_page_promote, .rcx = info, .rdx = tdr);
		else if (info & 7)
			CALL(l, tdh_mem_page_demote, .rcx = info, .rdx = tdr,
			     .r8 = free_page(l, SEPT_FIRST, SEPT_COUNT),
			     .r12 = free_page(l, DATA_FIRST, DATA_COUNT),
			     .r13 = free_page(l, DATA_FIRST, DATA_COUNT));
		else
			CALL(l, tdh_mem_page_relocate, .rcx = info, .rdx = tdr,
			     .r8 = free_page(l, DATA_FIRST, DATA_COUNT));
		break;
	default:
		if (!table)
			CALL(l, tdh_mem_page_remove, .rcx = info, .rdx = tdr);
		else if ((info & ~7ull) == GPA_BIG)
			CALL(l, tdh_mem_page_promote, .rcx = info, .rdx = tdr);
		else
			CALL(l, tdh_mem_sept_remove, .rcx = info, .rdx = tdr);
		break;
	}
}

/* It is there: mostly it is left alone. */
static void use(struct hostile_lp *l, u32 k, u64 info)
{
	u64 tdr = tdr_at(k);

	switch (draw(l, 8)) {
	case 0:
	case 1:
		CALL(l, tdh_mem_range_block, .rcx = info, .rdx = tdr);
		break;
	case 2:
		CALL(l, tdh_mem_sept_rd, .rcx = info, .rdx = tdr);
		break;
	case 3:
		if (draw(l, 2))
			CALL(l, tdh_mem_rd, .rcx = info & ~7ull, .rdx = tdr);
		else
			CALL(l, tdh_mem_wr, .rcx = info & ~7ull, .rdx = tdr, .r8 = l->clock);
		break;
	default:
		enter(l, k);
		break;
	}
}

static void change_memory(struct hostile_lp *l, u32 k, const struct peek *p)
{
	static const u64 where[] = { GPA_SMALL, GPA_SMALL, GPA_SMALL, GPA_BIG, GPA_BIG, GPA_EMPTY };
	u64 gpa = where[draw(l, ARRAY_SIZE(where))], info;
	u32 level = gpa != GPA_SMALL, at;
	enum sept_state state;
	bool table;

	if (gpa == GPA_SMALL)
		gpa = small_gpa(l);
	state = sept_state(peek_entry(l->h, p, gpa, level, &at));
	if (at != level) {
		if (state == SEPT_FREE)
			add_table(l, k, gpa, at);
		else
			CALL(l, tdh_mem_range_unblock, .rcx = (gpa & ~(SL_LEVEL_SIZE(at) - 1)) | at,
			     .rdx = tdr_at(k));
		return;
	}
	info = maybe_wrong(l, gpa | level);
	table = gpa == GPA_EMPTY;
	if (state == SEPT_FREE && table)
		add_table(l, k, gpa, level);
	else if (state == SEPT_FREE)
		CALL(l, tdh_mem_page_aug, .rcx = info, .rdx = tdr_at(k),
		     .r8 = level ? big_page(l) : free_page(l, DATA_FIRST, DATA_COUNT));
	else if (sept_state_flags(state) & SEPT_ANY_BLOCKED)
		take_away(l, k, info, state);
	else if (state == SEPT_NL_MAPPED)
		CALL(l, tdh_mem_range_block, .rcx = info, .rdx = tdr_at(k));
	else
		use(l, k, info);
}

static void flush(struct hostile_lp *l, u32 k)
{
	for (u32 n = 0; n < HOSTILE_VCPUS; n++) {
		struct peek_vcpu v;

		peek_vcpu(l->h, k, n, &v);
		if (v.lpid == l->index && peek_type(l->h, vcpu_at(k, n)) == PAMT_TDVPR) {
			CALL(l, tdh_vp_flush, .rcx = vcpu_at(k, n));
			return;
		}
	}
	/* Another LP has to flush first, mostly. */
	if (rarely(l, 8))
		CALL(l, tdh_mng_vpflushdone, .rcx = tdr_at(k));
	else
		ask(l);
}

static void reclaim(struct hostile_lp *l, u32 k)
{
	u64 tdr = tdr_at(k);

	for (u32 i = 0; i < 512; i++) {
		u64 page = l->cursor = (l->cursor + 1) % PAGES;
		u32 type = peek_type(l->h, hpa_at(page));

		if (peek_large(l->h, hpa_at(page)) && page % SL_ENTRIES == 0)
			CALL(l, tdh_phymem_page_reclaim, .rcx = hpa_at(page));
		else if (type != PAMT_NDA && type != PAMT_TDR && peek_owner(l->h, page) == tdr)
			CALL(l, tdh_phymem_page_reclaim, .rcx = hpa_at(page));
		else
			continue;
		return;
	}
	if (CALL(l, tdh_phymem_page_reclaim, .rcx = tdr) == TDX_SUCCESS)
		atomic_fetch_and_explicit(&l->h->dying, ~(1u << k), memory_order_relaxed);
}

static void running(struct hostile_lp *l, u32 k, const struct peek *p)
{
	if (atomic_load_explicit(&l->h->dying, memory_order_relaxed) >> k & 1) {
		flush(l, k);
		return;
	}
	switch (draw(l, 64)) {
	case 0:
		if (rarely(l, 8))
			atomic_fetch_or_explicit(&l->h->dying, 1u << k, memory_order_relaxed);
		break;
	case 1:
		flush(l, k);
		break;
	case 2:
		sl_lp_interrupt_raise(l->h->lp[draw(l, HOSTILE_LPS)].lp);
		break;
	case 3:
		make_vcpu(l, k);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		enter(l, k);
		break;
	default:
		change_memory(l, k, p);
		break;
	}
}

static void write_back(struct hostile_lp *l, u32 k)
{
	if (draw(l, 2))
		CALL(l, tdh_phymem_cache_wb, .rcx = draw(l, 2));
	else
		CALL(l, tdh_mng_key_freeid, .rcx = tdr_at(k));
}

static void next_for_td(struct hostile_lp *l, u32 k)
{
	u64 tdr = tdr_at(k);
	struct peek p;

	if (peek_type(l->h, tdr) != PAMT_TDR) {
		CALL(l, tdh_mng_create, .rcx = tdr,
		     .rdx = 40 + (rarely(l, 8) ? draw(l, HOSTILE_TDS) : k));
		return;
	}
	peek_td(l->h, k, &p);
	switch (p.lifecycle) {
	case TD_HKID_ASSIGNED:
		if (!rarely(l, 4))
			ask(l);
		else
			CALL(l, tdh_mng_key_config, .rcx = tdr);
		break;
	case TD_KEYS_CONFIGURED:
		if (p.tdcx < TDCX_MIN)
			CALL(l, tdh_mng_addcx, .rcx = tdr + (p.tdcx + 1) * SL_PAGE_SIZE,
			     .rdx = tdr);
		else if (p.op_state == OP_UNINITIALIZED)
			init_td(l, k);
		else if (p.op_state == OP_INITIALIZED)
			build(l, k, &p);
		else
			running(l, k, &p);
		break;
	case TD_BLOCKED:
		write_back(l, k);
		break;
	default:
		reclaim(l, k);
		break;
	}
}

/* Questions, and what takes no TD. */
static void ask(struct hostile_lp *l)
{
	u32 k = draw(l, HOSTILE_TDS);

	switch (draw(l, 10)) {
	case 9:
		CALL(l, tdh_phymem_pamt_remove, .rcx = RANGE_OF(hpa_at(draw(l, PAGES))));
		break;
	case 0:
		CALL(l, tdh_sys_rd, .rdx = 0x0A00000300000008ull);
		break;
	case 1:
		CALL(l, tdh_sys_info,
		     .rcx = SHARED_PARAMS + (HOSTILE_LPS + l->index) * SL_PAGE_SIZE, .rdx = 1024,
		     .r8 = SHARED_PARAMS + (HOSTILE_LPS + l->index) * SL_PAGE_SIZE + 1024,
		     .r9 = 32);
		break;
	case 2:
		CALL(l, tdh_mng_key_reclaimid, .rcx = tdr_at(k));
		break;
	case 3:
		CALL(l, tdh_mng_rd, .rcx = tdr_at(k), .rdx = any_field(l, false));
		break;
	case 4:
		CALL(l, tdh_mng_wr, .rcx = tdr_at(k), .rdx = any_field(l, false), .r8 = draw(l, 2),
		     .r9 = ~0ull);
		break;
	case 5:
		CALL(l, tdh_vp_rd, .rcx = vcpu_at(k, draw(l, HOSTILE_VCPUS)),
		     .rdx = any_field(l, true));
		break;
	case 6:
		CALL(l, tdh_phymem_page_wbinvd,
		     .rcx = free_page(l, DATA_FIRST, DATA_COUNT) | (40ull + k) << SL_HKID_SHIFT);
		break;
	case 7:
		CALL(l, tdh_vp_wr, .rcx = vcpu_at(k, draw(l, HOSTILE_VCPUS)),
		     .rdx = any_field(l, true), .r8 = draw(l, 2), .r9 = ~0ull);
		break;
	default:
		CALL(l, tdh_phymem_page_rdmd, .rcx = hpa_at(draw(l, 256)));
		break;
	}
}

void hostile_step(struct hostile_lp *l)
{
	l->clock += 1000;
	switch (draw(l, 16)) {
	case 0:
		wild(l);
		break;
	case 1:
		ask(l);
		break;
	default:
		next_for_td(l, draw(l, HOSTILE_TDS));
		break;
	}
}

/* ---- machines ---------------------------------------------------------------------------------- */

void hostile_config(u64 seed, struct sl_machine_config *cfg)
{
	struct sl_rng rng = { .state = seed };
	u64 bits = sl_rng_next(&rng);

	sl_machine_config_init(cfg);
	cfg->flavour = bits & 1 ? SL_HARDENED : SL_PUBLISHED;
	cfg->release = bits & 2 ? SL_RELEASE_1_5_25 : SL_RELEASE_1_5_01;
	cfg->contents = bits & 4;
	cfg->zero_step_threshold = bits & 8 ? 1 : 6;
	cfg->interrupts = bits & 16;
	/* The published module cannot bear PAMT.REMOVE beside leaves that free pages (finding N1). */
	cfg->dynamic_pamt = (bits & 32) && cfg->flavour == SL_HARDENED &&
			    sl_release_has_dynamic_pamt(cfg->release);
}

static void must(u64 st, const char *what)
{
	if (st == TDX_SUCCESS)
		return;
	fprintf(stderr, "hostile: %s returns 0x%llx\n", what, (unsigned long long)st);
	abort();
}

static void bring_up(struct hostile *h)
{
	struct hostile_lp *l = &h->lp[0];
	u64 *list = sl_machine_shared(h->m, SHARED_LIST);
	u64 *info = sl_machine_shared(h->m, SHARED_INFO);

	must(CALL(l, tdh_sys_init, 0), "TDH.SYS.INIT");
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		while (CALL(&h->lp[i], tdh_sys_lp_init, 0) != TDX_SUCCESS)
			;
	list[0] = SHARED_INFO;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	must(CALL(l, tdh_sys_config, .rcx = SHARED_LIST, .rdx = 1,
		  .r8 = 32 | (h->m->cfg.dynamic_pamt ? BIT_ULL(16) : 0)),
	     "TDH.SYS.CONFIG");
	for (u32 i = 0; i < HOSTILE_PACKAGES; i++)
		while (CALL(&h->lp[i], tdh_sys_key_config, 0) != TDX_SUCCESS)
			;
	for (u32 i = 0; i < 256; i++)
		must(CALL(l, tdh_sys_tdmr_init, .rcx = SL_PRIVATE_BASE), "TDH.SYS.TDMR.INIT");
}

void hostile_up(struct hostile *h, const struct sl_machine_config *like, u64 seed)
{
	struct sl_machine_config cfg = *like;
	size_t machine;

	cfg.lps = HOSTILE_LPS;
	cfg.packages = HOSTILE_PACKAGES;
	cfg.private_pages = PAGES;
	machine = sl_align_up(sl_machine_arena_size(&cfg), SL_PAGE_SIZE);
	if (!h->arena) {
		h->size = machine + oracle_size(&cfg);
		h->arena = mmap(NULL, h->size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (h->arena == MAP_FAILED)
			abort();
	} else if (madvise(h->arena, h->size, MADV_DONTNEED)) {
		abort();
	}
	h->m = sl_machine_init(&cfg, h->arena, machine);
	h->oracle = oracle_init((u8 *)h->arena + machine, h->m);
	h->guest.run = guest_run;
	h->depth = 0;
	atomic_store(&h->dying, 0);
	for (u32 i = 0; i < HOSTILE_LPS; i++) {
		struct hostile_lp *l = &h->lp[i];

		l->env = (struct sl_env){ .ops = &ops, .stats = &l->stats, .tsc_per_us = 1 };
		l->h = h;
		l->lp = sl_machine_lp(h->m, i);
		l->index = i;
		l->inside = false;
		l->cursor = i * (PAGES / HOSTILE_LPS);
		l->rng.state = seed ^ (i + 1) * 0xD1B54A32D192ED03ull;
		l->left = 0;
		sl_lp_set_env(l->lp, &l->env);
	}
	bring_up(h);
}

void hostile_free(struct hostile *h)
{
	munmap(h->arena, h->size);
	h->arena = NULL;
}

u32 hostile_at_rest(struct hostile *h)
{
	static const struct oracle_claims claims = { 0 };

	return oracle_check_at_rest(h->oracle, NULL, &h->lp[0].env, &claims);
}

void hostile_count_add(struct hostile_count *to, const struct hostile_count *from)
{
	for (u32 i = 0; i < TDX_SEAMCALL_COUNT; i++) {
		to->seamcall[i] += from->seamcall[i];
		to->seamcall_ok[i] += from->seamcall_ok[i];
	}
	for (u32 i = 0; i < TDX_TDCALL_COUNT; i++) {
		to->tdcall[i] += from->tdcall[i];
		to->tdcall_ok[i] += from->tdcall_ok[i];
	}
	to->calls += from->calls;
}
