// SPDX-License-Identifier: MIT
/*
 * The one door to the module: every SEAMCALL of the host goes through site_call(), which counts it
 * and does on BUSY what the class of its site says. Also the one place where statuses become
 * errnos. Layer: host. Takes no lock; the KICK_ONCE class expects mmu_lock to be held for write.
 */
#include <stdarg.h>
#include <stdio.h>

#include "host/internal.h"

/* Attempts on TDX_RND_NO_ENTROPY inside one SEAMCALL. */
#define ENTROPY_TRIES 10

static bool site_accepts(enum host_site site, u64 status)
{
	u64 cls = status_class(status);

	if (cls == TDX_SUCCESS)
		return true;
	switch (site) {
#define SL_HOST_SITE(ident, name, leaf, site_cls, ok1, ok2) \
	case HOST_SITE_##ident:                             \
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

static u64 site_issue(struct cpu *cpu, enum host_site site, struct tdx_module_args *args)
{
	u64 status = TDX_RND_NO_ENTROPY;

	/* No leaf that can run out of entropy has changed its operands by then. */
	for (u32 i = 0; i < ENTROPY_TRIES && status_class(status) == TDX_RND_NO_ENTROPY; i++)
		status = seamcall(cpu->lp, host_site_leaf(site), args);
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

/* RETURN_BUSY: what the status means is the caller's business. */
static u64 call_return_busy(struct cpu *cpu, struct vm *vm, enum host_site site,
			    struct tdx_module_args *args, struct site_visit *visit)
{
	u64 status = site_issue(cpu, site, args);

	(void)vm;
	if (sl_unlikely(status_is_busy(status)))
		visit_busy(cpu, site, visit);
	return status;
}

/* LOCAL_RETRY: BUSY goes back to the fault loop, any other failure is a bug of the host. */
static u64 call_local_retry(struct cpu *cpu, struct vm *vm, enum host_site site,
			    struct tdx_module_args *args, struct site_visit *visit)
{
	u64 status = site_issue(cpu, site, args);

	if (sl_unlikely(status_is_busy(status)))
		visit_busy(cpu, site, visit);
	else if (sl_unlikely(!site_accepts(site, status)))
		site_assert_failed(cpu, vm, site, status, "");
	return status;
}

/* KICK_ONCE: on BUSY empty the guest and keep it empty, try once more, never loop. */
static u64 call_kick_once(struct cpu *cpu, struct vm *vm, enum host_site site,
			  struct tdx_module_args *args, struct site_visit *visit)
{
	/* A failed leaf has overwritten RCX and RDX. */
	const struct tdx_module_args operands = *args;
	u64 status = site_issue(cpu, site, args);
	const char *when = "";

	if (sl_unlikely(status_is_busy(status))) {
		visit_busy(cpu, site, visit);
		sl_count(cpu->env, SL_CTR_second_attempts);
		/* Relaxed: kick_all() begins with the fence that pairs with vcpu_enter_guest(). */
		if (vm->vmm->policy->sw.keep_out)
			atomic_store_explicit(&vm->keep_out, 1, memory_order_relaxed);
		kick_all(cpu, vm);
		*args = operands;
		status = site_issue(cpu, site, args);
		if (status_is_busy(status))
			visit_busy(cpu, site, visit);
		if (!site_accepts(site, status))
			sl_count(cpu->env, SL_CTR_second_attempts_failed);
		/*
		 * Release: pairs with the load in vcpu_enter_guest(); who enters sees the result.
		 */
		atomic_store_explicit(&vm->keep_out, 0, memory_order_release);
		when = " after kicking all vCPUs";
	}
	if (sl_unlikely(!site_accepts(site, status)))
		site_assert_failed(cpu, vm, site, status, when);
	return status;
}

/* MUST_SUCCEED: nobody is left who could be in the way. */
static u64 call_must_succeed(struct cpu *cpu, struct vm *vm, enum host_site site,
			     struct tdx_module_args *args, struct site_visit *visit)
{
	u64 status = site_issue(cpu, site, args);

	if (sl_unlikely(status_is_busy(status)))
		visit_busy(cpu, site, visit);
	if (sl_unlikely(!site_accepts(site, status)))
		site_assert_failed(cpu, vm, site, status, "");
	return status;
}

u64 site_try(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args,
	     struct site_visit *visit)
{
	/* A visit counts once, however often it comes back. */
	if (visit->busy == 0)
		cpu->env->stats->site[site].calls++;
	switch ((enum site_class)cpu->vmm->policy->site_class[site]) {
	case SITE_RETURN_BUSY:
		return call_return_busy(cpu, vm, site, args, visit);
	case SITE_LOCAL_RETRY:
		return call_local_retry(cpu, vm, site, args, visit);
	case SITE_KICK_ONCE:
		return call_kick_once(cpu, vm, site, args, visit);
	case SITE_MUST_SUCCEED:
		return call_must_succeed(cpu, vm, site, args, visit);
	case SITE_CLASS_COUNT:
		break;
	}
	SL_BUG_ON(true);
}

u64 site_call(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args)
{
	struct site_visit visit = { 0 };
	u64 status = site_try(cpu, vm, site, args, &visit);

	site_visit_end(cpu, site, &visit);
	return status;
}
