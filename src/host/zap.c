// SPDX-License-Identifier: MIT
/*
 * Removal: under mmu_lock held for write the mirror entry goes first, then the module is made to
 * follow with BLOCK, TRACK, kick, REMOVE, WBINVD. None of it may fail, so nothing is rolled back: a
 * failure bugs the VM, and the page stays with whoever has it. Layer: host.
 */
#include "host/internal.h"

/* ---- invalidation windows -------------------------------------------------------------------- */

static void invalidate_begin(struct vm *vm, u64 start, u64 end)
{
	if (vm->mmu_invalidate_in_progress++ == 0) {
		vm->mmu_invalidate_start = start;
		vm->mmu_invalidate_end = end;
		return;
	}
	if (start < vm->mmu_invalidate_start)
		vm->mmu_invalidate_start = start;
	if (end > vm->mmu_invalidate_end)
		vm->mmu_invalidate_end = end;
}

static void invalidate_end(struct vm *vm, struct sl_env *env)
{
	u64 seq;

	/* Written only under mmu_lock held for write, as it is here. */
	env_commutes(env, &vm->mmu_invalidate_seq);
	seq = atomic_load_explicit(&vm->mmu_invalidate_seq, memory_order_relaxed);
	/* Release: pairs with the snapshot in fault_once(). */
	atomic_store_explicit(&vm->mmu_invalidate_seq, seq + 1, memory_order_release);
	SL_BUG_ON(vm->mmu_invalidate_in_progress == 0);
	if (--vm->mmu_invalidate_in_progress == 0) {
		vm->mmu_invalidate_start = 0;
		vm->mmu_invalidate_end = 0;
	}
}

bool mmu_invalidate_retry(const struct vm *vm, u64 seq, u64 gfn)
{
	if (vm->mmu_invalidate_in_progress && gfn >= vm->mmu_invalidate_start &&
	    gfn < vm->mmu_invalidate_end)
		return true;
	/* Relaxed: written only under mmu_lock held for write. */
	return atomic_load_explicit(&vm->mmu_invalidate_seq, memory_order_relaxed) != seq;
}

/* ---- one leaf -------------------------------------------------------------------------------- */

/* One leaf on its way out. The spte follows from the gfn: each has its fixed page. */
struct zap {
	u64 gfn;
	u64 end; /* of the whole zap */
	u32 level;
	bool failed; /* some leaf before this one did */
};

/* What the rest of a zap depends on; 27 bits are enough for a gfn. */
static u64 zap_context(const struct zap *z)
{
	return z->gfn << 32 | z->end << 2 | z->level << 1 | z->failed;
}

static bool zap_call(struct cpu *cpu, struct vm *vm, const struct zap *z, enum host_site site,
		     u64 rcx)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = vm->tdr.v };

	return status_class(site_call_from(cpu, vm, site, zap_context(z), &args)) == TDX_SUCCESS;
}

bool track_and_kick(struct cpu *cpu, struct vm *vm, enum host_site site, u64 context)
{
	const struct host_policy *policy = vm->vmm->policy;
	struct tdx_module_args args = { .rcx = vm->tdr.v };
	struct site_visit visit = { .context = context, .has_context = true };
	bool was_busy;
	u64 status;

	/* Acquire: pairs with the store of RUNNABLE in vm_populate(). */
	if (atomic_load_explicit(&vm->state, memory_order_acquire) != VM_RUNNABLE)
		return true;
	status = site_try(cpu, vm, site, &args, &visit);
	/* Known behind every checkpoint of the visit: they come behind a BUSY only. */
	was_busy = visit.busy != 0;
	site_visit_end(cpu, site, &visit);
	if (status_class(status) != TDX_SUCCESS)
		return site_ignores(vm, site, status);
	if (HOST_IS(policy, track, kick_after) ||
	    (HOST_IS(policy, track, kick_on_busy) && was_busy))
		kick_all(cpu, vm);
	return true;
}

