// SPDX-License-Identifier: MIT
/*
 * Kicks: getting vCPUs out of the guest, and knowing that they were out.
 *
 * The acknowledgement is the vCPU's own: it clears vcpu.kick after it has left the guest. The
 * ticket of the interrupt would not do, because a lane that has left the guest by itself and then
 * sleeps (on mmu_lock, in a halt) opens no interrupt window, and the kicker may hold what it
 * sleeps on.
 *
 * Two store-buffer arguments carry it, both with sequentially consistent fences:
 *   keep_out (kicker) against mode (vCPU): the kicker sees IN_GUEST, or the vCPU sees keep_out;
 *   kick (kicker) against mode (vCPU): the kicker sees OUTSIDE, or the vCPU clears kick.
 * Layer: host.
 */
#include "host/internal.h"

void kick_one(struct vcpu *v)
{
	u32 mode;

	/*
	 * Pairs with the fence in vcpu_enter_guest(): requests before mode here, mode before
	 * requests there. An interrupt that comes too early stays pending until the guest is
	 * entered.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	mode = atomic_load_explicit(&v->mode, memory_order_relaxed);
	if (mode != VCPU_OUTSIDE)
		sl_lp_interrupt_raise(v->vm->vmm->cpu[mode - VCPU_IN_GUEST].lp);
}

void keep_out_fence(const struct vm *vm, bool entry)
{
	const struct host_policy *p = vm->vmm->policy;

	/*
	 * With less than a full barrier the flag may sit in the store buffer while modes are read, and a
	 * vCPU's mode while it reads the flag: each side misses the other.
	 */
	if (HOST_IS(p, fences, acquire_release) ||
	    (entry && HOST_IS(p, fences, entry_acquire_release)))
		atomic_thread_fence(memory_order_acq_rel);
	else
		atomic_thread_fence(memory_order_seq_cst);
}

/* vCPUs that were in the guest and are to get an interrupt yet: one bit each, and where they were. */
struct inside {
	u64 vcpus;
	u64 digest;
	u16 cpu[VM_VCPUS_MAX];
};

_Static_assert(SL_LPS_MAX <= 0xFFFF, "CPUs fit struct inside");

/* A term of the digest: it does not matter in which order they come and go. */
static u64 inside_term(u32 vcpu, u32 cpu)
{
	return ((u64)cpu << 8 | (vcpu + 1)) * 0x9E3779B97F4A7C15ull;
}

static void inside_find(struct vm *vm, struct sl_env *env, struct inside *in)
{
	in->vcpus = in->digest = 0;
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = &vm->vcpu[i];
		/* Acquire: pairs with the store of OUTSIDE in vcpu_leave_guest(). */
		u32 mode = atomic_load_explicit(&v->mode, memory_order_acquire);

		if (mode == VCPU_OUTSIDE) {
			/* The vCPU's own zero, which it may store now, is as good. */
			env_commutes(env, &v->kick);
			atomic_store_explicit(&v->kick, 0, memory_order_relaxed);
			continue;
		}
		in->cpu[i] = (u16)(mode - VCPU_IN_GUEST);
		in->vcpus |= BIT_ULL(i);
		in->digest += inside_term(i, in->cpu[i]);
	}
}

_Static_assert(VM_VCPUS_MAX <= 64, "vCPUs fit one word");

/* What the rest of a kick depends on, besides what its caller knew before. */
enum kick_stage {
	KICK_INTERRUPTS, /* are sent */
	KICK_WAITS,      /* for acknowledgements */
	KICK_DONE,
};

/* @inside: its digest; @kicked: some vCPU has got an interrupt. */
static void kick_settle(struct cpu *cpu, u64 inside, bool kicked, enum kick_stage stage, u32 next)
{
	env_settle(cpu->env, HOST_SETTLED_KICK, inside,
		   (u64)kicked << 40 | (u64)stage << 32 | next);
}

