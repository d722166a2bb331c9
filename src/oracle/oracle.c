// SPDX-License-Identifier: MIT
/* The invariants. Layer: oracle. */
#include "oracle/oracle.h"

#include "module/machine.h"
#include "module/sept.h"

/* A run of checks: counts findings, and stops reporting when it is clear that all is lost. */
struct check {
	struct sl_machine *m;
	struct sl_env *env;
	struct oracle_claims claims;
	u32 findings;
};

#define FINDINGS_MAX 16

#define BROKEN(c, id, ...)                                                           \
	do {                                                                         \
		if ((c)->findings++ < FINDINGS_MAX)                                  \
			env_violate((c)->env, SL_VIOLATION_ORACLE, id, __VA_ARGS__); \
	} while (0)

/* ---- INV-TLB-01 ----------------------------------------------------------------------- */

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

static void check_translation(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 tlb_level)
{
	const u64 *at;
	u64 entry, offset;
	u32 level;

	(void)tlb_level;
	/* The access may come at any time after the translation was cached. */
	look_up(lp, gpa.v, &level, &at);
	env_observe(lp->env, at);
	entry = look_up(lp, gpa.v, &level, &at);
	offset = gpa.v & (SL_LEVEL_SIZE(level) - 1) & ~SL_PAGE_MASK;
	/* Under a blocked table the leaf cannot be seen, and cannot have been removed either. */
	if (!(entry & SEPT_PS) && level != 0 && !(entry & SEPT_RWX) &&
	    (entry & SEPT_STATE_MASK) == sept_state_raw(SEPT_NL_BLOCKED))
		return;
	if (!(entry & SEPT_PS) ||
	    (entry & SEPT_HPA_MASK & ~(SL_LEVEL_SIZE(level) - 1)) + offset != page.v)
		env_violate(lp->env, SL_VIOLATION_ORACLE, "INV-TLB-01",
			    "LP %u uses GPA 0x%llx -> HPA 0x%llx, which was taken from its TD",
			    lp->index, (unsigned long long)gpa.v, (unsigned long long)page.v);
}

static const struct sl_module_hooks watch = {
	.translate = check_translation,
};

void oracle_watch(struct sl_machine *m)
{
	m->hooks = &watch;
}

/* ---- locks ---------------------------------------------------------------------------- */

#define SHAREX_HP_BIT 2u

static void check_word(struct check *c, const char *what, u64 at, u32 word, u32 hp)
{
	if (word & ~hp)
		BROKEN(c, "INV-LOCK-01", "%s at 0x%llx is held at rest (word 0x%04x)", what,
		       (unsigned long long)at, word);
	else if (c->claims.no_stale_hp && (word & hp))
		BROKEN(c, "INV-LOCK-02", "%s at 0x%llx has a stale HOST_PRIORITY", what,
		       (unsigned long long)at);
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

static void check_pamt_locks(struct check *c)
{
	const struct sl_mem *mem = &c->m->mem;

	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);

		for (u64 i = 0; i < n; i++) {
			u32 word = hp_word(&mem->pamt[level][i].lock);

			if (sl_unlikely(word))
				check_word(c, "PAMT entry of page",
					   SL_PRIVATE_BASE + (i << SL_LEVEL_SHIFT(level)), word,
					   SHAREX_HP_BIT);
		}
	}
}

/* ---- one TD --------------------------------------------------------------------------- */

struct td_count {
	u64 leaves[3];
	u64 tables;
};

static void check_leaf(struct check *c, struct hpa tdr, u64 entry, u32 level, u64 gpa)
{
	struct hpa page = sept_leaf_hpa(entry, level);
	struct pamt_entry *e = mem_pamt(c->m, page, level);

	if (pamt_type(e) != PAMT_REG || pamt_owner(e).v != tdr.v)
		BROKEN(c, "INV-SEPT-01",
		       "GPA 0x%llx level %u maps HPA 0x%llx, which the TD does not own",
		       (unsigned long long)gpa, level, (unsigned long long)page.v);
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
		BROKEN(c, "INV-MIRROR-01", "GPA 0x%llx level %u: mirror 0x%llx, S-EPT 0x%llx (%s)",
		       (unsigned long long)gpa, level, (unsigned long long)spte,
		       (unsigned long long)entry, sept_state_name(sept_state(entry)));
}