static bool zap_wbinvd(struct cpu *cpu, struct vm *vm, const struct zap *z, u64 hpa)
{
	u64 keyed = hpa | (u64)vm->hkid << SL_HKID_SHIFT;

	for (u64 i = 0; i < SL_LEVEL_PAGES(z->level); i++)
		if (!zap_call(cpu, vm, z, HOST_SITE_zap_wbinvd, keyed + (i << SL_PAGE_SHIFT)))
			return false;
	return true;
}

/*
 * All that the rest of a zap depends on besides the world: which leaf, how far it has got, what is
 * left of the range.
 */
static void zap_checkpoint(struct cpu *cpu, const struct zap *z, u32 stage)
{
	env_checkpoint(cpu->env, HOST_CHECKPOINT_ZAP, z->gfn << 8 | z->level << 4 | stage,
		       z->end << 1 | z->failed);
}

/* The module's side of a leaf that the mirror has just given up. */
static bool zap_external(struct cpu *cpu, struct vm *vm, const struct zap *z, u64 spte)
{
	u64 page = z->gfn << SL_PAGE_SHIFT | z->level;

	zap_checkpoint(cpu, z, 1);
	if (vm_key_is_gone(vm, true))
		return reclaim_leaf(cpu, vm, spte & SPTE_ADDR, z->level);
	if (!zap_call(cpu, vm, z, HOST_SITE_zap_block, page))
		goto leaked;
	zap_checkpoint(cpu, z, 2);
	if (!track_and_kick(cpu, vm, HOST_SITE_zap_track, zap_context(z)))
		goto leaked;
	zap_checkpoint(cpu, z, 3);
	if (!zap_call(cpu, vm, z, HOST_SITE_zap_remove, page))
		goto leaked;
	zap_checkpoint(cpu, z, 4);
	if (!zap_wbinvd(cpu, vm, z, spte & SPTE_ADDR))
		goto leaked;
	if (z->level == 0)
		pamt_ref_put(cpu, vm, (struct hpa){ spte & SPTE_ADDR });
	zap_checkpoint(cpu, z, 5);
	sl_count_add(cpu->env, SL_CTR_pages_zapped, SL_LEVEL_PAGES(z->level));
	return true;
leaked:
	/* Relaxed: only looked at by teardown and build, which exclude zaps. */
	atomic_fetch_add_explicit(&vm->leaked, 1, memory_order_relaxed);
	return false;
}

/* The leaf at @z, or what of it lies in [start, end): a larger one is split first. False: it failed. */
static bool zap_leaf(struct cpu *cpu, struct vm *vm, struct zap *z, u64 start, u64 end)
{
	bool whole = z->gfn >= start && z->gfn + SL_LEVEL_PAGES(z->level) <= end;
	u64 spte;

	if (!whole && z->level && mirror_is_leaf(vm, z->gfn, z->level)) {
		/* First: a checkpoint in there has to know it. */
		z->gfn = z->gfn > start ? z->gfn : start;
		if (split_locked(cpu, vm, z->gfn, zap_context(z)))
			return false;
		z->level = 0;
	}
	spte = mirror_zap(vm, z->gfn, z->level);
	return !spte || zap_external(cpu, vm, z, spte);
}

/* Of one range, whose leaves may have been split or promoted in the meantime. */
static bool zap_leaves(struct cpu *cpu, struct vm *vm, u64 gfn, u64 stop, u64 end, bool failed)
{
	struct zap z = { .gfn = gfn, .end = end, .failed = failed };

	while (mirror_next(vm, &z.gfn, stop, &z.level)) {
		z.failed |= !zap_leaf(cpu, vm, &z, gfn, stop);
		z.gfn += SL_LEVEL_PAGES(z.level);
	}
	return !z.failed;
}

