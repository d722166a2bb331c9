// SPDX-License-Identifier: MIT
/*
 * Physical CPUs as lanes see them, SEAMCALLs on another CPU, and which CPU a vCPU is associated
 * with.
 *
 * A CPU has at most one owner: the lane that took it, or, while no lane has it, a lane that makes
 * one SEAMCALL there on its behalf. A CPU whose lane runs is asked: the request goes into
 * cpu.state and an interrupt is raised; the lane makes the call when it opens its interrupts.
 *
 * P1: a lane gives its CPU up before it waits for another one, so two lanes that ask each other
 * both get their answer. Layer: host.
 */
#include "host/internal.h"

/* The caller has just become the owner. */
static void cpu_bind(struct cpu *cpu, struct sl_env *env)
{
	cpu->env = env;
	sl_lp_set_env(cpu->lp, env);
}

/* The vCPU need not be associated. */
static bool flush_failed(const struct host_policy *policy, u64 status)
{
	bool associated = status_class(status) != TDX_VCPU_NOT_ASSOCIATED;

	if (HOST_IS(policy, flush_test, inverted))
		return associated;
	return associated && status_class(status) != TDX_SUCCESS;
}

/*
 * Flushes @v on this CPU, on which it was associated when somebody asked for that, and takes it off the CPU's
 * list. Two may have asked: the CPU looks again, unless the policy forgets it.
 */
static u64 flush_here(struct cpu *cpu, struct vcpu *v)
{
	const struct host_policy *policy = cpu->vmm->policy;
	struct tdx_module_args args = { .rcx = v->tdvpr.v };
	u64 status = TDX_VCPU_NOT_ASSOCIATED;
	/* Acquire: pairs with the stores below and in vcpu_load(). */
	bool here = atomic_load_explicit(&v->cpu, memory_order_acquire) == cpu->index;

	if (!here && HOST_IS(policy, flush_guard, checked))
		return status;
	cpu->flushed = true;
	/* The module does not know a vCPU before VP.INIT. */
	if (v->inited)
		status = site_call(cpu, v->vm, HOST_SITE_flush, &args);
	if (flush_failed(policy, status)) {
		vm_bug(cpu, v->vm, host_site_name(HOST_SITE_flush), "TDH.VP.FLUSH: %s",
		       status_text(status).text);
		return status;
	}
	assoc_del(&v->assoc);
	atomic_store_explicit(&v->cpu, CPU_NONE, memory_order_release);
	return status;
}

/* On the CPU where it has to be made. */
static void call_make(struct cpu *cpu, struct cpu_call *call)
{
	struct tdx_module_args args = { .rcx = call->rcx };

	if (call->leaving)
		call->status = flush_here(cpu, call->leaving);
	else
		call->status = site_call(cpu, call->vm, call->site, &args);
}

/* Makes the SEAMCALL that the CPU named in @state asks for. */
static void cpu_serve(struct cpu *cpu, u32 state)
{
	struct cpu_call *call = &cpu->vmm->cpu[state - CPU_MAIL].call;

	call_make(cpu, call);
	/* Release: pairs with the compare-and-swaps in cpu_call(); the slot is free again. */
	atomic_store_explicit(&cpu->state, CPU_BUSY, memory_order_release);
	/* Release: pairs with the wait in cpu_call(); publishes the status. */
	atomic_store_explicit(&call->done, 1, memory_order_release);
}

/* Gives the CPU up; requests that have come in are answered first. */
static void cpu_release(struct cpu *cpu)
{
	for (;;) {
		u32 state = CPU_BUSY;

		/* Release: pairs with the acquire of the next owner. Acquire on failure: pairs with
		 * the posting compare-and-swap in cpu_call().
		 */
		if (atomic_compare_exchange_strong_explicit(&cpu->state, &state, CPU_IDLE,
							    memory_order_release,
							    memory_order_acquire))
			return;
		SL_BUG_ON(state < CPU_MAIL);
		cpu_serve(cpu, state);
	}
}

struct cpu *cpu_take(struct vmm *vmm, u32 index, struct sl_env *env)
{
	struct cpu *cpu;

	SL_BUG_ON(index >= vmm->cpu_count);
	cpu = &vmm->cpu[index];
	for (;;) {
		u32 state = CPU_IDLE;

		/* Acquire: pairs with the release in cpu_release(). */
		if (atomic_compare_exchange_strong_explicit(&cpu->state, &state, CPU_BUSY,
							    memory_order_acquire,
							    memory_order_relaxed))
			break;
		env_wait_while(env, &cpu->state, state);
	}
	cpu_bind(cpu, env);
	return cpu;
}

void cpu_put(struct cpu *cpu)
{
	cpu_release(cpu);
}

void cpu_open_interrupts(struct cpu *cpu)
{
	u32 state;

	sl_lp_interrupt_take(cpu->lp);
	/* Acquire: pairs with the posting compare-and-swap in cpu_call(). */
	state = atomic_load_explicit(&cpu->state, memory_order_acquire);
	if (sl_unlikely(state >= CPU_MAIL))
		cpu_serve(cpu, state);
}

