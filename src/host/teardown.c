// SPDX-License-Identifier: MIT
/*
 * Taking a TD apart: leaves with the key still there, then the key id, then every page that the
 * module holds, the TDR last. Each SEAMCALL has to succeed at once; a page that does not come back
 * is leaked. Works from any point of a build. Layer: host.
 */
#include "host/internal.h"

/* CACHE.WB may be interrupted this often. */
#define CACHE_WB_RESUMES 10000
#define CACHE_WB_START   0
#define CACHE_WB_RESUME  1

static void leak(struct vm *vm)
{
	/* Relaxed: looked at once the VM is at rest. */
	atomic_fetch_add_explicit(&vm->leaked, 1, memory_order_relaxed);
}

static bool reclaim(struct cpu *cpu, struct vm *vm, enum host_site site, struct hpa page)
{
	struct tdx_module_args args = { .rcx = page.v };

	cpu_open_interrupts(cpu);
	if (status_class(site_call(cpu, vm, site, &args)) == TDX_SUCCESS)
		return true;
	leak(vm);
	return false;
}

static void control_free(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	pamt_ref_put(cpu, vm, page);
	page_free(cpu, page);
}

/*
 * Gives a control page back to the allocator; @owned: the module has it, unless @key says that the
 * key id could not be released, in which case nothing can be reclaimed any more.
 */
static void page_drop(struct cpu *cpu, struct vm *vm, enum host_site site, struct hpa *page,
		      bool owned, bool key)
{
	if (!page->v)
		return;
	if (owned && key)
		leak(vm);
	else if (!owned || reclaim(cpu, vm, site, *page))
		control_free(cpu, vm, *page);
	page->v = 0;
}

/* ---- key id ---------------------------------------------------------------------------------- */

/* tdx_lock held. On one CPU of each package. */
static bool cache_wb(struct vm *vm, struct cpu *cpu)
{
	struct vmm *vmm = vm->vmm;

	for (u32 i = 0; i < vmm->package_count; i++) {
		u64 command = CACHE_WB_START;
		u64 status = TDX_INTERRUPTED_RESUMABLE;

		for (u32 n = 0; n < CACHE_WB_RESUMES; n++) {
			status = cpu_call(cpu, &vmm->cpu[i], vm, HOST_SITE_cache_wb, command);
			if (status_class(status) != TDX_INTERRUPTED_RESUMABLE)
				break;
			command = CACHE_WB_RESUME;
			cpu_open_interrupts(cpu);
		}
		if (status_class(status) != TDX_SUCCESS &&
		    status_class(status) != TDX_NO_HKID_READY_TO_WBCACHE)
			return false;
	}
	return true;
}

static bool key_call(struct vm *vm, struct cpu *cpu, enum host_site site)
{
	struct tdx_module_args args = { .rcx = vm->tdr.v };

	return status_class(site_call(cpu, vm, site, &args)) == TDX_SUCCESS;
}

/* Releases the key id. False: it leaks, and with it every page of the TD. */
static bool key_release(struct vm *vm, struct cpu *cpu)
{
	bool ok;

	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = &vm->vcpu[i];
		u32 index = atomic_load_explicit(&v->cpu, memory_order_relaxed);

		if (index != CPU_NONE && !HOST_IS(vm->vmm->policy, flush, not_at_teardown) &&
		    vcpu_flush_on(v, &vm->vmm->cpu[index], cpu))
			return false;
	}
	tdx_lock(cpu);
	ok = key_call(vm, cpu, HOST_SITE_vpflushdone) && cache_wb(vm, cpu) &&
	     key_call(vm, cpu, HOST_SITE_freeid);
	if (ok) {
		hkid_free(cpu, vm->hkid);
		vm->hkid = 0;
	}
	tdx_unlock(cpu);
	return ok;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void zap_all(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	env->ops->write_lock(env, &vm->mmu_lock);
	zap_range(cpu, vm, 0, vm->pages);
	env->ops->write_unlock(env, &vm->mmu_lock);
}

