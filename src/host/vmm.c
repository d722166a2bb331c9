// SPDX-License-Identifier: MIT
/*
 * Laying out and initialising the VMM in its arena, control pages, the host-global lock.
 *
 * Private memory from SL_PRIVATE_BASE on: the guest memory of each VM (2 MB aligned), the S-EPT
 * pages of each VM, the control pages that all VMs share as a stack, the spare pages, the PAMT pages. With
 * dynamic PAMT VMs without 2 MB pages have their memory side by side, as from a page allocator, so
 * that they share PAMT pages. Layer: host.
 */
#include "host/internal.h"

#define CONTROL_PAGES(vcpus) (1 + VM_TDCX_PAGES + (u64)(vcpus) * (1 + VCPU_TDCX_PAGES))

/* Where things lie, in pages from SL_PRIVATE_BASE. */
struct layout {
	u64 guest[VMM_VMS_MAX];
	u64 sept[VMM_VMS_MAX];
	u64 control;
	u64 control_count;
	u64 spare;
	u64 pairs;
	u64 ranges; /* of 2 MB, that have a pair */
	u64 end;
};

static u64 large_pages(u64 pages)
{
	return (pages + SL_LEVEL_PAGES(1) - 1) >> SL_LEVEL_BITS;
}

static bool has_large_pages(const struct vm_config *vm)
{
	for (u32 i = 0; i < vm->range_count; i++)
		if (vm->ranges[i].level)
			return true;
	return false;
}

static void layout_compute(const struct vmm_config *cfg, struct layout *l)
{
	u64 at = 0;

	*l = (struct layout){ 0 };
	for (u32 i = 0; i < cfg->vm_count; i++) {
		if (!cfg->dynamic_pamt || has_large_pages(&cfg->vms[i]))
			at = sl_align_up(at, SL_LEVEL_PAGES(1));
		l->guest[i] = at;
		at += cfg->vms[i].pages;
	}
	at = sl_align_up(at, SL_LEVEL_PAGES(1));
	for (u32 i = 0; i < cfg->vm_count; i++) {
		l->sept[i] = at;
		at += mirror_table_count(cfg->vms[i].pages) - 1;
		l->control_count += CONTROL_PAGES(cfg->vms[i].vcpus);
	}
	l->control = at;
	l->spare = at + l->control_count;
	l->pairs = l->spare + cfg->spare_pages;
	l->ranges = cfg->dynamic_pamt ? large_pages(l->pairs) : 0;
	l->end = l->pairs + 2 * l->ranges;
}

static int range_check(const struct vm_config *vm, const struct vm_range *range, u64 from)
{
	u64 unit;

	if (range->level > 1 || range->init > VM_RANGE_MAPPED || !range->pages)
		return -EINVAL;
	if (range->level && range->init == VM_RANGE_MAPPED)
		return -EINVAL;
	unit = SL_LEVEL_PAGES(range->level);
	if (!sl_is_aligned(range->gfn | range->pages, unit) || range->gfn < from)
		return -EINVAL;
	if (range->gfn > vm->pages || range->pages > vm->pages - range->gfn)
		return -EINVAL;
	return 0;
}

int vmm_config_check(const struct vmm_config *cfg)
{
	if (!cfg->policy || cfg->vm_count > VMM_VMS_MAX)
		return -EINVAL;
	if (cfg->lps < 1 || cfg->lps > SL_LPS_MAX || cfg->packages < 1 ||
	    cfg->packages > SL_PACKAGES_MAX || cfg->packages > cfg->lps)
		return -EINVAL;
	for (u32 i = 0; i < cfg->vm_count; i++) {
		const struct vm_config *vm = &cfg->vms[i];
		u64 from = 0;

		if (vm->vcpus < 1 || vm->vcpus > VM_VCPUS_MAX || vm->range_count > VM_RANGES_MAX ||
		    !vm->pages || vm->pages > SL_LEVEL_PAGES(MIRROR_ROOT_LEVEL))
			return -EINVAL;
		for (u32 j = 0; j < vm->range_count; j++) {
			if (range_check(vm, &vm->ranges[j], from))
				return -EINVAL;
			from = vm->ranges[j].gfn + vm->ranges[j].pages;
		}
	}
	return 0;
}

u64 vmm_private_pages(const struct vmm_config *cfg)
{
	struct layout l;

	layout_compute(cfg, &l);
	return l.end;
}

