// SPDX-License-Identifier: MIT
/*
 * Memslots: how user space takes a piece of the memory map away and puts it back, beside faults that
 * look at it without a lock.
 *
 * Readers (a vCPU outside the guest, a prefault) are in a read section of SRCU. Whoever publishes a
 * slot then waits for a grace period: until every section that was open has been left. The section
 * of a lane is a word of its CPU; the updater marks it, and leaving it takes the mark away, so that a
 * lane that leaves and comes back at once is not waited for again.
 *
 * What a reader waits for while it reads, the updater must not hold: see fault.c for the loops.
 * Layer: host.
 */
#include "host/internal.h"

/* cpu.srcu: index of the VM + 1, or 0 outside every section. */
#define SRCU_WAITED 0x100u

_Static_assert(VMM_VMS_MAX < SRCU_WAITED, "the mark lies above the VM's number");

void srcu_read_lock(struct cpu *cpu, const struct vm *vm)
{
	SL_BUG_ON(atomic_load_explicit(&cpu->srcu, memory_order_relaxed));
	/*
	 * Sequentially consistent: either the updater sees the section, or what is read in it is
	 * what the updater has published.
	 */
	atomic_store_explicit(&cpu->srcu, vm->index + 1, memory_order_seq_cst);
}

void srcu_read_unlock(struct cpu *cpu)
{
	/* Release: pairs with the wait in synchronize_srcu(); the reads are over. */
	atomic_store_explicit(&cpu->srcu, 0, memory_order_release);
}

/* Nobody who still uses what was published before the call is left when it returns. */
static void synchronize_srcu(struct vm *vm, struct cpu *me)
{
	struct vmm *vmm = vm->vmm;

	for (u32 i = 0; i < vmm->cpu_count; i++) {
		_Atomic u32 *word = &vmm->cpu[i].srcu;
		u32 section = vm->index + 1;

		/* Sequentially consistent: pairs with srcu_read_lock(). */
		if (!atomic_compare_exchange_strong_explicit(word, &section, section | SRCU_WAITED,
							     memory_order_seq_cst,
							     memory_order_seq_cst))
			continue;
		section |= SRCU_WAITED;
		/* Acquire: pairs with srcu_read_unlock(). */
		while (atomic_load_explicit(word, memory_order_acquire) == section)
			env_wait_while(me->env, word, section);
	}
}

static u32 slot_index(const struct vm *vm, u64 gfn)
{
	u32 i = 0;

	while (gfn < vm->range[i].gfn || gfn - vm->range[i].gfn >= vm->range[i].pages)
		i++;
	return i;
}

enum vm_slot vm_slot_of(const struct vm *vm, u64 gfn)
{
	/* Acquire: pairs with slot_publish(). */
	return (enum vm_slot)atomic_load_explicit(&vm->slot[slot_index(vm, gfn)],
						  memory_order_acquire);
}

/* slots_lock held. */
static void slot_publish(struct vm *vm, struct cpu *cpu, u32 index, enum vm_slot slot)
{
	/* Sequentially consistent: before the looks at the sections, see srcu_read_lock(). */
	atomic_store_explicit(&vm->slot[index], slot, memory_order_seq_cst);
	synchronize_srcu(vm, cpu);
}

/* Nobody finds the way into the slot any more: out with what is mapped there. */
static int slot_flush(struct vm *vm, struct cpu *cpu, const struct vm_range *range)
{
	struct sl_env *env = cpu->env;
	int ret;

	env->ops->write_lock(env, &vm->mmu_lock);
	while (vm_key_wait(vm, cpu))
		;
	ret = zap_range(cpu, vm, range->gfn, range->gfn + range->pages);
	for (u32 i = 0; HOST_IS(vm->vmm->policy, slot_zap, all) && i < vm->vcpu_count; i++)
		vcpu_request(&vm->vcpu[i], VCPU_REQ_ROOT);
	env->ops->write_unlock(env, &vm->mmu_lock);
	return ret;
}

/* Takes slots_lock and finds the slot around @gfn; -EFAULT, and no lock, where none is. */
static int slots_lock(struct vm *vm, struct cpu *cpu, u64 gfn, u32 *index)
{
	struct sl_env *env = cpu->env;
	int ret = vm_gfn_level(vm, gfn);

	if (ret < 0)
		return ret;
	*index = slot_index(vm, gfn);
	cpu_open_interrupts(cpu);
	env->ops->mutex_lock(env, &vm->slots_lock);
	return 0;
}

int vm_delete_slot(struct vm *vm, struct cpu *cpu, u64 gfn)
{
	struct sl_env *env = cpu->env;
	u32 index;
	int ret = slots_lock(vm, cpu, gfn, &index);

	if (ret < 0)
		return ret;
	if (atomic_load_explicit(&vm->slot[index], memory_order_relaxed) == VM_SLOT_GONE) {
		ret = -ENOENT;
	} else {
		slot_publish(vm, cpu, index, VM_SLOT_INVALID);
		ret = slot_flush(vm, cpu, &vm->range[index]);
		slot_publish(vm, cpu, index, VM_SLOT_GONE);
	}
	env->ops->mutex_unlock(env, &vm->slots_lock);
	return ret;
}

int vm_create_slot(struct vm *vm, struct cpu *cpu, u64 gfn)
{
	struct sl_env *env = cpu->env;
	u32 index;
	int ret = slots_lock(vm, cpu, gfn, &index);

	if (ret < 0)
		return ret;
	ret = -EEXIST;
	if (atomic_load_explicit(&vm->slot[index], memory_order_relaxed) == VM_SLOT_GONE) {
		slot_publish(vm, cpu, index, VM_SLOT_VALID);
		for (u32 i = 0; i < vm->vcpu_count; i++)
			vcpu_request(&vm->vcpu[i], VCPU_REQ_SLOTS);
		ret = 0;
	}
	env->ops->mutex_unlock(env, &vm->slots_lock);
	return ret;
}

void vcpu_wait_for_slot(struct vcpu *v, struct cpu *cpu, u64 gfn)
{
	struct vm *vm = v->vm;
	struct sl_env *env = cpu->env;

	/* Acquire: pairs with vcpu_request(); a slot that comes back after this leaves a request. */
	atomic_fetch_and_explicit(&v->requests, ~VCPU_REQ_SLOTS, memory_order_acquire);
	if (vm_slot_of(vm, gfn) != VM_SLOT_GONE)
		return;
	cpu_put(cpu);
	for (;;) {
		/* Acquire: pairs with vcpu_request(). */
		u32 seen = atomic_load_explicit(&v->requests, memory_order_acquire);

		if (seen & (VCPU_REQ_SIGNAL | VCPU_REQ_DEAD | VCPU_REQ_SLOTS))
			break;
		env_wait_while(env, &v->requests, seen);
	}
	cpu_take(vm->vmm, cpu->index, env);
}