bool reclaim_leaf(struct cpu *cpu, struct vm *vm, u64 hpa, u32 level)
{
	struct tdx_module_args args = { .rcx = hpa };

	if (status_class(site_call(cpu, vm, HOST_SITE_reclaim_leaf, &args)) == TDX_SUCCESS) {
		if (level == 0)
			pamt_ref_put(cpu, vm, (struct hpa){ hpa });
		return true;
	}
	leak(vm);
	return false;
}

/* Without the key id, which makes BLOCK, TRACK and REMOVE impossible and unnecessary. */
static void reclaim_leaves(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;
	u64 gfn = 0, spte;
	u32 level;

	env->ops->write_lock(env, &vm->mmu_lock);
	for (; mirror_next(vm, &gfn, vm->pages, &level); gfn += SL_LEVEL_PAGES(level)) {
		spte = mirror_zap(vm, gfn, level);
		if (spte)
			reclaim_leaf(cpu, vm, spte & SPTE_ADDR, level);
	}
	env->ops->write_unlock(env, &vm->mmu_lock);
}

/* The tables that entries at @level link. */
static void reclaim_tables_at(struct vm *vm, struct cpu *cpu, u32 level, bool key)
{
	for (u64 gfn = 0; gfn < vm->pages; gfn += SL_LEVEL_PAGES(level)) {
		_Atomic u64 *sptep;

		gfn = mirror_skip(vm, gfn, vm->pages, level);
		if (gfn >= vm->pages)
			break;
		sptep = mirror_sptep(&vm->mirror, gfn, level);
		/* Relaxed: nobody else is left. */
		if (!(atomic_load_explicit(sptep, memory_order_relaxed) & SPTE_PRESENT))
			continue;
		if (key)
			leak(vm);
		else if (reclaim(cpu, vm, HOST_SITE_reclaim_sept,
				 mirror_sept_page(&vm->mirror, gfn, level)))
			pamt_ref_put(cpu, vm, mirror_sept_page(&vm->mirror, gfn, level));
		atomic_store_explicit(sptep, 0, memory_order_relaxed);
	}
}

static void vcpu_free(struct vcpu *v, struct cpu *cpu, bool key)
{
	for (u32 i = VCPU_TDCX_PAGES; i > 0; i--)
		page_drop(cpu, v->vm, HOST_SITE_reclaim_vcpu, &v->tdcx[i - 1], i <= v->tdcx_count,
			  key);
	v->tdcx_count = 0;
	page_drop(cpu, v->vm, HOST_SITE_reclaim_vcpu, &v->tdvpr, v->created, key);
	v->created = false;
	v->inited = false;
	assoc_del(&v->assoc);
	atomic_store_explicit(&v->cpu, CPU_NONE, memory_order_relaxed);
}

static void tdr_free(struct vm *vm, struct cpu *cpu, bool key)
{
	/* The module reached the TDR through its own key id. */
	struct tdx_module_args args = { .rcx = vm->tdr.v | (u64)SL_HKID_PRIVATE << SL_HKID_SHIFT };

	if (vm->created && !key && reclaim(cpu, vm, HOST_SITE_reclaim_tdr, vm->tdr)) {
		vm->created = false;
		if (status_class(site_call(cpu, vm, HOST_SITE_wbinvd_tdr, &args)) != TDX_SUCCESS) {
			leak(vm);
			vm->tdr.v = 0;
		}
	}
	if (vm->created && key)
		leak(vm);
	else if (!vm->created && vm->tdr.v)
		control_free(cpu, vm, vm->tdr);
	vm->tdr.v = 0;
	vm->created = false;
}

