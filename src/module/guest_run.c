// SPDX-License-Identifier: MIT
/*
 * What a running guest can do: memory accesses through the TLB and the S-EPT, TD exits, RIP.
 * Layer: module.
 */
#include <string.h>

#include "module/guest_leave.h"
#include "module/td_exit.h"
#include "module/tlb.h"
#include "module/zero_step.h"

#define INTERRUPTION_INFO_EXTERNAL (BIT_ULL(31) | 0xF2)

void td_exit_async(struct sl_lp *lp, u64 rax)
{
	lp->exit =
		(struct td_exit){ .pending = true, .last_exit = LAST_EXIT_ASYNC_FAULT, .rax = rax };
}

void td_exit_ept_violation(struct sl_lp *lp, u64 gpa, u64 qualification, u64 extended)
{
	td_exit_async(lp, EXIT_REASON_EPT_VIOLATION);
	lp->exit.args.rcx = qualification;
	lp->exit.args.rdx = extended;
	lp->exit.args.r8 = gpa & ~SL_PAGE_MASK;
	sl_count(lp->env, SL_CTR_ept_violations);
}

bool sl_guest_exit_pending(const struct sl_lp *lp)
{
	return lp->exit.pending;
}

bool sl_guest_ve_injected(const struct sl_lp *lp)
{
	return lp->ve_injected;
}

bool sl_guest_exiting(struct sl_lp *lp)
{
	if (lp->exit.pending)
		return true;
	if (sl_likely(!lp_interrupt_pending(lp)))
		return false;
	zero_step_on_vm_exit(lp);
	td_exit_async(lp, EXIT_REASON_EXTERNAL_INTERRUPT);
	lp->exit.args.r9 = INTERRUPTION_INFO_EXTERNAL;
	return true;
}

u64 sl_guest_rip(const struct sl_lp *lp)
{
	return lp->vp->rip;
}

void sl_guest_set_rip(struct sl_lp *lp, u64 rip)
{
	lp->vp->rip = rip;
}

bool sl_guest_tdcall_completed(struct sl_lp *lp, u64 *rax, struct tdx_module_args *args)
{
	if (!lp->vp->tdcall_completed)
		return false;
	lp->vp->tdcall_completed = false;
	*rax = lp->vp->rax;
	*args = lp->vp->gpr;
	return true;
}

int sl_guest_bind(struct sl_machine *m, u64 tdvpr_hpa, struct sl_guest *guest)
{
	struct hpa page = { tdvpr_hpa };
	struct tdvps *vp;

	if (!sl_is_aligned(tdvpr_hpa, SL_PAGE_SIZE) || !mem_is_private(m, page) ||
	    pamt_type(mem_pamt(m, page, 0)) != PAMT_TDVPR)
		return -22; /* -EINVAL; the module layer has no errno of its own */
	vp = mem_frame(m, page);
	vp->guest = guest;
	return 0;
}

/* A violation that the guest has to resolve: the page is PENDING and #VE is on. */
static enum sl_access inject_ve(struct sl_lp *lp, u64 gpa, u64 qualification)
{
	struct tdvps *vp = lp->vp;

	if (vp->ve.valid) {
		/* The last one was not read yet: double fault, which this guest does not survive. */
		td_exit_async(lp, TDX_NON_RECOVERABLE_VCPU | EXIT_REASON_TRIPLE_FAULT);
		atomic_store_explicit(&vp->state, VCPU_DISABLED, memory_order_relaxed);
		return SL_ACCESS_FATAL;
	}
	vp->ve.valid = true;
	vp->ve.reason = EXIT_REASON_EPT_VIOLATION;
	vp->ve.qualification = qualification;
	vp->ve.gla = gpa;
	vp->ve.gpa = gpa;
	vp->ve.info = 0;
	sl_count(lp->env, SL_CTR_ve_injected);
	return SL_ACCESS_VE;
}

enum sl_access td_ept_violation(struct sl_lp *lp, u64 gpa, u64 qualification, u64 entry)
{
	u64 extended = 0;

