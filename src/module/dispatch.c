// SPDX-License-Identifier: MIT
/*
 * SEAMCALL and TDCALL dispatchers: pre-checks, the leaf, what happens after it (spec:
 * "Leaf/version word", "Host-priority timeout"). Layer: module.
 */
#include "module/guest_leave.h"
#include "module/leaf/leaf.h"
#include "module/sys.h"
#include "module/td_exit.h"
#include "module/zero_step.h"

#define RAX_LEAF(rax)     ((u32)((rax)&0xFFFF))
#define RAX_VERSION(rax)  ((u32)((rax) >> TDX_RAX_VERSION_SHIFT & 0xFF))
#define RAX_RESERVED_MASK (GENMASK_ULL(31, 24) | GENMASK_ULL(63, 32))

/* Leaves that work before the module is READY. */
static bool works_before_ready(u32 leaf)
{
	switch (leaf) {
	case SEAMCALL_tdh_sys_info:
	case SEAMCALL_tdh_sys_rd:
	case SEAMCALL_tdh_sys_rdall:
	case SEAMCALL_tdh_sys_init:
	case SEAMCALL_tdh_sys_lp_init:
	case SEAMCALL_tdh_sys_config:
	case SEAMCALL_tdh_sys_key_config:
	case SEAMCALL_tdh_sys_lp_shutdown:
		return true;
	default:
		return false;
	}
}

/* As lock_plan(), for the calls to go through: one that takes no lock has nothing but an end. */
static const struct lock_step *plan_of(enum sl_release r, bool guest, u32 leaf, u32 version)
{
	static const struct lock_step none = { .object = LOCK_END };
	const struct lock_step *plan = lock_plan(r, guest, leaf, version);

	return plan ? plan : &none;
}

void leaf_rows_init(struct sl_machine *m)
{
	enum sl_release r = m->cfg.release;

#define SL_SEAMCALL(ident, number, name)
#define SL_SEAMCALL_IMPL(ident, number, name) m->seamcall[number].run = ident;
#define SL_TDCALL(ident, number, name)
#define SL_TDCALL_IMPL(ident, number, name) m->tdcall[number].run = ident;
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since, ident, number, name)                  \
	_Static_assert(number < TDX_SEAMCALL_COUNT, "in the table"); \
	if (release_has(r, since))                                   \
		m->seamcall[number].run = ident;
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
	for (u32 leaf = 0; leaf < TDX_SEAMCALL_COUNT; leaf++) {
		struct leaf_row *row = &m->seamcall[leaf];

		row->plan[0] = plan_of(r, false, leaf, 0);
		row->plan[1] = plan_of(r, false, leaf, 1);
		row->entry_states = sept_allowed(leaf);
		row->op_states = (u16)release_op_allowed(r, leaf);
		row->version_max = (u8)release_seamcall_version(r, leaf);
		row->before_ready = works_before_ready(leaf);
	}
	for (u32 leaf = 0; leaf < TDX_TDCALL_COUNT; leaf++) {
		struct leaf_row *row = &m->tdcall[leaf];

		row->plan[0] = row->plan[1] = plan_of(r, true, leaf, 0);
		/* Only TDG.VM.RD has a version 1. */
		row->version_max = leaf == TDCALL_tdg_vm_rd;
	}
}

/* Numbers beyond the table are leaves of migration, none of which is modelled. */
static const struct leaf_row *row_of(const struct leaf_row *rows, u32 count, u64 rax)
{
	static const struct leaf_row none = { 0 };

	return sl_likely(RAX_LEAF(rax) < count) ? &rows[RAX_LEAF(rax)] : &none;
}

static u64 seamcall_precheck(struct sl_lp *lp, u64 rax, const struct leaf_row *leaf)
{
	enum sys_state state = sys_state(lp->machine);

	/* A guest that runs on this LP is in the TD: SEAMCALL does not exist there. */
	if (lp->vp || (rax & RAX_RESERVED_MASK))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	if (RAX_VERSION(rax) && !leaf->version_max)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	if (sl_unlikely(state != SYS_READY)) {
		if (state == SYS_SHUT_DOWN && RAX_LEAF(rax) != SEAMCALL_tdh_sys_lp_shutdown)
			return TDX_SYS_SHUTDOWN;
		if (!leaf->before_ready)
			return TDX_SYS_NOT_READY;
	}
	/* A version too high is for the leaf to refuse, which comes after the module's state. */
	if (!leaf->run || RAX_VERSION(rax) > leaf->version_max)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	return 0;
}

/* The call's record, as its leaf finds it. */
static void call_begin(struct call *c, struct sl_lp *lp, u64 rax, struct tdx_module_args *args,
		       const struct leaf_row *leaf)
{
	*c = (struct call){ .lp = lp,
			    .m = lp->machine,
			    .args = args,
			    .leaf = leaf,
			    .version = RAX_VERSION(rax),
			    .hardened = lp->machine->hardened,
			    .plan = leaf->plan[RAX_VERSION(rax)] };
}