int vm_teardown(struct vm *vm, struct cpu *cpu)
{
	bool built = atomic_load_explicit(&vm->state, memory_order_relaxed) == VM_RUNNABLE;
	bool zap = vm->hkid && HOST_IS(vm->vmm->policy, teardown, pages_first);
	bool key = false, leaked;

	cpu_open_interrupts(cpu);
	atomic_store_explicit(&vm->prefault_allowed, 0, memory_order_relaxed);
	if (zap)
		zap_all(vm, cpu);
	if (vm->hkid)
		key = !key_release(vm, cpu);
	if (vm->created && !zap && !key)
		reclaim_leaves(vm, cpu);
	for (u32 level = 1; level <= MIRROR_ROOT_LEVEL; level++)
		reclaim_tables_at(vm, cpu, level, key);
	for (u32 i = vm->vcpu_count; i > 0; i--)
		vcpu_free(&vm->vcpu[i - 1], cpu, key);
	for (u32 i = VM_TDCX_PAGES; i > 0; i--)
		page_drop(cpu, vm, HOST_SITE_reclaim_tdcx, &vm->tdcx[i - 1], i <= vm->tdcx_count,
			  key);
	vm->tdcx_count = 0;
	tdr_free(vm, cpu, key);
	vm->hkid = 0;
	leaked = atomic_load_explicit(&vm->leaked, memory_order_relaxed) != 0;
	atomic_store_explicit(&vm->state, leaked ? VM_LEAKED : VM_EMPTY, memory_order_release);
	if (built)
		sl_count(cpu->env, SL_CTR_tds_torn_down);
	return leaked ? -EIO : 0;
}

/* ---- terminate ------------------------------------------------------------------------------- */

bool vm_key_is_gone(const struct vm *vm, bool locked)
{
	const struct host_policy *policy = vm->vmm->policy;

	if (!HOST_IS(policy, key_check, mmu_lock) &&
	    (locked || !HOST_IS(policy, key_check, unlocked)))
		return false;
	if (!locked && HOST_IS(policy, key_check, mmu_lock))
		return false;
	/* Acquire: pairs with the store in vm_terminate(). */
	return atomic_load_explicit(&vm->terminated, memory_order_acquire) != 0;
}

bool vm_key_wait(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	if (!HOST_IS(vm->vmm->policy, key_check, mmu_lock) ||
	    atomic_load_explicit(&vm->terminated, memory_order_acquire) != VM_TERMINATING)
		return false;
	env->ops->write_unlock(env, &vm->mmu_lock);
	/* The key id's release may need this very CPU. */
	cpu_put(cpu);
	while (atomic_load_explicit(&vm->terminated, memory_order_acquire) == VM_TERMINATING)
		env_wait_while(env, &vm->terminated, VM_TERMINATING);
	cpu_take(vm->vmm, cpu->index, env);
	env->ops->write_lock(env, &vm->mmu_lock);
	return true;
}

static void mark_terminated(struct vm *vm, struct cpu *cpu)
{
	bool locked = HOST_IS(vm->vmm->policy, key_check, mmu_lock);
	struct sl_env *env = cpu->env;

	if (locked)
		env->ops->write_lock(env, &vm->mmu_lock);
	/* Release: pairs with vm_key_is_gone(). */
	atomic_store_explicit(&vm->terminated, VM_TERMINATING, memory_order_release);
	if (locked)
		env->ops->write_unlock(env, &vm->mmu_lock);
}

static bool lock_vcpus(struct vm *vm)
{
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		if (vcpu_trylock(&vm->vcpu[i]))
			continue;
		while (i--)
			vcpu_unlock(&vm->vcpu[i]);
		return false;
	}
	return true;
}

int vm_terminate(struct vm *vm, struct cpu *cpu)
{
	bool ok;

	cpu_open_interrupts(cpu);
	if (!lock_vcpus(vm))
		return -EBUSY;
	mark_terminated(vm, cpu);
	ok = key_release(vm, cpu);
	if (!ok)
		/* Whoever waits goes on, and finds a TD that nothing can be done with. */
		vm_mark_dead(vm);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_unlock(&vm->vcpu[i]);
	/* Release: pairs with vm_key_wait(). */
	atomic_store_explicit(&vm->terminated, VM_TERMINATED, memory_order_release);
	return ok ? 0 : -EIO;
}