static void check_table(struct check *c, const struct vm *vm, struct hpa tdr, struct hpa table,
			u32 level, u64 gpa, struct td_count *n)
{
	_Atomic u64 *entries = mem_frame(c->m, table);

	for (u32 i = 0; i < SL_ENTRIES; i++, gpa += SL_LEVEL_SIZE(level)) {
		u64 e = atomic_load_explicit(&entries[i], memory_order_relaxed);

		if (e == SEPT_FREE_ENTRY)
			continue;
		if (e & SEPT_TDEL)
			BROKEN(c, "INV-LOCK-01", "S-EPT entry of GPA 0x%llx level %u is locked",
			       (unsigned long long)gpa, level);
		if (c->claims.no_stale_hp && (e & SEPT_HP))
			BROKEN(c, "INV-LOCK-02",
			       "S-EPT entry of GPA 0x%llx level %u has a stale HOST_PRIORITY",
			       (unsigned long long)gpa, level);
		if (!c->claims.no_mirror)
			check_mirror(c, vm, e, level, gpa);
		if (sept_state(e) == SEPT_FREE || sept_state(e) == SEPT_REMOVED)
			continue;
		if (sept_is_leaf(e)) {
			n->leaves[level]++;
			check_leaf(c, tdr, e, level, gpa);
		} else {
			n->tables++;
			check_table(c, vm, tdr, sept_hpa(e), level - 1, gpa, n);
		}
	}
}

static void check_vcpus(struct check *c, const struct vm *vm, const struct tdcs *tdcs, u64 *owned)
{
	u32 associated = 0;

	for (u32 i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = &vm->vcpu[i];
		const struct tdvps *vp;

		*owned += v->created + v->tdcx_count;
		if (!v->created)
			continue;
		vp = mem_frame(c->m, v->tdvpr);
		if (atomic_load_explicit(&vp->state, memory_order_relaxed) == VCPU_ACTIVE)
			BROKEN(c, "INV-VCPU-01", "vCPU %u is ACTIVE at rest", i);
		if (atomic_load_explicit(&vp->assoc_lpid, memory_order_relaxed) != LPID_NONE)
			associated++;
	}
	if (associated != atomic_load_explicit(&tdcs->num_assoc_vcpus, memory_order_relaxed))
		BROKEN(c, "INV-VCPU-01", "NUM_ASSOC_VCPUS is %u, %u vCPUs are associated",
		       atomic_load_explicit(&tdcs->num_assoc_vcpus, memory_order_relaxed),
		       associated);
}

static void check_tdcs_locks(struct check *c, const struct vm *vm, const struct tdcs *tdcs)
{
	check_word(c, "OP_STATE lock of TDR", vm->tdr.v, hp_word(&tdcs->op_state_lock),
		   SHAREX_HP_BIT);
	check_word(c, "RTMR lock of TDR", vm->tdr.v, hp_word(&tdcs->rtmr_lock), SHAREX_HP_BIT);
	check_word(c, "S-EPT tree lock of TDR", vm->tdr.v, sharex_word(&tdcs->tree_lock),
		   c->m->tree_hp ? SHAREX_HP_BIT : 0);
	check_word(c, "epoch lock of TDR", vm->tdr.v, sharex_word(&tdcs->epoch_lock), 0);
	for (u32 i = 0; i < 2; i++)
		if (atomic_load_explicit(&tdcs->epoch.f.refcount[i], memory_order_relaxed))
			BROKEN(c, "INV-EPOCH-01", "REFCOUNT[%u] is %u at rest", i,
			       atomic_load_explicit(&tdcs->epoch.f.refcount[i],
						    memory_order_relaxed));
}

