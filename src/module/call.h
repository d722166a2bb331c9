/* SPDX-License-Identifier: MIT */
/*
 * One SEAMCALL or TDCALL in flight, and the building blocks of which leaves are made: taking and
 * releasing locks under the leaf's plan, operand checks, TD state checks, commits to S-EPT entries.
 *
 * Every *_lock function returns 0 or the status that the leaf returns; nothing is held on failure.
 * Layer: module, private.
 */
#ifndef SL_MODULE_CALL_H
#define SL_MODULE_CALL_H

#include "module/machine.h"
#include "module/plan.h"
#include "module/sept.h"

struct call {
	struct sl_lp *lp;
	struct sl_machine *m;
	struct tdx_module_args *args;
	u32 leaf;
	u32 version;
	const struct lock_step *plan; /* next step that may be taken */
	u32 held;                     /* lock words held now; 0 when the leaf returns */
	bool restart;                 /* TDCALL: nothing happened as far as the guest can tell */
	bool exits;                   /* TDCALL: a TD exit is pending */
	bool ve;                      /* TDCALL: #VE was injected instead */
};

typedef u64 (*leaf_fn)(struct call *c);

/* Status with an operand id. */
static inline u64 with_op(u64 status, u32 operand)
{
	return status + operand;
}

/* ---- Locks ----------------------------------------------------------------------------- */

/*
 * The lock of @step is taken; for a page: the PAMT entry at @level, on the way to it. Returns the
 * step's status.
 */
u64 call_refused(const struct call *c, const struct lock_step *step, u32 level);

/* Finds @object in the rest of the plan; a lock that the plan does not allow here is a bug. */
const struct lock_step *call_plan_step(struct call *c, enum lock_object object, enum lock_mode mode,
				       enum lock_path path);

/* The mode in which the rest of the plan takes @object, which it must list. */
enum lock_mode call_plan_mode(const struct call *c, enum lock_object object);

/* Does the rest of the plan list @object? */
bool call_plan_lists(const struct call *c, enum lock_object object);

/* A PAMT entry held in some mode, together with its parents when they were walked. */
struct page_lock {
	struct hpa page;
	struct pamt_entry *entry;
	struct pamt_entry *parent[2]; /* 2 MB, 1 GB; NULL if not taken */
	u8 level;
	u8 mode;
};

#define LEVEL_ANY 3

/*
 * Explicit page (spec: "Hierarchical walk"): checks the address, walks, checks size and type.
 * @level LEVEL_ANY takes whatever leaf is there (then @type is not checked).
 */
u64 page_lock_explicit(struct call *c, enum lock_object object, u64 hpa, enum lock_mode mode,
		       u32 level, enum pamt_type type, struct page_lock *out) SL_WARN_UNUSED;
/* Format and coverage of the address of a private page at @level. OPERAND_INVALID, ADDR_RANGE_ERROR. */
u64 private_page_check(const struct sl_machine *m, u64 hpa, u32 level, u32 operand) SL_WARN_UNUSED;
/*
 * The walk alone, under @step, to an address that has been checked: takes the leaf, of whatever type, at
 * @level or where the walk ends above it.
 */
u64 page_walk(struct call *c, const struct lock_step *step, struct hpa page, enum lock_mode mode,
	      u32 level, struct page_lock *out) SL_WARN_UNUSED;
/* One PAMT entry only, whatever its type. */
u64 page_lock_leaf(struct call *c, enum lock_object object, struct hpa page, enum lock_mode mode,
		   u32 level, struct page_lock *out) SL_WARN_UNUSED;
/*
 * The PAMT entry of a page that is in use, without a lock (spec: "Implicit access"). NULL after a
 * halt: a type that no page in use has.
 */
struct pamt_entry *pamt_get(struct call *c, struct hpa page, u32 level) SL_WARN_UNUSED;
/* Implicit page: pamt_get(), then page_lock_leaf(). */
u64 page_lock_implicit(struct call *c, enum lock_object object, struct hpa page,
		       enum lock_mode mode, u32 level, struct page_lock *out) SL_WARN_UNUSED;
void page_unlock(struct call *c, struct page_lock *l);

u64 sharex_lock(struct call *c, enum lock_object object, sharex_t *l,
		enum lock_mode mode) SL_WARN_UNUSED;
void sharex_unlock(struct call *c, sharex_t *l, enum lock_mode mode);
u64 mutex_lock(struct call *c, enum lock_object object, hp_mutex_t *l) SL_WARN_UNUSED;
void mutex_unlock(struct call *c, hp_mutex_t *l);

/* ---- TD state -------------------------------------------------------------------------- */

struct td_ref {
	struct page_lock lock;
	struct tdr *tdr;
	struct tdcs *tdcs; /* set by td_state_check() */
	bool op_state_held;
};

/* Explicit TDR; @hpa is the register's value. */
u64 tdr_lock(struct call *c, u64 hpa, enum lock_mode mode, struct td_ref *td) SL_WARN_UNUSED;
/* The TDR that owns an already locked page, in the mode that the plan says. */
u64 tdr_lock_implicit(struct call *c, const struct page_lock *page,
		      struct td_ref *td) SL_WARN_UNUSED;
/*
 * Fatal, lifecycle, TDCS pages, OP_STATE lock (if @lock), leaf allowed in OP_STATE. Sets td->tdcs.
 */
