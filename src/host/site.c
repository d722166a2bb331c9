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

static u64 site_seamcall(struct cpu *cpu, enum host_site site, struct tdx_module_args *args)
{
	u32 tries = HOST_IS(cpu->vmm->policy, no_entropy, fatal) ? 1 : ENTROPY_TRIES;
	u64 status = TDX_RND_NO_ENTROPY;

	/* No leaf that can run out of entropy has changed its operands by then. */
	for (u32 i = 0; i < tries && status_class(status) == TDX_RND_NO_ENTROPY; i++)
		status = seamcall(cpu->lp, site_rax(cpu, site), args);
	return status;
}

/* The SEAMCALL with what a host does around it that knows no other way to have PAMT pages. */
static u64 site_issue(struct cpu *cpu, enum host_site site, struct tdx_module_args *args)
{
	const struct tdx_module_args in = *args;
	u64 status = site_seamcall(cpu, site, args);

	if (sl_likely(!cpu->vmm->pamt_refs || !HOST_IS(cpu->vmm->policy, pamt_get, lazy)))
		return status;
	if (pamt_lazy(cpu, site, &in, args, &status)) {
		*args = in;
		status = site_seamcall(cpu, site, args);
	}
	return status;
}

static void visit_busy(struct cpu *cpu, enum host_site site, struct site_visit *visit, u64 status)
{
	/* Read once, whatever the counts are: see site_try(). */
	struct sl_env *env = cpu->env;

	if (visit->busy++ == 0)
		visit->start = env_now(env);
	visit->status = status;
	env->stats->site[site].busy++;
	env_note(env, SL_NOTE_BUSY, site, 0);
}

