// SPDX-License-Identifier: MIT
/*
 * The one door to the module: every SEAMCALL of the host goes through site_call(), which counts it
 * and does on BUSY what the policy says for its site. Also the one place where statuses become
 * errnos. Layer: host. Takes no lock; actions that kick expect mmu_lock to be held for write.
 */
#include <stdarg.h>
#include <stdio.h>

#include "host/internal.h"

/* Attempts on TDX_RND_NO_ENTROPY inside one SEAMCALL. */
#define ENTROPY_TRIES 10
/* Tells the tries of one visit apart in a checkpoint. */
#define SITE_ATTEMPT_FACTOR 0x9E3779B97F4A7C15ull

static bool site_accepts(enum host_site site, u64 status)
{
	u64 cls = status_class(status);

	if (cls == TDX_SUCCESS)
		return true;
	switch (site) {
#define SL_HOST_SITE(ident, name, leaf, room, action, ok1, ok2) \
	case HOST_SITE_##ident:                                 \
		return cls == TDX_##ok1 || cls == TDX_##ok2;
#include "host/site.def"
#undef SL_HOST_SITE
	case HOST_SITE_COUNT:
		break;
	}
	return false;
}

bool status_is_busy(u64 status)
{
	return status_class(status) == TDX_OPERAND_BUSY;
}

bool site_ignores(const struct vm *vm, enum host_site site, u64 status)
{
	return status_is_busy(status) && vm->vmm->policy->site[site].action == SITE_IGNORE;
}

int status_errno(u64 status)
{
	u64 cls = status_class(status);

	if (cls == TDX_SUCCESS)
		return 0;
	if (status_is_busy(status))
		return -EBUSY;
	if (cls == TDX_RND_NO_ENTROPY || cls == TDX_KEY_GENERATION_FAILED)
		return -EAGAIN;
	return -EIO;
}

struct status_text status_text(u64 status)
{
	const char *name = tdx_status_name(status);
	const char *operand = tdx_operand_name((u32)status);
	struct status_text t;

	if (!name)
		name = "unknown status";
	if (operand && status != TDX_UNINITIALIZE_ERROR && (u32)status != 0)
		snprintf(t.text, sizeof(t.text), "%s(%s) 0x%016llx", name, operand,
			 (unsigned long long)status);
	else
		snprintf(t.text, sizeof(t.text), "%s 0x%016llx", name, (unsigned long long)status);
	return t;
}

void vm_bug(struct cpu *cpu, struct vm *vm, const char *id, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	/* Relaxed: only the first reporter counts, nothing is published by it. */
	if (atomic_exchange_explicit(&vm->bugged, 1, memory_order_relaxed))
		return;
	vm_mark_dead(vm);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	env_violate(cpu->env, SL_VIOLATION_HOST_ASSERT, id, "VM %u: %s", vm->index, text);
}

void vm_kill(struct cpu *cpu, struct vm *vm, const char *id, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!vm_set_dead(vm))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	env_violate(cpu->env, SL_VIOLATION_TD_KILLED, id, "VM %u: %s", vm->index, text);
}

/* A halted module has been reported by the module itself. */
static void site_assert_failed(struct cpu *cpu, struct vm *vm, enum host_site site, u64 status,
			       const char *when)
{
	const char *leaf = tdx_seamcall_name(host_site_leaf(site));

	if (status == TDX_UNINITIALIZE_ERROR) {
		if (vm)
			vm_mark_dead(vm);
		return;
	}
	if (vm)
		vm_bug(cpu, vm, host_site_name(site), "%s%s: %s", leaf, when,
		       status_text(status).text);
	else
		env_violate(cpu->env, SL_VIOLATION_HOST_ASSERT, host_site_name(site), "%s%s: %s",
			    leaf, when, status_text(status).text);
}

/* The leaf, in version 0; TDH.VP.INIT in the newest that the module takes, as KVM does. */
static u64 site_rax(const struct cpu *cpu, enum host_site site)
{
	u32 leaf = host_site_leaf(site);
	u32 version =
		leaf == SEAMCALL_tdh_vp_init ? sl_seamcall_version(cpu->vmm->machine, leaf) : 0;

	return leaf | (u64)version << TDX_RAX_VERSION_SHIFT;
}