static bool status_is_busy(u64 status)
{
	u64 class = status & TDX_STATUS_CLASS_MASK;

	return status && (class == TDX_OPERAND_BUSY || class == TDX_OPERAND_BUSY_HOST_PRIORITY ||
			  class == TDX_SYS_BUSY || class == TDX_PREVIOUS_TLB_EPOCH_BUSY ||
			  class == TDX_INTERRUPTED_BUSY);
}

static void count_seamcall(struct sl_lp *lp, u32 leaf, u64 status)
{
	struct sl_stats *s = lp->env->stats;

	if (!s || leaf >= TDX_SEAMCALL_COUNT)
		return;
	s->seamcalls[leaf]++;
	if (sl_unlikely(status_is_busy(status)))
		s->seamcall_busy[leaf][status & (SL_OPERAND_SLOTS - 1)]++;
}

/* Every path of a leaf has released what it took: an oracle's business, or else a bug. */
SL_COLD static void not_released(const struct call *c, const char *leaf, u64 status)
{
	const struct sl_module_hooks *hooks = c->m->hooks;

	SL_BUG_ON(!hooks || !hooks->leaked);
	hooks->leaked(c->lp, leaf, status, c->held);
}

/* What a call leaves to whoever made it is in the world, in its status, and in its registers. */
static void settle_call(struct sl_env *env, enum module_checkpoint label, u64 status,
			const struct tdx_module_args *args)
{
	const u64 *reg = &args->rcx;
	u64 digest = 0;

	if (!env_settles(env))
		return;
	for (u32 i = 0; i < sizeof(*args) / sizeof(*reg); i++)
		digest = (digest ^ reg[i]) * 0x9E3779B97F4A7C15ull + (digest >> 29);
	env_settle(env, label, status, digest);
}

u32 sl_seamcall_version(const struct sl_machine *m, u32 leaf)
{
	return release_seamcall_version(m->cfg.release, leaf);
}

u64 seamcall(struct sl_lp *lp, u64 rax, struct tdx_module_args *args)
{
	struct sl_machine *m = lp->machine;
	const struct leaf_row *leaf = row_of(m->seamcall, TDX_SEAMCALL_COUNT, rax);
	struct call c;
	u64 st;

	if (sl_unlikely(atomic_load_explicit(&m->halted, memory_order_relaxed)))
		return TDX_UNINITIALIZE_ERROR;
	atomic_store_explicit(&lp->busy, true, memory_order_relaxed);
	env_note(lp->env, SL_NOTE_SEAMCALL_BEGINS, rax, 0);
	env_mark(lp->env);
	st = seamcall_precheck(lp, rax, leaf);
	if (sl_likely(!st)) {
		call_begin(&c, lp, rax, args, leaf);
		st = leaf->run(&c);
		if (sl_unlikely(c.held))
			not_released(&c, tdx_seamcall_name(RAX_LEAF(rax)), st);
	}
	if (sl_unlikely(atomic_load_explicit(&m->halted, memory_order_relaxed)))
		st = TDX_UNINITIALIZE_ERROR;
	count_seamcall(lp, RAX_LEAF(rax), st);
	env_note(lp->env, SL_NOTE_SEAMCALL, rax, st);
	settle_call(lp->env, MODULE_SETTLED_SEAMCALL, st, args);
	atomic_store_explicit(&lp->busy, false, memory_order_relaxed);
	return st;
}

/* A guest is refused because of a host: the first time the timer starts, later it may have run out. */
SL_COLD static u64 hp_timer_runs(struct sl_lp *lp, u64 status, const struct tdx_module_args *args)
{
	struct tdvps *vp = lp->vp;
	u64 timeout;

	status = TDX_OPERAND_BUSY | (status & TDX_STATUS_DETAIL_MASK);
	if (!lp->machine->cfg.hp_timeout)
		return status;
	if (!vp->hp_lock_busy) {
		vp->hp_lock_busy = true;
		vp->hp_lock_busy_start = env_now(lp->env);
		return status;
	}
	timeout = atomic_load_explicit(&lp->tdcs->hp_lock_timeout, memory_order_relaxed);
	if (!env_elapsed(lp->env, vp->hp_lock_busy_start, timeout))
		return status;
	vp->hp_lock_busy = false;
	vp->rax = status;
	/* The guest's own registers stay as the leaf left them; the host sees zeros. */
	vp->gpr = *args;
	lp->exit = (struct td_exit){ .pending = true,
				     .completed = true,
				     .last_exit = LAST_EXIT_ASYNC_TRAP,
				     .rax = TDX_HOST_PRIORITY_BUSY_TIMEOUT };
	return status;
}

/*
 * The host-priority timer. Called with the status of a TDCALL that goes back to the guest; returns
 * what the guest sees. After the timeout a TD exit is pending instead.
 */
SL_INLINE u64 hp_timer(struct sl_lp *lp, u64 status, const struct tdx_module_args *args)
{
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY_HOST_PRIORITY)
		return hp_timer_runs(lp, status, args);
	lp->vp->hp_lock_busy = false;
	return status;
}