static void check_td(struct check *c, const struct vm *vm)
{
	const struct tdr *tdr = mem_frame(c->m, vm->tdr);
	const struct tdcs *tdcs;
	struct td_count n = { 0 };
	struct host_check h;
	u64 owned = tdr->num_tdcx, chldcnt;

	/* A TD without key id is on its way out: its S-EPT means nothing any more. */
	if (tdr->num_tdcx < TDCX_MIN || tdr->lifecycle == TD_TEARDOWN)
		return;
	tdcs = tdr_tdcs(c->m, tdr);
	check_tdcs_locks(c, vm, tdcs);
	if (tdcs->op_state == OP_UNINITIALIZED)
		return;
	check_table(c, vm, vm->tdr, tdcs->sept_root, tdcs->page_walk, 0, &n);
	check_vcpus(c, vm, tdcs, &owned);
	owned += n.tables;
	for (u32 level = 0; level < 3; level++)
		owned += n.leaves[level] * SL_LEVEL_PAGES(level);
	chldcnt = atomic_load_explicit(&tdr->chldcnt, memory_order_relaxed);
	if (chldcnt != owned)
		BROKEN(c, "INV-PAMT-01", "CHLDCNT is %llu, the TD owns %llu units",
		       (unsigned long long)chldcnt, (unsigned long long)owned);
	if (c->claims.no_mirror)
		return;
	host_check(vm, &h);
	if (h.frozen || h.orphans || h.leaves[0] != n.leaves[0] || h.leaves[1] != n.leaves[1] ||
	    h.tables != n.tables)
		BROKEN(c, "INV-MIRROR-01",
		       "mirror has %llu + %llu leaves, %llu tables, %llu frozen, %llu orphans; "
		       "S-EPT %llu + %llu leaves, %llu tables",
		       (unsigned long long)h.leaves[0], (unsigned long long)h.leaves[1],
		       (unsigned long long)h.tables, (unsigned long long)h.frozen,
		       (unsigned long long)h.orphans, (unsigned long long)n.leaves[0],
		       (unsigned long long)n.leaves[1], (unsigned long long)n.tables);
}

u32 oracle_check_at_rest(struct sl_machine *m, struct vmm *vmm, struct sl_env *env,
			 const struct oracle_claims *claims)
{
	struct check c = { .m = m, .env = env, .claims = *claims };

	check_global_locks(&c);
	check_pamt_locks(&c);
	for (u32 i = 0; i < vmm->vm_count; i++)
		if (vmm->vm[i].created)
			check_td(&c, &vmm->vm[i]);
	return c.findings;
}

/* ---- after teardown -------------------------------------------------------------------- */

u32 oracle_check_empty(struct sl_machine *m, struct vmm *vmm, struct sl_env *env)
{
	struct check c = { .m = m, .env = env };
	const struct sl_mem *mem = &m->mem;

	(void)vmm;
	check_global_locks(&c);
	check_pamt_locks(&c);
	/* First: where a key id is left, so are pages. */
	for (u32 i = 0; i < SL_HKIDS; i++)
		if (m->kot[i].state != KOT_FREE && m->kot[i].state != KOT_RESERVED)
			BROKEN(&c, "INV-EMPTY-02", "key id %u is still in use after teardown", i);
	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);

		for (u64 i = 0; i < n; i++)
			if (sl_unlikely(pamt_type(&mem->pamt[level][i]) != PAMT_NDA))
				BROKEN(&c, "INV-EMPTY-01",
				       "page 0x%llx (level %u) still has PAMT type %u after teardown",
				       (unsigned long long)(SL_PRIVATE_BASE +
							    (i << SL_LEVEL_SHIFT(level))),
				       level, pamt_type(&mem->pamt[level][i]));
	}
	return c.findings;
}