u64 td_state_check(struct call *c, struct td_ref *td, bool lock) SL_WARN_UNUSED;
void op_state_unlock(struct call *c, struct td_ref *td);
/* Does this leaf accept the TD's OP_STATE? The refusals carry the state where the release has it so. */
bool op_state_allowed(const struct call *c, const struct tdcs *tdcs);
u64 op_state_incorrect(const struct call *c, const struct tdcs *tdcs);
u64 vcpu_state_incorrect(const struct call *c, u32 state);
/* Releases OP_STATE, if held, and the TDR. */
void tdr_unlock(struct call *c, struct td_ref *td);

/* ---- S-EPT ------------------------------------------------------------------------------ */

struct entry_ref {
	struct gpa gpa;
	u32 level;
	_Atomic u64 *entry;
	u64 copy; /* as read after the lock was taken */
	enum sept_state state;
	enum lock_mode tree_mode;
	bool tree_held;
	bool locked;
};

/* The S-EPT tree lock, of whichever kind the release has. */
u64 tree_word_lock(struct call *c, struct tdcs *tdcs, enum lock_mode mode) SL_WARN_UNUSED;
void tree_word_unlock(struct call *c, struct tdcs *tdcs, enum lock_mode mode);
/* Page info in RCX: level and GPA. OPERAND_INVALID|RCX if malformed. */
u64 page_info_decode(u64 rcx, u32 level_min, u32 level_max, struct entry_ref *e) SL_WARN_UNUSED;
/* The same for an entry that will be walked to. */
u64 tree_lock(struct call *c, struct td_ref *td, enum lock_mode mode,
	      struct entry_ref *e) SL_WARN_UNUSED;
/* Makes the share of the tree exclusive, or leaves it as it is. Hardened flows only. */
u64 tree_promote(struct call *c, struct td_ref *td, struct entry_ref *e) SL_WARN_UNUSED;
/* GPA validity, tree lock, walk. Fills extended error information when the walk falls short. */
u64 tree_lock_walk(struct call *c, struct td_ref *td, enum lock_mode mode,
		   struct entry_ref *e) SL_WARN_UNUSED;
/* The lock bit of one entry, host side, under a plan step that the caller has taken. */
bool entry_word_lock(struct call *c, _Atomic u64 *entry) SL_WARN_UNUSED;
void entry_word_unlock(struct call *c, _Atomic u64 *entry);
/* Entry lock, host side, then the leaf's allowed states; extended information on both failures. */
u64 entry_lock_host(struct call *c, struct entry_ref *e) SL_WARN_UNUSED;
u64 entry_check_state(struct call *c, struct entry_ref *e) SL_WARN_UNUSED;
void entry_unlock(struct call *c, struct entry_ref *e);
void tree_unlock(struct call *c, struct td_ref *td, struct entry_ref *e);
/*
 * Stores @value. The HP bit is @value's in the published flavour of a release whose commits are plain
 * stores, else what it is in memory.
 */
void entry_commit(struct call *c, struct entry_ref *e, u64 value, bool keep_locked);
/* Extended error information in RCX and RDX. */
void ext_info(struct call *c, u64 entry, u32 level);

/* Mask over enum sept_state that this SEAMCALL leaf accepts. */
u32 sept_allowed(u32 leaf);
bool op_state_tracks(u32 op_state);

/* BLOCKED and TLB tracking, demanded where both states require tracking. */
u64 tracking_check(struct call *c, const struct td_ref *td, const struct entry_ref *e,
		   u32 untracked_operand) SL_WARN_UNUSED;
/* PAMT entry that carries the BEPOCH of what @copy maps or links at @level. */
struct pamt_entry *entry_pamt(struct sl_machine *m, u64 copy, u32 level);

/* ---- Oracles --------------------------------------------------------------------------- */

/* Tells the oracles of a commit, under the locks that it is made under. */
#define call_committed(c, ...)                                                          \
	do {                                                                            \
		const struct sl_module_hooks *hooks_ = (c)->m->hooks;                   \
                                                                                        \
		if (sl_unlikely(hooks_ && hooks_->commit))                              \
			hooks_->commit((c)->lp, &(const struct commit){ __VA_ARGS__ }); \
	} while (0)

/* ---- Interrupts ------------------------------------------------------------------------ */

/*
 * Polled where a SEAMCALL lets itself be interrupted. Besides interrupts that somebody raised there
 * may be one at every poll, if the machine is configured so.
 */
static inline bool host_interrupt_pending(const struct call *c)
{
	return lp_interrupt_pending(c->lp) ||
	       (c->m->cfg.interrupts && env_choose(c->lp->env, SL_CHOICE_INTERRUPT, 2));
}

/*
 * Has a long leaf to give way? TDX_INTERRUPTED_RESTARTABLE for an interrupt; where the release looks at
 * it, TDX_INTERRUPTED_BUSY for a host that was refused the tree; else 0.
 */
u64 must_give_way(const struct call *c, const struct tdcs *tdcs) SL_WARN_UNUSED;

/* ---- Shared operand checks ------------------------------------------------------------- */

/* A page of shared memory of @align bytes alignment; NULL if the operand is not valid. */
void *shared_operand(struct sl_machine *m, u64 pa, u64 align);

#endif