/* Makes the call on a CPU that no lane has. The caller has just become its owner. */
static void call_on_behalf(struct cpu *target, struct sl_env *env, struct cpu_call *call)
{
	cpu_bind(target, env);
	sl_lp_interrupt_take(target->lp);
	call_make(target, call);
	cpu_release(target);
}

/* Makes me->call on @target; its status. */
static u64 call_send(struct cpu *me, struct cpu *target)
{
	struct sl_env *env = me->env;

	if (target == me) {
		call_make(me, &me->call);
		return me->call.status;
	}
	atomic_store_explicit(&me->call.done, 0, memory_order_relaxed);
	/* From here on others may make their calls on this CPU. */
	cpu_release(me);
	for (;;) {
		u32 state = CPU_IDLE;

		/* Acquire: pairs with the release in cpu_release(). */
		if (atomic_compare_exchange_strong_explicit(&target->state, &state, CPU_BUSY,
							    memory_order_acquire,
							    memory_order_relaxed)) {
			call_on_behalf(target, env, &me->call);
			break;
		}
		/*
		 * Release: publishes the request; pairs with the acquires in
		 * cpu_open_interrupts() and cpu_release().
		 */
		if (state == CPU_BUSY && atomic_compare_exchange_strong_explicit(
						 &target->state, &state, CPU_MAIL + me->index,
						 memory_order_release, memory_order_relaxed)) {
			sl_lp_interrupt_raise(target->lp);
			/* Acquire: pairs with the store in cpu_serve(). */
			while (!atomic_load_explicit(&me->call.done, memory_order_acquire))
				env_wait_while(env, &me->call.done, 0);
			break;
		}
		/* Somebody else's request is there, or the CPU has just changed hands. */
		if (state >= CPU_MAIL)
			env_wait_while(env, &target->state, state);
	}
	cpu_take(me->vmm, me->index, env);
	return me->call.status;
}

static u64 call_made(struct cpu *me, struct cpu *target, struct vm *vm, enum host_site site,
		     u64 rcx, struct vcpu *leaving)
{
	me->call.site = site;
	me->call.vm = vm;
	me->call.rcx = rcx;
	me->call.leaving = leaving;
	return call_send(me, target);
}

u64 cpu_call(struct cpu *me, struct cpu *target, struct vm *vm, enum host_site site, u64 rcx)
{
	return call_made(me, target, vm, site, rcx, NULL);
}

/* ---- which vCPUs a CPU has ------------------------------------------------------------------- */

/*
 * The list of a CPU is touched on that CPU only, with interrupts off, so it has no lock. What a kernel
 * that checks its lists finds there is found here: an element that was freed and not taken out.
 */
void assoc_add(struct cpu *cpu, struct assoc *a)
{
	struct assoc *head = &cpu->vcpus;
	struct assoc *next = head->linked ? head->next : head;

	if (a->linked || next->freed) {
		env_violate(cpu->env, SL_VIOLATION_HOST_ASSERT, "list_add",
			    "list_add corruption: the vCPUs of CPU %u: %s", cpu->index,
			    a->linked ? "the new element is on a list already"
				      : "the element behind the head was freed");
		return;
	}
	a->next = next;
	a->prev = head;
	next->prev = a;
	head->next = a;
	head->linked = true;
	a->linked = true;
}

void assoc_del(struct assoc *a)
{
	if (!a->linked)
		return;
	a->prev->next = a->next;
	a->next->prev = a->prev;
	a->linked = false;
}

int vcpu_flush_on(struct vcpu *v, struct cpu *target, struct cpu *me)
{
	u64 status;

	/* Acquire: pairs with the stores in flush_here() and vcpu_load(). */
	if (atomic_load_explicit(&v->cpu, memory_order_acquire) != target->index)
		return 0;
	status = call_made(me, target, v->vm, HOST_SITE_flush, v->tdvpr.v, v);
	return flush_failed(v->vm->vmm->policy, status) ? -EIO : 0;
}

int vcpu_load(struct vcpu *v, struct cpu *cpu)
{
	/* Acquire: pairs with the store in flush_here(). */
	u32 old = atomic_load_explicit(&v->cpu, memory_order_acquire);
	int ret;

	if (old == cpu->index)
		return 0;
	if (old != CPU_NONE && !HOST_IS(cpu->vmm->policy, flush, not_on_move)) {
		ret = vcpu_flush_on(v, &cpu->vmm->cpu[old], cpu);
		if (ret)
			return ret;
	}
	/* Release: pairs with the load in flush_here(). */
	atomic_store_explicit(&v->cpu, cpu->index, memory_order_release);
	/* A host that moves vCPUs without asking the CPU that has them has no use for a list. */
	if (!HOST_IS(cpu->vmm->policy, flush, not_on_move))
		assoc_add(cpu, &v->assoc);
	return 0;
}

int cpu_flush_vcpus(struct cpu *target, struct cpu *me)
{
	struct vmm *vmm = target->vmm;
	int ret = 0;

	for (u32 i = 0; i < vmm->vm_count; i++)
		for (u32 j = 0; j < vmm->vm[i].vcpu_count && !ret; j++)
			ret = vcpu_flush_on(&vmm->vm[i].vcpu[j], target, me);
	return ret;
}