void kick_all(struct cpu *cpu, struct vm *vm)
{
	struct vmm *vmm = vm->vmm;
	struct inside inside;
	u32 kicked = 0;

	env_mark(cpu->env);
	/*
	 * Release: pairs with the load in vcpu_leave_guest(). Who clears it saw all that came
	 * before.
	 */
	for (u32 i = 0; i < vm->vcpu_count; i++)
		atomic_store_explicit(&vm->vcpu[i].kick, 1, memory_order_release);
	/* Pairs with the fences in vcpu_enter_guest() and vcpu_leave_guest(); see above. */
	keep_out_fence(vm, false);
	inside_find(vm, cpu->env, &inside);
	kick_settle(cpu, inside.digest, false, KICK_INTERRUPTS, 0);
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		if (!(inside.vcpus & BIT_ULL(i)))
			continue;
		/* One that has left in the meantime needs none; a needless one does no harm. */
		sl_lp_interrupt_raise(vmm->cpu[inside.cpu[i]].lp);
		kicked++;
		inside.digest -= inside_term(i, inside.cpu[i]);
		kick_settle(cpu, inside.digest, true, KICK_INTERRUPTS, i + 1);
	}
	for (u32 i = 0; kicked && i < vm->vcpu_count; i++) {
		struct vcpu *v = &vm->vcpu[i];

		kick_settle(cpu, 0, true, KICK_WAITS, i);
		do {
			env_wait_while(cpu->env, &v->kick, 1);
			/* Once it is 0 it stays so: nobody else kicks. */
			env_commutes(cpu->env, &v->kick);
			/* Acquire: pairs with the exchange in vcpu_leave_guest(). */
		} while (atomic_load_explicit(&v->kick, memory_order_acquire));
	}
	sl_count(cpu->env, SL_CTR_kicks);
	sl_count_add(cpu->env, SL_CTR_kicked_vcpus, kicked);
	env_note(cpu->env, SL_NOTE_KICK, kicked, vm->index);
	kick_settle(cpu, 0, false, KICK_DONE, 0);
}

void keep_out_begin(struct cpu *cpu, struct vm *vm, bool hold, bool kick)
{
	/* Relaxed: kick_all() has the fence that pairs with vcpu_enter_guest(). */
	if (hold)
		atomic_store_explicit(&vm->keep_out, 1, memory_order_relaxed);
	if (kick)
		kick_all(cpu, vm);
}

void keep_out_end(struct vm *vm)
{
	/* Release: pairs with the load in vcpu_enter_guest(); who enters sees the result. */
	atomic_store_explicit(&vm->keep_out, 0, memory_order_release);
}

void vcpu_request(struct vcpu *v, u32 request)
{
	/*
	 * Release: pairs with the acquires in run.c; what was written before the request is seen.
	 */
	atomic_fetch_or_explicit(&v->requests, request, memory_order_release);
	kick_one(v);
}

void vcpu_signal(struct vcpu *v)
{
	vcpu_request(v, VCPU_REQ_SIGNAL);
}

void vcpu_interrupt(struct vcpu *v)
{
	vcpu_request(v, VCPU_REQ_EVENT);
}

void vcpu_migrate(struct vcpu *v, u32 cpu)
{
	/* Relaxed: the signal publishes it. */
	atomic_store_explicit(&v->wanted, cpu, memory_order_relaxed);
	vcpu_signal(v);
}

bool vm_set_dead(struct vm *vm)
{
	/* Release: pairs with vm_is_dead(). */
	if (atomic_exchange_explicit(&vm->dead, 1, memory_order_release))
		return false;
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_request(&vm->vcpu[i], VCPU_REQ_DEAD);
	return true;
}

void vm_mark_dead(struct vm *vm)
{
	vm_set_dead(vm);
}

bool vm_is_dead(struct vm *vm)
{
	/* Acquire: pairs with the store in vm_mark_dead(). */
	return atomic_load_explicit(&vm->dead, memory_order_acquire) != 0;
}
