// SPDX-License-Identifier: MIT
/*
 * Building a TD step by step, as user space asks for it: vCPUs, initial memory, finalize, from several
 * threads if it likes. build.c has the SEAMCALLs; here are the locks.
 *
 * Most of these SEAMCALLs want the TDR, some of them exclusive, and nobody retries: so a guard keeps
 * them apart that takes every lock under which one of them can be made. Locks are taken in the order
 * vm.lock, vCPU mutexes by index, slots_lock, gmem_lock, mmu_lock. Layer: host.
 */
#include "host/internal.h"

/* Which vCPU's mutex a lock per ioctl takes; or the VM's. */
#define LOCK_OF_VM VM_VCPUS_MAX

static void vcpus_unlock(struct vm *vm)
{
	for (u32 i = vm->vcpu_count; i > 0; i--)
		if (vm->vcpu[i - 1].online)
			vcpu_unlock(&vm->vcpu[i - 1]);
}

/* The guard. -EBUSY: a vCPU is half created, and so its mutex cannot be had. */
static int guard_lock(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	env->ops->mutex_lock(env, &vm->lock);
	if (vm->created_vcpus != vm->online_vcpus) {
		env->ops->mutex_unlock(env, &vm->lock);
		return -EBUSY;
	}
	for (u32 i = 0; i < vm->vcpu_count; i++)
		if (vm->vcpu[i].online)
			vcpu_lock(&vm->vcpu[i], cpu);
	env->ops->mutex_lock(env, &vm->slots_lock);
	return 0;
}

static void guard_unlock(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	env->ops->mutex_unlock(env, &vm->slots_lock);
	vcpus_unlock(vm);
	env->ops->mutex_unlock(env, &vm->lock);
}

/* What an ioctl took before there was a guard. */
struct ioctl_locks {
	u32 of; /* a vCPU, or LOCK_OF_VM */
	bool slots;
};

static void own_lock(struct vm *vm, struct cpu *cpu, const struct ioctl_locks *l)
{
	if (l->of == LOCK_OF_VM)
		cpu->env->ops->mutex_lock(cpu->env, &vm->lock);
	else
		vcpu_lock(&vm->vcpu[l->of], cpu);
}

static void own_unlock(struct vm *vm, struct cpu *cpu, const struct ioctl_locks *l)
{
	if (l->of == LOCK_OF_VM)
		cpu->env->ops->mutex_unlock(cpu->env, &vm->lock);
	else
		vcpu_unlock(&vm->vcpu[l->of]);
}

static void ioctl_unlock(struct vm *vm, struct cpu *cpu, const struct ioctl_locks *l)
{
	struct sl_env *env = cpu->env;

	if (HOST_IS(vm->vmm->policy, build_locking, all_vcpus)) {
		guard_unlock(vm, cpu);
		return;
	}
	if (l->slots)
		env->ops->mutex_unlock(env, &vm->slots_lock);
	own_unlock(vm, cpu, l);
}

/* With the locks: the VM is one that is being built. */
static int ioctl_lock(struct vm *vm, struct cpu *cpu, const struct ioctl_locks *l)
{
	struct sl_env *env = cpu->env;
	int ret = 0;

	cpu_open_interrupts(cpu);
	if (HOST_IS(vm->vmm->policy, build_locking, all_vcpus)) {
		ret = guard_lock(vm, cpu);
		if (ret)
			return ret;
	} else {
		own_lock(vm, cpu, l);
		if (l->slots)
			env->ops->mutex_lock(env, &vm->slots_lock);
	}
	/* Acquire: pairs with td_finalize(). */
	if (atomic_load_explicit(&vm->state, memory_order_acquire) == VM_BUILDING)
		return 0;
	ioctl_unlock(vm, cpu, l);
	return -EINVAL;
}

int vm_init_vcpu(struct vm *vm, struct cpu *cpu, u32 index)
{
	const struct ioctl_locks locks = { .of = index };
	struct vcpu *v = &vm->vcpu[index];
	int ret = ioctl_lock(vm, cpu, &locks);

	if (ret)
		return ret;
	ret = v->online && !v->inited ? vcpu_build(v, cpu) : -EINVAL;
	ioctl_unlock(vm, cpu, &locks);
	return ret;
}

int vm_add_memory(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages, bool measure)
{
	const struct ioctl_locks locks = { .of = 0, .slots = true };
	struct sl_env *env = cpu->env;
	int ret = ioctl_lock(vm, cpu, &locks);

	if (ret)
		return ret;
	env->ops->write_lock(env, &vm->gmem_lock);
	for (u64 i = 0; i < pages && !ret; i++)
		ret = page_add(vm, cpu, gfn + i, measure);
	env->ops->write_unlock(env, &vm->gmem_lock);
	ioctl_unlock(vm, cpu, &locks);
	return ret;
}

int vm_finalize(struct vm *vm, struct cpu *cpu)
{
	const struct ioctl_locks locks = { .of = LOCK_OF_VM, .slots = true };
	int ret = ioctl_lock(vm, cpu, &locks);

	if (ret)
		return ret;
	ret = td_finalize(vm, cpu);
	ioctl_unlock(vm, cpu, &locks);
	return ret;
}

/* ---- creating a vCPU ------------------------------------------------------------------------- */

/* An object for a vCPU that will not come to life: the memory of one that was freed is not used again. */
static struct assoc *stillborn_alloc(struct cpu *cpu)
{
	struct assoc *a = &cpu->stillborn[cpu->stillborn[0].linked];

	if (!a->linked)
		a->freed = false;
	return a;
}

/* The id turns out to be taken when the object stands already, and was loaded for its reset. */
static int vcpu_miscarry(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;
	struct assoc *a = stillborn_alloc(cpu);

	assoc_add(cpu, a);
	if (HOST_IS(vm->vmm->policy, stillborn, disassociate))
		assoc_del(a);
	a->freed = true;
	env->ops->mutex_lock(env, &vm->lock);
	vm->created_vcpus--;
	env->ops->mutex_unlock(env, &vm->lock);
	return -EEXIST;
}

int vm_create_vcpu(struct vm *vm, struct cpu *cpu, u32 index)
{
	struct sl_env *env = cpu->env;
	struct vcpu *v = &vm->vcpu[index];
	bool taken;
	int ret;

	cpu_open_interrupts(cpu);
	env->ops->mutex_lock(env, &vm->lock);
	vm->created_vcpus++;
	taken = v->online;
	env->ops->mutex_unlock(env, &vm->lock);
	if (taken)
		return vcpu_miscarry(vm, cpu);
	/* Its registers are reset, for which it is loaded; the module has not heard of it yet. */
	ret = vcpu_load(v, cpu);
	env->ops->mutex_lock(env, &vm->lock);
	if (!ret) {
		v->online = true;
		vm->online_vcpus++;
	} else {
		vm->created_vcpus--;
	}
	env->ops->mutex_unlock(env, &vm->lock);
	return ret;
}
