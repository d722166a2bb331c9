// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/td_exit.h"
#include "module/tlb.h"
#include "module/track.h"
#include "module/vcpu.h"
#include "module/zero_step.h"

#define ENTER_HINT      BIT_ULL(52)
#define ENTER_RESUME_L1 BIT_ULL(53)
#define GUEST_RAX_HINT  BIT_ULL(60)

/* Everything that an entry holds, in the order in which it got it. */
struct entry {
	struct page_lock tdvpr;
	struct td_ref td;
	struct tdvps *vp;
	bool referenced; /* counted in REFCOUNT */
	bool tree_held;
	enum lock_mode tree_mode;
};

/* Operands and platform conditions that come after the association. */
static u64 check_operands(struct call *c, const struct tdvps *vp, u64 rcx)
{
	if ((rcx & ENTER_HINT) && vp->last_exit != LAST_EXIT_ASYNC_TRAP)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	/* This TD's current VM is always L1, which cannot be resumed to. */
	if (rcx & ENTER_RESUME_L1)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	if (c->lp->platform & SL_PLATFORM_TSC_ADJUST)
		return with_op(TDX_INCONSISTENT_MSR, MSR_IA32_TSC_ADJUST);
	if (c->lp->platform & SL_PLATFORM_TSC_ROLLBACK)
		return TDX_TSC_ROLLBACK;
	if (c->lp->platform & SL_PLATFORM_NO_MONITOR)
		return with_op(TDX_INCORRECT_MSR_VALUE, MSR_IA32_MISC_ENABLE);
	return 0;
}

/* Enters the TD's current epoch, flushing what was cached under another one. */
static u64 enter_epoch(struct call *c, struct entry *e, bool fresh)
{
	struct tdcs *tdcs = e->td.tdcs;
	u64 epoch;
	u64 st = sharex_lock(c, LOCK_EPOCH, &tdcs->epoch_lock, LOCK_SH);

	if (st)
		return st;
	/* The epoch moves under its lock only, exclusive. */
	env_commutes(c->lp->env, &tdcs->epoch.f.epoch);
	epoch = epoch_read(tdcs);
	/* Until it may move nobody asks for this count, but for that of the epoch before. */
	env_commutes(c->lp->env, &tdcs->epoch.f.refcount[epoch & 1]);
	epoch_enter(tdcs, epoch);
	e->referenced = true;
	sharex_unlock(c, &tdcs->epoch_lock, LOCK_SH);
	if (epoch != e->vp->vcpu_epoch) {
		/* A vCPU that comes fresh to this LP has nothing cached here: VP.FLUSH saw to it. */
		if (!fresh)
			tlb_flush(c->lp);
		e->vp->vcpu_epoch = epoch;
	}
	return 0;
}

/* Guest registers as the last exit left them and the host changed them. */
static void restore_registers(struct call *c, struct tdvps *vp, u64 rcx)
{
	const struct tdx_module_args *in = c->args;
	u64 mask = vp->vmcall_mask;

	if (vp->last_exit == LAST_EXIT_ASYNC_TRAP) {
		vp->rax &= ~GUEST_RAX_HINT;
		if (rcx & ENTER_HINT)
			vp->rax |= GUEST_RAX_HINT;
	} else if (vp->last_exit == LAST_EXIT_TDVMCALL) {
		struct tdx_module_args *g = &vp->gpr;

		vp->rax = 0;
		g->rcx = mask;
#define FROM_HOST(bit, reg) (g->reg = (mask >> (bit)&1) ? in->reg : g->reg)
		FROM_HOST(2, rdx);
		FROM_HOST(3, rbx);
		FROM_HOST(6, rsi);
		FROM_HOST(7, rdi);
		FROM_HOST(8, r8);
		FROM_HOST(9, r9);
		FROM_HOST(10, r10);
		FROM_HOST(11, r11);
		FROM_HOST(12, r12);
		FROM_HOST(13, r13);
		FROM_HOST(14, r14);
		FROM_HOST(15, r15);
#undef FROM_HOST
	}
}

/* Runs the guest on this LP until a TD exit is pending. */
static void run_guest(struct call *c, struct entry *e)
{
	struct sl_lp *lp = c->lp;

	lp->vp = e->vp;
	lp->tdr = e->td.tdr;
	lp->tdcs = e->td.tdcs;
	lp->tdr_hpa = e->td.lock.page;
	lp->exit.pending = false;
	if (e->vp->guest)
		e->vp->guest->run(e->vp->guest, lp);
	else
		/* No guest behind the vCPU: an LP without work waits for an interrupt. */
		td_exit_async(lp, EXIT_REASON_EXTERNAL_INTERRUPT);
	SL_BUG_ON(!lp->exit.pending);
	lp->user_msr = SL_USER_MSR_RESET;
	lp->vp = NULL;
	lp->tdr = NULL;
	lp->tdcs = NULL;
}