	if (sept_state_flags(sept_state(entry)) & SEPT_GUEST_PENDING) {
		if (!(atomic_load_explicit(&lp->tdcs->td_ctls, memory_order_relaxed) &
		      TD_CTLS_PENDING_VE_DISABLE))
			return inject_ve(lp, gpa, qualification);
		extended = TDX_EEQ_PENDING;
	}
	td_exit_ept_violation(lp, gpa, qualification, extended);
	return SL_ACCESS_EXIT;
}

static enum sl_access ept_violation(struct sl_lp *lp, u64 gpa, bool write)
{
	u64 qualification = write ? EPT_QUAL_WRITE : EPT_QUAL_READ;
	enum sl_access result;
	struct sept_walk w;

	zero_step_on_vm_exit(lp);
	if (!sept_gpa_is_private(lp->tdcs, (struct gpa){ gpa })) {
		td_exit_ept_violation(lp, gpa, qualification, 0);
		return SL_ACCESS_EXIT;
	}
	/* What the hardware has seen on its way does not matter any more. */
	env_settle(lp->env, MODULE_SETTLED_VIOLATION, gpa, write);
	/* The module walks again: the entry may have changed since the hardware looked. */
	w = sept_walk(lp->machine, lp->tdcs, (struct gpa){ gpa }, 0);
	result = td_ept_violation(lp, gpa, qualification, w.copy);
	if (result == SL_ACCESS_EXIT)
		zero_step_log(lp, gpa);
	return result;
}

static void access_contents(struct sl_lp *lp, struct hpa page, u64 gpa, bool write, u64 *value)
{
	u64 *word;

	if (!lp->machine->cfg.contents || !value)
		return;
	word = (u64 *)((u8 *)mem_frame(lp->machine, page) + (gpa & SL_PAGE_MASK & ~7ull));
	/* Guests may share pages without a lock of ours: what they race on is their business. */
	if (write)
		__atomic_store_n(word, *value, __ATOMIC_RELAXED);
	else
		*value = __atomic_load_n(word, __ATOMIC_RELAXED);
}

enum sl_access guest_access_once(struct sl_lp *lp, u64 gpa, bool write, u64 *value)
{
	struct tlb_entry *t;
	struct sept_walk w;
	struct hpa page;

	env_mark(lp->env);
	t = tlb_lookup(lp, (struct gpa){ gpa });
	sl_count(lp->env, SL_CTR_guest_accesses);
	if (t) {
		sl_count(lp->env, SL_CTR_tlb_hits);
		translated(lp, (struct gpa){ gpa }, t->page, t->level, true);
		access_contents(lp, t->page, gpa, write, value);
		return SL_ACCESS_OK;
	}
	if (!sept_gpa_is_private(lp->tdcs, (struct gpa){ gpa }))
		return ept_violation(lp, gpa, write);
	w = sept_walk(lp->machine, lp->tdcs, (struct gpa){ gpa }, 0);
	if (w.halt) {
		td_exit_async(lp, module_halt(lp, "guest page walk", "misconfigured S-EPT entry"));
		return SL_ACCESS_FATAL;
	}
	if (!sept_is_leaf(w.copy) || (w.copy & SEPT_RWX) != SEPT_RWX)
		return ept_violation(lp, gpa, write);
	page = sept_leaf_hpa(w.copy, w.level);
	page.v += gpa & (SL_LEVEL_SIZE(w.level) - 1) & ~SL_PAGE_MASK;
	tlb_fill(lp, (struct gpa){ gpa }, page, w.level);
	translated(lp, (struct gpa){ gpa }, page, w.level, false);
	access_contents(lp, page, gpa, write, value);
	return SL_ACCESS_OK;
}

enum sl_access sl_guest_access(struct sl_lp *lp, u64 gpa, bool write, u64 *value)
{
	if (sl_unlikely(guest_is_left(lp)))
		return guest_access_resumed(lp, (u64)(uintptr_t)__builtin_return_address(0), gpa,
					    write, value);
	return guest_access_once(lp, gpa, write, value);
}