static u64 site_issue(struct cpu *cpu, enum host_site site, struct tdx_module_args *args)
{
	u64 status = TDX_RND_NO_ENTROPY;

	/* No leaf that can run out of entropy has changed its operands by then. */
	for (u32 i = 0; i < ENTROPY_TRIES && status_class(status) == TDX_RND_NO_ENTROPY; i++)
		status = seamcall(cpu->lp, site_rax(cpu, site), args);
	return status;
}

static void visit_busy(struct cpu *cpu, enum host_site site, struct site_visit *visit)
{
	if (visit->busy++ == 0)
		visit->start = env_now(cpu->env);
	cpu->env->stats->site[site].busy++;
	env_note(cpu->env, SL_NOTE_BUSY, site, 0);
}

void site_visit_end(struct cpu *cpu, enum host_site site, struct site_visit *visit)
{
	struct sl_site_stats *stats = &cpu->env->stats->site[site];

	if (sl_likely(visit->busy == 0))
		return;
	if (visit->busy > stats->max_retries)
		stats->max_retries = visit->busy;
	sl_hist_add(&stats->ticks, env_now(cpu->env) - visit->start);
	visit->busy = 0;
	env_note(cpu->env, SL_NOTE_VISIT, site, 0);
}

/* ---- what is BUSY ---------------------------------------------------------------------------- */

/* AUG says that the entry is PENDING already, with the page that it was to get. */
static bool same_page_is_pending(const struct tdx_module_args *args, u64 status)
{
	return status_class(status) == TDX_EPT_ENTRY_STATE_INCORRECT &&
	       (args->rdx >> 8 & 0xFF) == SEPT_PUBLIC_PENDING &&
	       (args->rcx & SPTE_ADDR) == (args->r8 & SPTE_ADDR);
}

/* Does the policy take @status, with what the SEAMCALL left in @args, for BUSY at @site? */
static bool site_is_busy(const struct host_policy *policy, enum host_site site, u64 status,
			 const struct tdx_module_args *args)
{
	if (site == HOST_SITE_fault_aug && HOST_IS(policy, aug_pending, retry) &&
	    same_page_is_pending(args, status))
		return true;
	if (host_site_is_tested(site) && HOST_IS(policy, busy_test, exact_92))
		return status == (TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT_TREE);
	if (host_site_is_tested(site) && HOST_IS(policy, busy_test, bit_and))
		return (status & TDX_OPERAND_BUSY) != 0;
	return status_is_busy(status);
}

int site_errno(struct cpu *cpu, enum host_site site, u64 status, const struct tdx_module_args *args)
{
	if (site_is_busy(cpu->vmm->policy, site, status, args))
		return -EBUSY;
	/* What the policy does not know as BUSY is an error like any other. */
	return status_is_busy(status) ? -EIO : status_errno(status);
}

/* ---- tries ----------------------------------------------------------------------------------- */

/* One try. True: it was BUSY. */
static bool site_attempt(struct cpu *cpu, enum host_site site, struct tdx_module_args *args,
			 struct site_visit *visit, u64 *status)
{
	*status = site_issue(cpu, site, args);
	if (sl_likely(!site_is_busy(cpu->vmm->policy, site, *status, args)))
		return false;
	visit_busy(cpu, site, visit);
	return true;
}

/* In front of a second try: the operands, unless the policy forgets that a failed leaf changes them. */
static void restore_operands(const struct cpu *cpu, struct tdx_module_args *args,
			     const struct tdx_module_args *operands)
{
	if (HOST_IS(cpu->vmm->policy, operands, saved))
		*args = *operands;
}

/*
 * BLIND and ENDLESS (@tries = 0): again on the spot, with whatever locks the caller holds. True: it
 * was BUSY to the last. How often it was so far is forgotten where it does not matter, so that an
 * endless loop comes back to where it was.
 */
static bool site_spin(struct cpu *cpu, enum host_site site, u32 tries, struct tdx_module_args *args,
		      struct site_visit *visit, u64 *status)
{
	const struct tdx_module_args operands = *args;
	u32 attempt = 1;

	while (site_attempt(cpu, site, args, visit, status)) {
		if (attempt == tries)
			return true;
		attempt += tries != 0;
		if (visit->has_context) {
			env_checkpoint(cpu->env, HOST_CHECKPOINT_SITE,
				       operands.rcx | (u64)site << 56,
				       visit->context + attempt * SITE_ATTEMPT_FACTOR);
			/* Calls that other CPUs ask for do not come in here through cpu_call(). */
			cpu_open_interrupts(cpu);
		}
		env_pause(cpu->env);
		restore_operands(cpu, args, &operands);
	}
	return false;
}