int zap_range(struct cpu *cpu, struct vm *vm, u64 start, u64 end)
{
	bool ok = true;

	for (u32 i = 0; i < vm->range_count; i++) {
		const struct vm_range *range = &vm->range[i];
		u64 gfn = start > range->gfn ? start : range->gfn;
		u64 stop = end < range->gfn + range->pages ? end : range->gfn + range->pages;

		if (gfn < stop)
			ok &= zap_leaves(cpu, vm, gfn, stop, end, !ok);
	}
	return ok ? 0 : -EIO;
}

/* ---- what VMM threads ask for ---------------------------------------------------------------- */

/* Opens an invalidation window over [start, end) and, if told so, empties it. */
static int window_open(struct vm *vm, struct cpu *cpu, u64 start, u64 end, bool zap)
{
	struct sl_env *env = cpu->env;
	bool unlocked;
	int ret = 0;

	env->ops->write_lock(env, &vm->mmu_lock);
	while (vm_key_wait(vm, cpu))
		;
	unlocked = vm_key_is_gone(vm, true) && HOST_IS(vm->vmm->policy, reclaim_walk, unlocked);
	invalidate_begin(vm, start, end);
	if (zap && !unlocked)
		ret = zap_range(cpu, vm, start, end);
	env->ops->write_unlock(env, &vm->mmu_lock);
	if (zap && unlocked)
		ret = zap_range(cpu, vm, start, end);
	return ret;
}

static void window_close(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	env->ops->write_lock(env, &vm->mmu_lock);
	invalidate_end(vm, env);
	env->ops->write_unlock(env, &vm->mmu_lock);
}

int host_zap(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves)
{
	int level = vm_gfn_level(vm, gfn);
	struct sl_env *env = cpu->env;
	bool populating;
	u64 start;
	int ret;

	if (level < 0)
		return level;
	cpu_open_interrupts(cpu);
	/*
	 * KVM has guest_memfd's lock here always. Once the VM runs nobody else takes it for write: removers
	 * have mmu_lock. Acquire: pairs with td_finalize().
	 */
	populating = atomic_load_explicit(&vm->state, memory_order_acquire) != VM_RUNNABLE;
	if (populating)
		env->ops->write_lock(env, &vm->gmem_lock);
	start = gfn & ~(SL_LEVEL_PAGES(level) - 1);
	ret = window_open(vm, cpu, start, start + (leaves << (SL_LEVEL_BITS * (u32)level)), true);
	/* Here guest_memfd gives the pages back. */
	window_close(vm, cpu);
	if (populating)
		env->ops->write_unlock(env, &vm->gmem_lock);
	return ret;
}

int host_unmap_shared(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages)
{
	if (gfn > vm->pages || pages > vm->pages - gfn)
		return -EFAULT;
	cpu_open_interrupts(cpu);
	/* Shared mappings are the direct root's, which this model leaves out. */
	window_open(vm, cpu, gfn, gfn + pages, false);
	window_close(vm, cpu);
	return 0;
}

static void attributes_store(struct vm *vm, u64 gfn, u64 pages, bool shared)
{
	for (u64 i = gfn; i < gfn + pages; i++) {
		/* Relaxed: the invalidation window around it is what faults look at. */
		if (shared)
			atomic_fetch_or_explicit(&vm->shared[i / 64], BIT_ULL(i % 64),
						 memory_order_relaxed);
		else
			atomic_fetch_and_explicit(&vm->shared[i / 64], ~BIT_ULL(i % 64),
						  memory_order_relaxed);
	}
}

int vm_set_shared(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages, bool shared)
{
	struct sl_env *env = cpu->env;
	int ret;

	if (gfn > vm->pages || pages > vm->pages - gfn)
		return -EFAULT;
	env->ops->mutex_lock(env, &vm->slots_lock);
	ret = window_open(vm, cpu, gfn, gfn + pages, shared);
	attributes_store(vm, gfn, pages, shared);
	window_close(vm, cpu);
	env->ops->mutex_unlock(env, &vm->slots_lock);
	return ret;
}
