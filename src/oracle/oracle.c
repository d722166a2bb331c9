// SPDX-License-Identifier: MIT
/* What is looked at when nothing moves. Layer: oracle. */
#include "oracle/oracle.h"

#include "module/sept.h"
#include "oracle/pages.h"

/* A run of checks: counts findings, and stops reporting when it is clear that all is lost. */
struct check {
	const struct oracle *o;
	struct sl_machine *m;
	struct vmm *vmm; /* NULL: there is none, or what it thinks does not matter */
	struct sl_env *env;
	struct oracle_claims claims;
	u32 findings;
};

#define FINDINGS_MAX 16

#define BROKEN(c, id, ...)                                                                \
	do {                                                                              \
		if ((c)->findings++ < FINDINGS_MAX)                                       \
			env_violate((c)->env, SL_VIOLATION_ORACLE, oracle_name(INV_##id), \
				    __VA_ARGS__);                                         \
	} while (0)

static unsigned long long ull(u64 v)
{
	return v;
}

/* ---- locks ---------------------------------------------------------------------------- */

#define SHAREX_HP_BIT 2u

static void check_word(struct check *c, const char *what, u64 at, u32 word, u32 hp)
{
	if (word & ~hp)
		BROKEN(c, LOCK_01, "%s at 0x%llx is held at rest (word 0x%04x)", what, ull(at),
		       word);
	else if (c->claims.no_stale_hp && (word & hp))
		BROKEN(c, LOCK_02, "%s at 0x%llx has a stale HOST_PRIORITY", what, ull(at));
}

static u32 hp_word(const sharex_hp_t *l)
{
	return atomic_load_explicit(&l->word, memory_order_relaxed);
}

static u32 sharex_word(const sharex_t *l)
{
	return atomic_load_explicit(&l->word, memory_order_relaxed);
}

static u32 mutex_word(const hp_mutex_t *l)
{
	return atomic_load_explicit(&l->word, memory_order_relaxed);
}

static void check_global_locks(struct check *c)
{
	struct sl_machine *m = c->m;

	check_word(c, "global lock", 0, sharex_word(&m->sys_lock), 0);
	check_word(c, "KOT lock", 0, sharex_word(&m->kot_lock), 0);
	check_word(c, "TDMR lock", 0, mutex_word(&m->mem.tdmr_lock), 0);
	check_word(c, "reserved PAMT entry", 0, hp_word(&m->mem.rsvd.lock), SHAREX_HP_BIT);
	for (u32 i = 0; i < m->cfg.packages; i++) {
		check_word(c, "WBT lock", i, mutex_word(&m->wbt[i].lock), 0);
		check_word(c, "key engine", i, mutex_word(&m->key_engine[i]), 0);
	}
}

/* ---- the page metadata ------------------------------------------------------------------- */

/* TDs whose pages are counted in one go through the PAMT. */
#define TDS_AT_ONCE 32

/* What the PAMT has of one TD. */
struct td_pages {
	struct hpa tdr;
	u64 owned;     /* 4 KB units of any kind, the TDR aside */
	u64 leaves[3]; /* pages, by level */
	u64 tables;
	u64 control; /* TDCX and TDVPR pages */
	u32 associated;
};

struct td_list {
	struct td_pages td[TDS_AT_ONCE];
	u32 count;
};

static struct td_pages *td_of(struct td_list *l, struct hpa tdr)
{
	for (u32 i = 0; i < l->count; i++)
		if (l->td[i].tdr.v == tdr.v)
			return &l->td[i];
	return NULL;
}

static struct hpa page_at(u64 index, u32 level)
{
	return (struct hpa){ SL_PRIVATE_BASE + (index << SL_LEVEL_SHIFT(level)) };
}

/* Record and PAMT entry say the same of a page. */
static void check_record(struct check *c, const struct pamt_entry *e, struct hpa page, u32 level)
{
	enum pamt_type type = pamt_type(e);
	u64 rec = rec_read(c->o, page, level);
	struct hpa tdr = type == PAMT_TDR ? page : pamt_owner(e);
	bool agree;

	if (type == PAMT_NDA)
		agree = !rec || (level == 0 && rec_is_pamt(rec));
	else if (type == PAMT_PAMT)
		agree = !rec && level == 1;
	else
		agree = rec_belongs(rec, tdr) && !!(rec & REC_MAPPED) == (type == PAMT_REG);
	if (!agree)
		BROKEN(c, PAGE_01,
		       "page 0x%llx (level %u): type %u of TD 0x%llx, but it was given to TD 0x%llx",
		       ull(page.v), level, type, ull(type == PAMT_NDA ? 0 : tdr.v),
		       ull(rec ? rec_tdr(rec).v : 0));
}

/* The 4 KB entries of a 2 MB range, and what holds them. */
static void check_range(struct check *c, struct hpa range)
{
	const struct pamt_entry *e = mem_pamt(c->m, range, 1);
	bool paired = pamt_type(e) == PAMT_PAMT;
	u32 used = 0;

	for (u32 i = 0; i < SL_ENTRIES; i++) {
		struct hpa page = { range.v + i * SL_PAGE_SIZE };

		used += mem_is_present(c->m, page) &&
			pamt_type(mem_pamt(c->m, page, 0)) != PAMT_NDA;
	}
	if (used != (paired ? pamt_pages_in_use(e) : 0))
		BROKEN(c, PAMT_03, "2 MB at 0x%llx: %u pages are in use, %u are counted",
		       ull(range.v), used, paired ? pamt_pages_in_use(e) : 0);
	for (u32 i = 0; paired && i < 2; i++)
		if (rec_read(c->o, pamt_pair_page(e, i), 0) != rec_pamt(range) ||
		    !mem_is_pamt_page(c->m, pamt_pair_page(e, i)))
			BROKEN(c, PAMT_03, "2 MB at 0x%llx: page 0x%llx is not its PAMT page",
			       ull(range.v), ull(pamt_pair_page(e, i).v));
}

static void check_ranges(struct check *c)
{
	for (u64 i = 0; c->m->dynamic_pamt && i << SL_LEVEL_BITS < c->m->mem.pages; i++)
		check_range(c, page_at(i, 1));
}

static void check_vcpu(struct check *c, struct hpa page, struct td_pages *n)
{
	const struct tdvps *vp = mem_frame(c->m, page);

	if (atomic_load_explicit(&vp->state, memory_order_relaxed) == VCPU_ACTIVE)
		BROKEN(c, VCPU_01, "the vCPU at 0x%llx is ACTIVE at rest", ull(page.v));
	n->associated += atomic_load_explicit(&vp->assoc_lpid, memory_order_relaxed) != LPID_NONE;
}

static void count_page(struct check *c, const struct pamt_entry *e, struct hpa page, u32 level,
		       struct td_list *l)
{
	enum pamt_type type = pamt_type(e);
	struct td_pages *n = type == PAMT_TDR || type == PAMT_PAMT ? NULL : td_of(l, pamt_owner(e));

	if (!n)
		return;
	n->owned += SL_LEVEL_PAGES(level);
	n->leaves[level] += type == PAMT_REG;
	n->tables += type == PAMT_EPT;
	n->control += type == PAMT_TDCX || type == PAMT_TDVPR;
	if (type == PAMT_TDVPR)
		check_vcpu(c, page, n);
}

/*
 * Every page once: what is said of it by itself, unless that has been looked at, and which of the TDs in
 * @l it counts for.
 */
static void check_pages(struct check *c, struct td_list *l, bool looked_at)
{
	const struct sl_mem *mem = &c->m->mem;

	for (u32 level = 0; level < 3; level++)
		for (u64 i = 0, n = rec_count(mem, level); i < n; i++) {
			const struct pamt_entry *e = &mem->pamt[level][i];
			enum pamt_type type = pamt_type(e);
			u32 word = hp_word(&e->lock);

			/* Most of a machine: nobody's. */
			if (sl_likely(!word && type == PAMT_NDA &&
				      !rec_read(c->o, page_at(i, level), level)))
				continue;
			if (!looked_at && word)
				check_word(c, "PAMT entry of page", page_at(i, level).v, word,
					   SHAREX_HP_BIT);
			if (!looked_at)
				check_record(c, e, page_at(i, level), level);
			if (type != PAMT_NDA)
				count_page(c, e, page_at(i, level), level, l);
		}
}

/* ---- one TD --------------------------------------------------------------------------- */

/* What a walk through the S-EPT finds. */
struct sept_count {
	u64 leaves[3];
	u64 tables;
};

static void check_leaf(struct check *c, struct hpa tdr, u64 entry, u32 level, u64 gpa)
{
	struct hpa page = sept_leaf_hpa(entry, level);
	const struct pamt_entry *e = mem_pamt(c->m, page, level);
	u32 flags = sept_state_flags(sept_state(entry));
	u64 rec = rec_read(c->o, page, level);

	if (pamt_type(e) != PAMT_REG || pamt_owner(e).v != tdr.v)
		BROKEN(c, SEPT_01, "GPA 0x%llx level %u maps HPA 0x%llx, which the TD does not own",
		       ull(gpa), level, ull(page.v));
	else if (!rec_is(rec, tdr, (struct gpa){ gpa }))
		BROKEN(c, PAGE_02, "GPA 0x%llx level %u maps HPA 0x%llx, which is mapped at 0x%llx",
		       ull(gpa), level, ull(page.v), ull(rec_gpa(rec).v));
	else if (((flags & SEPT_GUEST_LEAF) && !(rec & REC_ACCEPTED)) ||
		 ((flags & SEPT_GUEST_PENDING) && (rec & REC_ACCEPTED)))
		BROKEN(c, ACCEPT_01, "GPA 0x%llx level %u is %s, and was %saccepted", ull(gpa),
		       level, sept_state_name(sept_state(entry)),
		       rec & REC_ACCEPTED ? "" : "never ");
}

/* The mirror entry that stands for a S-EPT entry must say the same. */
static void check_mirror(struct check *c, const struct vm *vm, u64 entry, u32 level, u64 gpa)
{
	u64 spte = mirror_peek(vm, gpa >> SL_PAGE_SHIFT, level);
	bool present = sept_state(entry) != SEPT_FREE && sept_state(entry) != SEPT_REMOVED;
	bool agree;

	if (!present)
		agree = !(spte & SPTE_PRESENT);
	else if (sept_is_leaf(entry))
		agree = (spte & SPTE_PRESENT) && (spte & SPTE_LEAF) &&
			(spte & SPTE_ADDR) == sept_leaf_hpa(entry, level).v;
	else
		agree = (spte & SPTE_PRESENT) && !(spte & SPTE_LEAF);
	if (!agree)
		BROKEN(c, MIRROR_01, "GPA 0x%llx level %u: mirror 0x%llx, S-EPT 0x%llx (%s)",
		       ull(gpa), level, ull(spte), ull(entry), sept_state_name(sept_state(entry)));
}

static void check_link(struct check *c, struct hpa tdr, u64 entry, u32 level, u64 gpa)
{
	const struct pamt_entry *e = mem_pamt(c->m, sept_hpa(entry), 0);

	if (pamt_type(e) != PAMT_EPT || pamt_owner(e).v != tdr.v)
		BROKEN(c, SEPT_01, "GPA 0x%llx level %u links HPA 0x%llx, no S-EPT page of the TD",
		       ull(gpa), level, ull(sept_hpa(entry).v));
}

static void check_table(struct check *c, const struct vm *vm, struct hpa tdr, struct hpa table,
			u32 level, u64 gpa, struct sept_count *n)
{
	_Atomic u64 *entries = mem_frame(c->m, table);

	for (u32 i = 0; i < SL_ENTRIES; i++, gpa += SL_LEVEL_SIZE(level)) {
		u64 e = atomic_load_explicit(&entries[i], memory_order_relaxed);

		if (e == SEPT_FREE_ENTRY)
			continue;
		if (e & SEPT_TDEL)
			BROKEN(c, LOCK_01, "S-EPT entry of GPA 0x%llx level %u is locked", ull(gpa),
			       level);
		if (c->claims.no_stale_hp && (e & SEPT_HP))
			BROKEN(c, LOCK_02,
			       "S-EPT entry of GPA 0x%llx level %u has a stale HOST_PRIORITY",
			       ull(gpa), level);
		if (vm)
			check_mirror(c, vm, e, level, gpa);
		if (sept_state(e) == SEPT_FREE || sept_state(e) == SEPT_REMOVED)
			continue;
		if (sept_is_leaf(e)) {
			n->leaves[level]++;
			check_leaf(c, tdr, e, level, gpa);
		} else {
			n->tables++;
			check_link(c, tdr, e, level, gpa);
			check_table(c, vm, tdr, sept_hpa(e), level - 1, gpa, n);
		}
	}
}

static void check_tdcs_locks(struct check *c, struct hpa tdr, const struct tdcs *tdcs)
{
	check_word(c, "OP_STATE lock of TDR", tdr.v, hp_word(&tdcs->op_state_lock), SHAREX_HP_BIT);
	check_word(c, "RTMR lock of TDR", tdr.v, hp_word(&tdcs->rtmr_lock), SHAREX_HP_BIT);
	check_word(c, "S-EPT tree lock of TDR", tdr.v, sharex_word(&tdcs->tree_lock),
		   c->m->tree_hp ? SHAREX_HP_BIT : 0);
	check_word(c, "epoch lock of TDR", tdr.v, sharex_word(&tdcs->epoch_lock), 0);
	for (u32 i = 0; i < 2; i++)
		if (atomic_load_explicit(&tdcs->epoch.f.refcount[i], memory_order_relaxed))
			BROKEN(c, EPOCH_01, "REFCOUNT[%u] is %u at rest", i,
			       atomic_load_explicit(&tdcs->epoch.f.refcount[i],
						    memory_order_relaxed));
}

/* The VMM that made the TD, if what it thinks matters. */
static const struct vm *vm_of(const struct check *c, struct hpa tdr)
{
	for (u32 i = 0; c->vmm && !c->claims.no_mirror && i < c->vmm->vm_count; i++)
		if (c->vmm->vm[i].created && c->vmm->vm[i].tdr.v == tdr.v)
			return &c->vmm->vm[i];
	return NULL;
}

static void check_vm(struct check *c, const struct vm *vm, const struct td_pages *have,
		     const struct sept_count *n)
{
	u64 control = vm->tdcx_count;
	struct host_check h;

	for (u32 i = 0; i < vm->vcpu_count; i++)
		control += vm->vcpu[i].created + vm->vcpu[i].tdcx_count;
	if (control != have->control)
		BROKEN(c, MIRROR_01, "the VMM has added %llu control pages, the TD has %llu",
		       ull(control), ull(have->control));
	host_check(vm, &h);
	if (h.frozen || h.orphans || h.leaves[0] != n->leaves[0] || h.leaves[1] != n->leaves[1] ||
	    h.tables != n->tables)
		BROKEN(c, MIRROR_01,
		       "mirror has %llu + %llu leaves, %llu tables, %llu frozen, %llu orphans; "
		       "S-EPT %llu + %llu leaves, %llu tables",
		       ull(h.leaves[0]), ull(h.leaves[1]), ull(h.tables), ull(h.frozen),
		       ull(h.orphans), ull(n->leaves[0]), ull(n->leaves[1]), ull(n->tables));
}

/* The TD's own structures, while its keys are there and nobody reclaims them. */
static void check_tdcs(struct check *c, const struct tdcs *tdcs, const struct td_pages *have)
{
	const struct vm *vm = vm_of(c, have->tdr);
	u32 associated = atomic_load_explicit(&tdcs->num_assoc_vcpus, memory_order_relaxed);
	struct sept_count n = { 0 };

	check_tdcs_locks(c, have->tdr, tdcs);
	if (associated != have->associated)
		BROKEN(c, VCPU_01, "NUM_ASSOC_VCPUS is %u, %u vCPUs are associated", associated,
		       have->associated);
	if (tdcs->op_state == OP_UNINITIALIZED)
		return;
	check_table(c, vm, have->tdr, tdcs->sept_root, tdcs->page_walk, 0, &n);
	if (n.tables != have->tables || n.leaves[0] != have->leaves[0] ||
	    n.leaves[1] != have->leaves[1] || n.leaves[2] != have->leaves[2])
		BROKEN(c, SEPT_01,
		       "the S-EPT has %llu, %llu and %llu leaves and %llu tables; the TD owns %llu, "
		       "%llu and %llu pages for them and %llu S-EPT pages",
		       ull(n.leaves[0]), ull(n.leaves[1]), ull(n.leaves[2]), ull(n.tables),
		       ull(have->leaves[0]), ull(have->leaves[1]), ull(have->leaves[2]),
		       ull(have->tables));
	if (vm)
		check_vm(c, vm, have, &n);
}

static void check_td(struct check *c, const struct td_pages *have)
{
	const struct tdr *tdr = mem_frame(c->m, have->tdr);
	u64 chldcnt = atomic_load_explicit(&tdr->chldcnt, memory_order_relaxed);

	if (chldcnt != have->owned)
		BROKEN(c, PAMT_01, "CHLDCNT is %llu, the TD owns %llu units", ull(chldcnt),
		       ull(have->owned));
	if (tdr->num_tdcx >= TDCX_MIN && tdr->lifecycle == TD_KEYS_CONFIGURED)
		check_tdcs(c, tdr_tdcs(c->m, tdr), have);
}

/* TDRs from page *from on, as many as fit. */
static void find_tds(struct check *c, u64 *from, struct td_list *l)
{
	const struct sl_mem *mem = &c->m->mem;

	l->count = 0;
	for (; *from < mem->pages && l->count < TDS_AT_ONCE; ++*from)
		if (pamt_type(&mem->pamt[0][*from]) == PAMT_TDR)
			l->td[l->count++] = (struct td_pages){ .tdr = page_at(*from, 0) };
}

u32 oracle_check_at_rest(struct oracle *o, struct vmm *vmm, struct sl_env *env,
			 const struct oracle_claims *claims)
{
	struct check c = { .o = o, .m = o->m, .vmm = vmm, .env = env, .claims = *claims };
	struct td_list l;
	u64 from = 0;

	check_global_locks(&c);
	check_ranges(&c);
	do {
		bool first = from == 0;

		find_tds(&c, &from, &l);
		check_pages(&c, &l, !first);
		for (u32 i = 0; i < l.count; i++)
			check_td(&c, &l.td[i]);
	} while (from < c.m->mem.pages);
	return c.findings;
}

/* ---- after teardown -------------------------------------------------------------------- */

u32 oracle_check_empty(struct oracle *o, struct sl_env *env)
{
	struct check c = { .o = o, .m = o->m, .env = env };
	const struct sl_mem *mem = &o->m->mem;
	struct td_list none = { .count = 0 };

	check_global_locks(&c);
	/* First: where a key id is left, so are pages. */
	for (u32 i = 0; i < SL_HKIDS; i++)
		if (o->m->kot[i].state != KOT_FREE && o->m->kot[i].state != KOT_RESERVED)
			BROKEN(&c, EMPTY_02, "key id %u is still in use after teardown", i);
	check_pages(&c, &none, false);
	for (u32 level = 0; level < 3; level++)
		for (u64 i = 0, n = rec_count(mem, level); i < n; i++) {
			enum pamt_type type = pamt_type(&mem->pamt[level][i]);

			if (sl_unlikely(type == PAMT_PAMT))
				BROKEN(&c, EMPTY_03,
				       "2 MB at 0x%llx still has its PAMT pages after teardown",
				       ull(page_at(i, level).v));
			else if (sl_unlikely(type != PAMT_NDA))
				BROKEN(&c, EMPTY_01,
				       "page 0x%llx (level %u) still has PAMT type %u after teardown",
				       ull(page_at(i, level).v), level, type);
		}
	return c.findings;
}