/* Of a bitmap with so many bits. */
static u64 bitmap_words(u64 bits)
{
	return (bits + 63) / 64;
}

size_t vmm_arena_size(const struct vmm_config *cfg)
{
	struct layout l;
	u64 size = sizeof(struct vmm) + SL_CACHELINE + cfg->lps * sizeof(struct cpu) + SL_CACHELINE;

	layout_compute(cfg, &l);
	size += bitmap_words(l.control_count) * sizeof(u64) + SL_CACHELINE;
	size += l.ranges * sizeof(u32) + SL_CACHELINE;
	for (u32 i = 0; i < cfg->vm_count; i++) {
		const struct vm_config *vm = &cfg->vms[i];

		size += vm->vcpus * sizeof(struct vcpu) + SL_CACHELINE;
		size += bitmap_words(large_pages(vm->pages)) * sizeof(u64) + SL_CACHELINE;
		size += 2 * (bitmap_words(vm->pages) * sizeof(u64) + SL_CACHELINE);
		size += (mirror_table_count(vm->pages) + 1) * sizeof(struct mirror_table);
	}
	return size;
}

static void cpus_init(struct vmm *vmm, struct sl_arena *arena, const struct vmm_config *cfg)
{
	vmm->cpu_count = cfg->lps;
	vmm->package_count = cfg->packages;
	vmm->cpu = sl_arena_alloc(arena, cfg->lps * sizeof(*vmm->cpu), SL_CACHELINE);
	for (u32 i = 0; i < cfg->lps; i++) {
		vmm->cpu[i].index = i;
		vmm->cpu[i].package = i % cfg->packages;
		vmm->cpu[i].lp = sl_machine_lp(vmm->machine, i);
		vmm->cpu[i].vmm = vmm;
	}
}

static void pages_init(struct vmm *vmm, struct sl_arena *arena, const struct layout *l)
{
	vmm->private_pages = l->end;
	vmm->spare.v = SL_PRIVATE_BASE + (l->spare << SL_PAGE_SHIFT);
	vmm->pamt_pairs.v = SL_PRIVATE_BASE + (l->pairs << SL_PAGE_SHIFT);
	if (l->ranges)
		vmm->pamt_refs = sl_arena_alloc(arena, l->ranges * sizeof(u32), SL_CACHELINE);
	vmm->free_max = (u32)l->control_count;
	vmm->free_count = vmm->free_max;
	vmm->control_pfn = l->control;
	vmm->free_page =
		sl_arena_alloc(arena, bitmap_words(l->control_count) * sizeof(u64), SL_CACHELINE);
	for (u64 i = 0; i < l->control_count; i++)
		vmm->free_page[i / 64] |= BIT_ULL(i % 64);
}

static void vm_init(struct vmm *vmm, u32 index, struct sl_arena *arena, const struct vm_config *cfg,
		    const struct layout *l, struct sl_env *env)
{
	struct vm *vm = &vmm->vm[index];
	u64 base_pfn = SL_PRIVATE_BASE >> SL_PAGE_SHIFT;

	vm->vmm = vmm;
	vm->index = index;
	vm->pages = cfg->pages;
	vm->base_pfn = base_pfn + l->guest[index];
	vm->sept_ve_disable = cfg->sept_ve_disable;
	vm->debug = cfg->debug;
	vm->unfinished = cfg->unfinished;
	vm->stepwise = cfg->stepwise;
	vm->absent_vcpus = cfg->absent_vcpus;
	vm->bare_vcpus = cfg->bare_vcpus;
	vm->params_pa = SHARED_PA_PARAMS + index * SL_PAGE_SIZE;
	vm->range_count = cfg->range_count;
	for (u32 i = 0; i < cfg->range_count; i++)
		vm->range[i] = cfg->ranges[i];
	env->ops->rwlock_init(env, &vm->mmu_lock);
	env->ops->mutex_init(env, &vm->lock);
	env->ops->mutex_init(env, &vm->slots_lock);
	env->ops->rwlock_init(env, &vm->gmem_lock);
	vm->shared = sl_arena_alloc(arena, bitmap_words(cfg->pages) * sizeof(u64), SL_CACHELINE);
	vm->small = sl_arena_alloc(arena, bitmap_words(large_pages(cfg->pages)) * sizeof(u64),
				   SL_CACHELINE);
	vm->owed = sl_arena_alloc(arena, bitmap_words(cfg->pages) * sizeof(u64), SL_CACHELINE);
	vm->vcpu_count = cfg->vcpus;
	vm->vcpu = sl_arena_alloc(arena, cfg->vcpus * sizeof(*vm->vcpu), SL_CACHELINE);
	for (u32 i = 0; i < cfg->vcpus; i++) {
		vm->vcpu[i].vm = vm;
		vm->vcpu[i].index = i;
		atomic_store_explicit(&vm->vcpu[i].cpu, CPU_NONE, memory_order_relaxed);
		atomic_store_explicit(&vm->vcpu[i].wanted, CPU_NONE, memory_order_relaxed);
	}
	mirror_init(&vm->mirror, arena, cfg->pages,
		    (struct hpa){ (base_pfn + l->sept[index]) << SL_PAGE_SHIFT });
}