/*
 * The KICK_ONCE family: on BUSY empty the guest, keep it empty, or both; try once more, never loop.
 * True: the second try was BUSY, too.
 */
static bool site_kick_once(struct cpu *cpu, struct vm *vm, enum host_site site,
			   struct tdx_module_args *args, struct site_visit *visit, u64 *status)
{
	const struct tdx_module_args operands = *args;
	u8 action = cpu->vmm->policy->site[site].action;
	bool hold = action != SITE_KICK_OPEN, busy;

	if (sl_likely(!site_attempt(cpu, site, args, visit, status)))
		return false;
	sl_count(cpu->env, SL_CTR_second_attempts);
	keep_out_begin(cpu, vm, hold, action != SITE_HOLD_ONLY);
	restore_operands(cpu, args, &operands);
	busy = site_attempt(cpu, site, args, visit, status);
	if (!site_accepts(site, *status))
		sl_count(cpu->env, SL_CTR_second_attempts_failed);
	if (hold)
		keep_out_end(vm);
	return busy;
}

static const char *second_try_text(enum site_action action)
{
	switch (action) {
	case SITE_KICK_ONCE:
	case SITE_KICK_OPEN:
		return " after kicking all vCPUs";
	case SITE_HOLD_ONLY:
		return " after keeping vCPUs out";
	case SITE_BLIND:
		return " at its last try";
	case SITE_RETURN_BUSY:
	case SITE_LOCAL_RETRY:
	case SITE_MUST_SUCCEED:
	case SITE_ENDLESS:
	case SITE_IGNORE:
	case SITE_ACTION_COUNT:
		break;
	}
	return "";
}

/* Has the caller of @site a use for a status that is no success? Everybody else takes it for a bug. */
static bool caller_takes(enum host_site site, enum site_action action, bool busy)
{
	if (action == SITE_RETURN_BUSY)
		return true;
	if (action == SITE_MUST_SUCCEED)
		return false;
	if (action == SITE_IGNORE)
		return busy;
	switch (host_site_room(site)) {
	case ROOM_INSTALL:
		return busy;
	case ROOM_BUILD:
		return true;
	case ROOM_FIXED:
	case ROOM_REMOVE:
	case ROOM_RESIZE:
	case ROOM_TEARDOWN:
		break;
	}
	return false;
}

u64 site_try(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args,
	     struct site_visit *visit)
{
	const struct site_rule *rule = &cpu->vmm->policy->site[site];
	enum site_action action = (enum site_action)rule->action;
	u64 status = TDX_SUCCESS, before = visit->busy;
	bool busy;

	/* A visit counts once, however often it comes back. */
	if (before == 0)
		cpu->env->stats->site[site].calls++;
	switch (action) {
	case SITE_KICK_ONCE:
	case SITE_KICK_OPEN:
	case SITE_HOLD_ONLY:
		busy = site_kick_once(cpu, vm, site, args, visit, &status);
		break;
	case SITE_BLIND:
	case SITE_ENDLESS:
		busy = site_spin(cpu, site, rule->tries, args, visit, &status);
		break;
	case SITE_RETURN_BUSY:
	case SITE_LOCAL_RETRY:
	case SITE_MUST_SUCCEED:
	case SITE_IGNORE:
	case SITE_ACTION_COUNT:
	default:
		busy = site_attempt(cpu, site, args, visit, &status);
		break;
	}
	if (sl_unlikely(!caller_takes(site, action, busy) && !site_accepts(site, status)))
		site_assert_failed(cpu, vm, site, status,
				   visit->busy > before ? second_try_text(action) : "");
	return status;
}

u64 site_call(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args)
{
	struct site_visit visit = { 0 };
	u64 status = site_try(cpu, vm, site, args, &visit);

	site_visit_end(cpu, site, &visit);
	return status;
}

u64 site_call_from(struct cpu *cpu, struct vm *vm, enum host_site site, u64 context,
		   struct tdx_module_args *args)
{
	struct site_visit visit = { .context = context, .has_context = true };
	u64 status = site_try(cpu, vm, site, args, &visit);

	site_visit_end(cpu, site, &visit);
	return status;
}