SL_COLD static void count_tdcall_busy(struct sl_lp *lp, u32 leaf, u64 status)
{
	struct sl_stats *s = lp->env->stats;

	if (s && leaf < TDX_TDCALL_COUNT)
		s->tdcall_busy[leaf][status & (SL_OPERAND_SLOTS - 1)]++;
	sl_count(lp->env, SL_CTR_guest_busy);
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY_HOST_PRIORITY)
		sl_count(lp->env, SL_CTR_guest_busy_hp);
}

SL_INLINE void count_tdcall(struct sl_lp *lp, u32 leaf, u64 status)
{
	struct sl_stats *s = lp->env->stats;

	if (s && leaf < TDX_TDCALL_COUNT)
		s->tdcalls[leaf]++;
	if (status_is_busy(status))
		count_tdcall_busy(lp, leaf, status);
}

/* One execution of the leaf. Sets c->restart, c->exits or c->ve as the leaf does. */
SL_INLINE u64 tdcall_once(struct sl_lp *lp, u64 rax, struct tdx_module_args *args, struct call *c)
{
	const struct leaf_row *leaf = row_of(lp->machine->tdcall, TDX_TDCALL_COUNT, rax);
	u64 st;

	if (sl_unlikely((rax & RAX_RESERVED_MASK) || !leaf->run ||
			RAX_VERSION(rax) > leaf->version_max)) {
		/* For the caller to look at, whatever becomes of the call. */
		c->restart = c->exits = c->ve = false;
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	}
	call_begin(c, lp, rax, args, leaf);
	st = leaf->run(c);
	if (sl_unlikely(c->held))
		not_released(c, tdx_tdcall_name(RAX_LEAF(rax)), st);
	return st;
}

/*
 * What comes after one execution of the leaf that returned *st. True: the call is over, and *st what the
 * guest sees; else the leaf is to be executed again.
 */
SL_INLINE bool tdcall_ends(struct sl_lp *lp, u64 rax, struct tdx_module_args *args,
			   const struct call *c, u64 *st)
{
	if (sl_unlikely(atomic_load_explicit(&lp->machine->halted, memory_order_relaxed))) {
		*st = TDX_UNINITIALIZE_ERROR;
		td_exit_async(lp, *st);
		return true;
	}
	lp->ve_injected = c->ve;
	if (c->exits || c->ve)
		return true;
	/* Twice, so that a success is known to be neither busy nor a host's. */
	if (sl_likely(!*st)) {
		count_tdcall(lp, RAX_LEAF(rax), 0);
		*st = hp_timer(lp, 0, args);
	} else {
		count_tdcall(lp, RAX_LEAF(rax), *st);
		*st = hp_timer(lp, *st, args);
	}
	return !c->restart;
}

/* Transparent restart: the guest executes the same TDCALL again, on the same registers. */
static __attribute__((noinline)) u64
tdcall_again(struct sl_lp *lp, u64 rax, struct tdx_module_args *args, struct call *c, u64 st)
{
	do {
		env_settle(lp->env, MODULE_SETTLED_AGAIN, 0, 0);
		if (sl_guest_exiting(lp))
			break;
		st = tdcall_once(lp, rax, args, c);
	} while (!tdcall_ends(lp, rax, args, c, &st));
	return st;
}

u64 tdcall_once_through(struct sl_lp *lp, u64 rax, struct tdx_module_args *args)
{
	struct call c;
	u64 st;

	if (!lp->vp || lp->exit.pending)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	if (sl_unlikely(atomic_load_explicit(&lp->machine->halted, memory_order_relaxed))) {
		td_exit_async(lp, TDX_UNINITIALIZE_ERROR);
		return TDX_UNINITIALIZE_ERROR;
	}
	lp->ve_injected = false;
	env_note(lp->env, SL_NOTE_TDCALL_BEGINS, rax, 0);
	env_mark(lp->env);
	/* A TDCALL is a VM exit too. */
	zero_step_on_vm_exit(lp);
	st = tdcall_once(lp, rax, args, &c);
	if (sl_unlikely(!tdcall_ends(lp, rax, args, &c, &st)))
		st = tdcall_again(lp, rax, args, &c, st);
	env_note(lp->env, SL_NOTE_TDCALL, rax, st);
	settle_call(lp->env, MODULE_SETTLED_TDCALL, st, args);
	return st;
}

u64 tdcall(struct sl_lp *lp, u64 rax, struct tdx_module_args *args)
{
	if (sl_unlikely(guest_is_left(lp)))
		return tdcall_resumed(lp, lp->vp->rip, rax, args);
	return tdcall_once_through(lp, rax, args);
}

u64 sl_guest_tdcall(struct sl_lp *lp, u64 rip, u64 rax, struct tdx_module_args *args)
{
	if (guest_is_left(lp))
		return tdcall_resumed(lp, rip, rax, args);
	return tdcall_once_through(lp, rax, args);
}