struct vmm *vmm_init(struct sl_arena *arena, const struct vmm_config *cfg,
		     struct sl_machine *machine, struct sl_env *env)
{
	struct vmm *vmm = sl_arena_alloc(arena, sizeof(*vmm), SL_CACHELINE);
	struct layout l;

	layout_compute(cfg, &l);
	vmm->machine = machine;
	vmm->policy = cfg->policy;
	vmm->vm_count = cfg->vm_count;
	env->ops->mutex_init(env, &vmm->tdx_lock);
	env->ops->mutex_init(env, &vmm->page_lock);
	env->ops->mutex_init(env, &vmm->pamt_lock);
	cpus_init(vmm, arena, cfg);
	pages_init(vmm, arena, &l);
	for (u32 i = 0; i < cfg->vm_count; i++)
		vm_init(vmm, i, arena, &cfg->vms[i], &l, env);
	return vmm;
}

u32 hkid_alloc(struct cpu *cpu)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;
	u32 hkid;

	env->ops->mutex_lock(env, &vmm->page_lock);
	/* Those below are the module's own. */
	for (hkid = SL_HKID_PRIVATE + 1; hkid < SL_HKIDS; hkid++)
		if (!(vmm->hkids_used & BIT_ULL(hkid)))
			break;
	if (hkid < SL_HKIDS)
		vmm->hkids_used |= BIT_ULL(hkid);
	env->ops->mutex_unlock(env, &vmm->page_lock);
	return hkid < SL_HKIDS ? hkid : 0;
}

_Static_assert(SL_HKIDS <= 64, "key ids fit one word");

void hkid_free(struct cpu *cpu, u32 hkid)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;

	env->ops->mutex_lock(env, &vmm->page_lock);
	vmm->hkids_used &= ~BIT_ULL(hkid);
	env->ops->mutex_unlock(env, &vmm->page_lock);
}

bool page_alloc(struct cpu *cpu, struct hpa *page)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;
	u32 i;

	page->v = 0;
	env->ops->mutex_lock(env, &vmm->page_lock);
	for (i = 0; i < vmm->free_max; i++)
		if (vmm->free_page[i / 64] & BIT_ULL(i % 64))
			break;
	if (i < vmm->free_max) {
		vmm->free_page[i / 64] &= ~BIT_ULL(i % 64);
		vmm->free_count--;
		page->v = SL_PRIVATE_BASE + ((vmm->control_pfn + i) << SL_PAGE_SHIFT);
	}
	env->ops->mutex_unlock(env, &vmm->page_lock);
	return page->v != 0;
}

void page_free(struct cpu *cpu, struct hpa page)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;
	u64 i = ((page.v - SL_PRIVATE_BASE) >> SL_PAGE_SHIFT) - vmm->control_pfn;

	env->ops->mutex_lock(env, &vmm->page_lock);
	SL_BUG_ON(i >= vmm->free_max || vmm->free_page[i / 64] & BIT_ULL(i % 64));
	vmm->free_page[i / 64] |= BIT_ULL(i % 64);
	vmm->free_count++;
	env->ops->mutex_unlock(env, &vmm->page_lock);
}

void tdx_lock(struct cpu *cpu)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;

	if (HOST_IS(vmm->policy, tdx_lock, none))
		return;
	/* The holder may need this very CPU for its CACHE.WB. */
	cpu_put(cpu);
	env->ops->mutex_lock(env, &vmm->tdx_lock);
	cpu_take(vmm, cpu->index, env);
}

void tdx_unlock(struct cpu *cpu)
{
	if (HOST_IS(cpu->vmm->policy, tdx_lock, held))
		cpu->env->ops->mutex_unlock(cpu->env, &cpu->vmm->tdx_lock);
}
