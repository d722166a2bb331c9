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
	struct vmm *vmm = v->vm->vmm;
	u32 cpu;

	/*
	 * Pairs with the fence in vcpu_enter_guest(): requests before mode here, mode before
	 * requests there. An interrupt that comes too early stays pending until the guest is
	 * entered.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&v->mode, memory_order_relaxed) != VCPU_IN_GUEST)
		return;
	/* A vCPU in the guest does not change its CPU; a stale value costs a needless interrupt. */
	cpu = atomic_load_explicit(&v->cpu, memory_order_relaxed);
	if (cpu != CPU_NONE)
		sl_lp_interrupt_raise(vmm->cpu[cpu].lp);
}

void kick_all(struct cpu *cpu, struct vm *vm)
{
	struct vmm *vmm = vm->vmm;
	u32 kicked = 0;

	/*
	 * Release: pairs with the load in vcpu_leave_guest(). Who clears it saw all that came
	 * before.
	 */
	for (u32 i = 0; i < vm->vcpu_count; i++)
		atomic_store_explicit(&vm->vcpu[i].kick, 1, memory_order_release);
	/* Pairs with the fences in vcpu_enter_guest() and vcpu_leave_guest(); see above. */
	atomic_thread_fence(memory_order_seq_cst);
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = &vm->vcpu[i];
		u32 index;

		/* Acquire: pairs with the store of OUTSIDE in vcpu_leave_guest(). */
		if (atomic_load_explicit(&v->mode, memory_order_acquire) != VCPU_IN_GUEST) {
			atomic_store_explicit(&v->kick, 0, memory_order_relaxed);
			continue;
		}
		index = atomic_load_explicit(&v->cpu, memory_order_relaxed);
		SL_BUG_ON(index >= vmm->cpu_count);
		sl_lp_interrupt_raise(vmm->cpu[index].lp);
		kicked++;
	}
	for (u32 i = 0; kicked && i < vm->vcpu_count; i++) {
		struct vcpu *v = &vm->vcpu[i];

		/* Acquire: pairs with the store in vcpu_leave_guest(). */
		while (atomic_load_explicit(&v->kick, memory_order_acquire))
			env_wait_while(cpu->env, &v->kick, 1);
	}
	sl_count(cpu->env, SL_CTR_kicks);
	sl_count_add(cpu->env, SL_CTR_kicked_vcpus, kicked);
	env_note(cpu->env, SL_NOTE_KICK, kicked, vm->index);
}

static void vcpu_request(struct vcpu *v, u32 request)
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