/* TD exit: state, RIP, REFCOUNT, then the locks that the entry kept. */
static u64 leave_td(struct call *c, struct entry *e)
{
	struct td_exit *x = &c->lp->exit;
	struct tdvps *vp = e->vp;

	/* What is left to do is in the LP's exit record. */
	env_checkpoint(c->lp->env, MODULE_CHECKPOINT_EXIT, e->tdvpr.page.v, 0);
	if (atomic_load_explicit(&vp->state, memory_order_relaxed) != VCPU_DISABLED) {
		vp->last_exit = x->last_exit;
		if (x->completed) {
			vp->rip += SL_TDCALL_LENGTH;
			vp->tdcall_completed = true;
		}
		/* Pairs with the state read in vcpu_associate(). */
		atomic_store_explicit(&vp->state, VCPU_READY, memory_order_release);
	}
	epoch_leave(c->lp, e->td.tdcs, vp->vcpu_epoch);
	tdvpr_unlock(c, &e->tdvpr, &e->td);
	*c->args = x->args;
	x->pending = false;
	return x->rax;
}

/* The zero-step filter says that a listed page would fault again: exit without running. */
static u64 emulate_ept_violation(struct call *c, struct entry *e, struct gpa gpa)
{
	struct tdvps *vp = e->vp;

	vp->last_exit = LAST_EXIT_ASYNC_FAULT;
	*c->args = (struct tdx_module_args){ .rcx = EPT_QUAL_WRITE, .r8 = gpa.v & ~SL_PAGE_MASK };
	sl_count(c->lp->env, SL_CTR_zero_step_exits);
	epoch_leave(c->lp, e->td.tdcs, vp->vcpu_epoch);
	tdvpr_unlock(c, &e->tdvpr, &e->td);
	return EXIT_REASON_EPT_VIOLATION;
}

/*
 * tdh_vp_enter - run a vCPU until a TD exit
 *
 * Side:   host
 * Locks:  TDVPR shared and TDR shared (implicit), both kept while the guest runs; OP_STATE shared,
 *         until the checks are done; epoch shared, briefly; tree exclusive (since 1.5.20 shared), only
 *         with a non-empty zero-step list, until just before the guest runs
 * Checks: platform, operands, TDVPR, TDR, TD state, TDVPS pages, vCPU state and association, late
 *         operands and platform, epoch lock, zero-step filter
 * Commit: association (which stays on later failures), REFCOUNT, vCPU state
 * Status: a TD exit reason, or SUCCESS-less refusals: BUSY (RCX, TDR, OP_STATE, TD_EPOCH,
 *         SEPT_TREE), OPERAND_INVALID, VCPU_STATE_INCORRECT, VCPU_ASSOCIATED, TDCX_NUM_INCORRECT,
 *         LIMIT_CPUID_MAXVAL_SET, INCONSISTENT_MSR, TSC_ROLLBACK, INCORRECT_MSR_VALUE and the TD
 *         state codes
 */
u64 tdh_vp_enter(struct call *c)
{
	u64 rcx = c->args->rcx;
	struct entry e;
	struct gpa blocked = { 0 };
	bool fresh, would_fault = false;
	u64 st;

	e.referenced = false;
	e.tree_held = false;
	if (c->lp->platform & SL_PLATFORM_NT4)
		return TDX_LIMIT_CPUID_MAXVAL_SET;
	if (rcx & (GENMASK_ULL(11, 0) | GENMASK_ULL(63, 54)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = tdvpr_lock(c, rcx & GENMASK_ULL(51, 12), &e.tdvpr, &e.td);
	if (st)
		return st;
	e.vp = mem_frame(c->m, e.tdvpr.page);
	if (e.vp->num_pages < TDVPS_PAGES_MIN) {
		st = TDX_TDCX_NUM_INCORRECT;
		goto out;
	}
	st = vcpu_associate(c, e.vp, e.td.tdcs, false, &fresh);
	if (st)
		goto out;
	st = check_operands(c, e.vp, rcx);
	if (st)
		goto out;
	st = enter_epoch(c, &e, fresh);
	if (st)
		goto out;
	st = zero_step_filter(c, e.vp, e.td.tdcs, &e.tree_held, &e.tree_mode, &would_fault,
			      &blocked);
	if (st)
		goto out;
	if (would_fault)
		return emulate_ept_violation(c, &e, blocked);
	op_state_unlock(c, &e.td);
	if (c->lp->last_vcpu.v != e.tdvpr.page.v) {
		tlb_flush(c->lp);
		c->lp->last_vcpu = e.tdvpr.page;
	}
	restore_registers(c, e.vp, rcx);
	/* Delivered: no guest of this model has an NMI handler that would notice. */
	e.vp->pend_nmi = false;
	if (!changed(c->m, CHANGE_ACTIVE_AFTER_TREE))
		atomic_store_explicit(&e.vp->state, VCPU_ACTIVE, memory_order_relaxed);
	if (e.tree_held)
		tree_word_unlock(c, e.td.tdcs, e.tree_mode);
	if (changed(c->m, CHANGE_ACTIVE_AFTER_TREE))
		atomic_store_explicit(&e.vp->state, VCPU_ACTIVE, memory_order_relaxed);
	run_guest(c, &e);
	return leave_td(c, &e);

out:
	if (e.referenced)
		epoch_leave(c->lp, e.td.tdcs, e.vp->vcpu_epoch);
	tdvpr_unlock(c, &e.tdvpr, &e.td);
	return st;
}