void site_visit_end(struct cpu *cpu, enum host_site site, struct site_visit *visit)
{
	/* Read in any case: see site_try(). */
	struct sl_env *env = *(struct sl_env *volatile *)&cpu->env;
	struct sl_site_stats *stats = &env->stats->site[site];

	if (sl_likely(visit->busy == 0))
		return;
	if (visit->busy > stats->max_retries)
		stats->max_retries = visit->busy;
	sl_hist_add(&stats->ticks, env_now(env) - visit->start);
	visit->busy = 0;
	env_note(env, SL_NOTE_VISIT, site, 0);
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

static void site_through(struct cpu *cpu, enum host_site site, struct site_visit *visit)
{
	/* An earlier BUSY is no business of anybody's any more. */
	if (sl_unlikely(visit->status))
		visit->status = 0;
	env_note(cpu->env, SL_NOTE_THROUGH, site, 0);
}

/* One try. True: it was BUSY, as the policy sees it. Counted is what the module says. */
static bool site_attempt(struct cpu *cpu, enum host_site site, struct tdx_module_args *args,
			 struct site_visit *visit, u64 *status)
{
	bool busy;

	*status = site_issue(cpu, site, args);
	busy = site_is_busy(cpu->vmm->policy, site, *status, args);
	if (sl_unlikely(busy || status_is_busy(*status)))
		visit_busy(cpu, site, visit, *status);
	else
		site_through(cpu, site, visit);
	return busy;
}

/* In front of a second try: the operands, unless the policy forgets that a failed leaf changes them. */
static void restore_operands(const struct cpu *cpu, struct tdx_module_args *args,
			     const struct tdx_module_args *operands)
{
	if (HOST_IS(cpu->vmm->policy, operands, saved))
		*args = *operands;
}

/*
 * Between two tries on the spot, with whatever locks the caller holds. @count is all that the rest of the
 * visit needs to know of those that are over.
 */
static void site_again(struct cpu *cpu, enum host_site site, struct tdx_module_args *args,
		       const struct tdx_module_args *operands, const struct site_visit *visit,
		       u64 count)
{
	if (visit->has_context) {
		env_checkpoint(cpu->env, HOST_CHECKPOINT_SITE, operands->rcx | (u64)site << 56,
			       visit->context + count * SITE_ATTEMPT_FACTOR);
		/* Calls that other CPUs ask for do not come in here through cpu_call(). */
		cpu_open_interrupts(cpu);
	}
	env_pause(cpu->env);
	restore_operands(cpu, args, operands);
}

/*
 * BLIND and ENDLESS (@tries = 0). True: it was BUSY to the last. How often it was so far is forgotten
 * where it does not matter, so that an endless loop comes back to where it was.
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
		site_again(cpu, site, args, &operands, visit, attempt);
	}
	return false;
}

static bool is_kick(enum site_action action)
{
	return action == SITE_KICK_ONCE || action == SITE_KICK_OPEN || action == SITE_HOLD_ONLY;
}

/*
 * Behind a BUSY: empties the guest, keeps it empty, or both; tries once more. True: that was BUSY, too.
 */
static bool site_second_try(struct cpu *cpu, struct vm *vm, enum host_site site,
			    enum site_action action, struct tdx_module_args *args,
			    const struct tdx_module_args *operands, struct site_visit *visit,
			    u64 *status)
{
	bool hold = action != SITE_KICK_OPEN, busy;

	sl_count(cpu->env, SL_CTR_second_attempts);
	if (visit->has_context)
		env_checkpoint(cpu->env, HOST_CHECKPOINT_SECOND, operands->rcx | (u64)site << 56,
			       visit->context);
	keep_out_begin(cpu, vm, hold, action != SITE_HOLD_ONLY);
	restore_operands(cpu, args, operands);
	busy = site_attempt(cpu, site, args, visit, status);
	if (!site_accepts(site, *status))
		sl_count(cpu->env, SL_CTR_second_attempts_failed);
	if (hold)
		keep_out_end(vm);
	return busy;
}

/* The KICK_ONCE family. True: the second try was BUSY, too; there is never a third. */
static bool site_kick_once(struct cpu *cpu, struct vm *vm, enum host_site site,
			   enum site_action action, struct tdx_module_args *args,
			   struct site_visit *visit, u64 *status)
{
	const struct tdx_module_args operands = *args;

	return site_attempt(cpu, site, args, visit, status) &&
	       site_second_try(cpu, vm, site, action, args, &operands, visit, status);
}

/* ---- a policy of the user's ------------------------------------------------------------------ */

static enum sl_policy_mmu_lock mmu_lock_at(enum host_site site, const struct site_visit *visit)
{
	switch (host_site_room(site)) {
	case ROOM_INSTALL:
		return visit->kept_out ? SL_MMU_LOCK_WRITE : SL_MMU_LOCK_READ;
	case ROOM_REMOVE:
	case ROOM_RESIZE:
		return SL_MMU_LOCK_WRITE;
	case ROOM_FIXED:
	case ROOM_BUILD:
	case ROOM_TEARDOWN:
		break;
	}
	/* The pages of a TD that is being built come in like any other. */
	return site == HOST_SITE_init_mem_add ? SL_MMU_LOCK_READ : SL_MMU_LOCK_NONE;
}

u32 policy_ask(struct cpu *cpu, struct vm *vm, enum policy_question what, enum host_site site,
	       const struct site_visit *visit, u32 attempt)
{
	const struct policy_hook *hook = cpu->vmm->policy->hook;
	struct sl_policy_context c = {
		.site_name = host_site_name(site),
		.leaf_name = tdx_seamcall_name(host_site_leaf(site)),
		.status = visit->status,
		.site = site,
		.leaf = host_site_leaf(site),
		.operand = (u32)visit->status,
		.attempt = attempt,
		.actions = what == POLICY_ON_BUSY ? host_site_actions(site) : 0,
		.mmu_lock = (u8)mmu_lock_at(site, visit),
		.kept_out = visit->kept_out,
		.zero_step = visit->zero_step,
	};
	u32 answer = 0;
	const char *wrong = hook->ask(hook, what, &c, &answer);

	if (sl_likely(!wrong))
		return answer;
	if (vm)
		vm_mark_dead(vm);
	env_violate(cpu->env, SL_VIOLATION_HOST_ASSERT, "plug-in", "%s", wrong);
	return 0;
}

/* What the user's policy wants done about a BUSY; the tables' rule if it says so. */
static struct site_rule asked_rule(struct cpu *cpu, struct vm *vm, enum host_site site,
				   const struct site_visit *visit)
{
	u32 answer = policy_ask(cpu, vm, POLICY_ON_BUSY, site, visit, policy_count(visit->busy));

	if (answer == SL_ACTION_TABLE)
		return cpu->vmm->policy->site[site];
	return (struct site_rule){ .action = (u8)((answer & 0xFF) - 1), .tries = answer >> 8 };
}

/*
 * Asks about each BUSY. *action is the last answer. What a checkpoint has to know of the tries is how many
 * there were in this visit, as contexts have it, and how many since it came here, up to the largest N.
 */
static bool site_ask(struct cpu *cpu, struct vm *vm, enum host_site site,
		     struct tdx_module_args *args, struct site_visit *visit, u64 *status,
		     enum site_action *action)
{
	const struct tdx_module_args operands = *args;
	u32 most = cpu->vmm->policy->site[site].tries, tries = 0;

	if (most < SL_POLICY_ATTEMPT_MAX)
		most = SL_POLICY_ATTEMPT_MAX;
	while (site_attempt(cpu, site, args, visit, status)) {
		struct site_rule rule = asked_rule(cpu, vm, site, visit);

		*action = (enum site_action)rule.action;
		tries += tries < most;
		if (is_kick(*action))
			return site_second_try(cpu, vm, site, *action, args, &operands, visit,
					       status);
		if (*action != SITE_ENDLESS && (*action != SITE_BLIND || tries >= rule.tries))
			return true;
		site_again(cpu, site, args, &operands, visit,
			   (u64)tries << 32 | policy_count(visit->busy));
	}
	return false;
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
	const struct host_policy *policy = cpu->vmm->policy;
	const struct site_rule *rule = &policy->site[site];
	enum site_action action = (enum site_action)rule->action;
	u64 status = TDX_SUCCESS, before = visit->busy;
	bool busy;

	/*
	 * A visit counts once, however often it comes back. No branch: the explorer knows a lane by what it
	 * has read, and must not be able to tell from that how often it was BUSY.
	 */
	cpu->env->stats->site[site].calls += before == 0;
	if (sl_unlikely(policy_asks(policy, POLICY_ON_BUSY)) && host_site_room(site) != ROOM_FIXED)
		busy = site_ask(cpu, vm, site, args, visit, &status, &action);
	else if (action == SITE_BLIND || action == SITE_ENDLESS)
		busy = site_spin(cpu, site, rule->tries, args, visit, &status);
	else
		busy = is_kick(action) ? site_kick_once(cpu, vm, site, action, args, visit, &status)
				       : site_attempt(cpu, site, args, visit, &status);
	if (sl_unlikely(!caller_takes(site, action, busy) && !site_accepts(site, status))) {
		/* A BUSY that the policy does not know as such led to no other try. */
		if (!busy && status_is_busy(status))
			before++;
		site_assert_failed(cpu, vm, site, status,
				   visit->busy > before ? second_try_text(action) : "");
	}
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
