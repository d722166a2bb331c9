// SPDX-License-Identifier: MIT
/*
 * The mirror page table: the host's copy of the S-EPT's shape, and the frozen-SPTE protocol that
 * keeps two installers of one entry apart.
 *
 * The table that covers a gfn at a level has a fixed place in the VM's region of the arena, the
 * S-EPT page behind it a fixed page of private memory. So a fault needs no caches and returns no
 * unused page: only the winner of an entry's compare-and-swap touches what belongs to that entry.
 * Memory that no table was linked in stays untouched. Layer: host.
 */
#include "host/internal.h"

static u64 tables_at(u64 pages, u32 level)
{
	return (pages + SL_LEVEL_PAGES(level) - 1) >> (SL_LEVEL_BITS * level);
}

u64 mirror_table_count(u64 pages)
{
	u64 n = 1;

	for (u32 level = MIRROR_ROOT_LEVEL; level >= 1; level--)
		n += tables_at(pages, level);
	return n;
}

void mirror_init(struct mirror *m, struct sl_arena *arena, u64 pages, struct hpa sept_base)
{
	u64 n = 1;

	for (u32 level = MIRROR_ROOT_LEVEL; level >= 1; level--) {
		m->first[level] = n;
		n += tables_at(pages, level);
	}
	m->tables = n;
	m->sept_base = sept_base;
	m->table = sl_arena_alloc(arena, n * sizeof(*m->table), SL_PAGE_SIZE);
}

static u64 table_index(const struct mirror *m, u64 gfn, u32 link_level)
{
	return m->first[link_level] + (gfn >> (SL_LEVEL_BITS * link_level));
}

_Atomic u64 *mirror_sptep(const struct mirror *m, u64 gfn, u32 level)
{
	u64 table = level == MIRROR_ROOT_LEVEL ? 0 : table_index(m, gfn, level + 1);

	return &m->table[table].spte[(gfn >> (SL_LEVEL_BITS * level)) & (SL_ENTRIES - 1)];
}

struct hpa mirror_sept_page(const struct mirror *m, u64 gfn, u32 level)
{
	return (struct hpa){ m->sept_base.v + ((table_index(m, gfn, level) - 1) << SL_PAGE_SHIFT) };
}

struct hpa vm_sept_page(const struct vm *vm, u64 gfn, u32 level)
{
	SL_BUG_ON(level < 1 || level > MIRROR_ROOT_LEVEL);
	return mirror_sept_page(&vm->mirror, gfn, level);
}

u64 mirror_peek(const struct vm *vm, u64 gfn, u32 level)
{
	/* Acquire: pairs with the store of the new value in mirror_install(). */
	return atomic_load_explicit(mirror_sptep(&vm->mirror, gfn, level), memory_order_acquire);
}

u64 mirror_skip(const struct vm *vm, u64 gfn, u64 end, u32 level)
{
	for (u32 up = MIRROR_ROOT_LEVEL; up > level;) {
		if (gfn >= end)
			return end;
		if (mirror_peek(vm, gfn, up) & SPTE_PRESENT) {
			up--;
			continue;
		}
		gfn = (gfn & ~(SL_LEVEL_PAGES(up) - 1)) + SL_LEVEL_PAGES(up);
		up = MIRROR_ROOT_LEVEL;
	}
	return gfn;
}

bool mirror_is_leaf(const struct vm *vm, u64 gfn, u32 level)
{
	u64 spte = mirror_peek(vm, gfn, level);

	return (spte & SPTE_PRESENT) && (spte & SPTE_LEAF);
}

bool mirror_next(const struct vm *vm, u64 *gfn, u64 end, u32 *level)
{
	for (u32 up = MIRROR_ROOT_LEVEL; *gfn < end;) {
		u64 first = *gfn & ~(SL_LEVEL_PAGES(up) - 1);
		u64 spte;

		if (!up) {
			*level = 0;
			return true;
		}
		spte = mirror_peek(vm, *gfn, up);
		if (!(spte & SPTE_PRESENT)) {
			*gfn = first + SL_LEVEL_PAGES(up);
			up = MIRROR_ROOT_LEVEL;
		} else if (spte & SPTE_LEAF) {
			*gfn = first;
			*level = up;
			return true;
		} else {
			up--;
		}
	}
	return false;
}

/* ---- propagation to the module: an errno; other failures than BUSY have bugged the VM -------- */

/* For policies that go back to what was given up: the host may have left its priority there. */
static void owed_set(struct fault *f)
{
	if (HOST_IS(f->vm->vmm->policy, on_hp_timeout, replay))
		atomic_fetch_or_explicit(&f->vm->owed[f->gfn / 64], BIT_ULL(f->gfn % 64),
					 memory_order_relaxed);
}

static int external_call(struct fault *f, enum host_site site, struct site_visit *visit,
			 struct tdx_module_args *args)
{
	int ret;

	visit->context = f->context + (fault_past(f) << 30);
	visit->has_context = true;
	ret = site_errno(f->cpu, site, site_try(f->cpu, f->vm, site, args, visit), args);
	if (sl_likely(ret != -EBUSY))
		return ret;
	owed_set(f);
	return HOST_IS(f->vm->vmm->policy, busy_errno, eagain) ? -EAGAIN : -EBUSY;
}

/* The same for a SEAMCALL that gives the module the 4 KB page in R8. */
static int external_give(struct fault *f, enum host_site site, struct site_visit *visit,
			 struct tdx_module_args *args)
{
	struct hpa page = { args->r8 };
	int ret = pamt_ref_get(f->cpu, f->vm, page);

	if (ret)
		return ret;
	ret = external_call(f, site, visit, args);
	if (ret)
		pamt_ref_put(f->cpu, f->vm, page);
	return ret;
}

static int external_link(struct fault *f, u32 level)
{
	struct tdx_module_args args = {
		.rcx = (f->gfn & ~(SL_LEVEL_PAGES(level) - 1)) << SL_PAGE_SHIFT | level,
		.rdx = f->vm->tdr.v,
		.r8 = mirror_sept_page(&f->vm->mirror, f->gfn, level).v,
	};

	return external_give(f, HOST_SITE_fault_sept_add, &f->sept_add, &args);
}

static int external_leaf(struct fault *f)
{
	struct tdx_module_args args = {
		.rcx = f->gfn << SL_PAGE_SHIFT | f->level,
		.rdx = f->vm->tdr.v,
		.r8 = gfn_hpa(f->vm, f->gfn).v,
	};

	/* Acquire: pairs with the store of RUNNABLE in vm_populate(). */
	if (atomic_load_explicit(&f->vm->state, memory_order_acquire) == VM_RUNNABLE) {
		f->leaf_site = HOST_SITE_fault_aug;
	} else {
		f->leaf_site = HOST_SITE_init_mem_add;
		/* Relaxed: who populates has set it in this lane; see page_add(). */
		args.r9 = atomic_load_explicit(&f->vm->source, memory_order_relaxed);
		if (!args.r9) {
			vm_bug(f->cpu, f->vm, host_site_name(f->leaf_site),
			       "a page has to be added, and there is nothing to add it from");
			return -EIO;
		}
		/* The module is asked later, behind the mirror's back. */
		if (HOST_IS(f->vm->vmm->policy, populate, premap))
			return pamt_ref_get(f->cpu, f->vm, (struct hpa){ args.r8 });
	}
	return f->level ? external_call(f, f->leaf_site, &f->leaf, &args)
			: external_give(f, f->leaf_site, &f->leaf, &args);
}

/* ---- the frozen protocol --------------------------------------------------------------------- */

/*
 * @sptep goes from not present to @spte. While the module is asked it is FROZEN, which others take
 * for a conflict. 0; -EBUSY: lost the race, or the module was busy; -EIO.
 */
static int mirror_install(struct fault *f, _Atomic u64 *sptep, u64 spte, u32 level)
{
	u64 old = 0;
	int ret;

	/* Acquire: pairs with the stores below and in mirror_zap(). */
	if (!atomic_compare_exchange_strong_explicit(sptep, &old, SPTE_FROZEN, memory_order_acquire,
						     memory_order_relaxed))
		return -EBUSY;
	ret = level > f->level ? external_link(f, level) : external_leaf(f);
	/*
	 * Release: pairs with the loads in mirror_map(); who sees it present may use what is
	 * below.
	 */
	atomic_store_explicit(sptep, ret ? 0 : spte, memory_order_release);
	return ret;
}

static void fault_aim(struct fault *f, u32 level)
{
	f->level = level;
	f->gfn = f->at & ~(SL_LEVEL_PAGES(level) - 1);
}

int mirror_map(struct fault *f)
{
	const struct mirror *m = &f->vm->mirror;

	fault_aim(f, f->small ? 0 : vm_map_level(f->vm, f->at));

	for (u32 level = MIRROR_ROOT_LEVEL;; level--) {
		_Atomic u64 *sptep = mirror_sptep(m, f->gfn, level);
		/* Acquire: pairs with the store of the new value in mirror_install(). */
		u64 spte = atomic_load_explicit(sptep, memory_order_acquire);
		u64 next;
		int ret;

		env_checkpoint(f->cpu->env, HOST_CHECKPOINT_WALK,
			       f->at << 8 | (u64)f->small << 4 | level,
			       (f->context << 16 ^ spte) + (fault_past(f) << 46));
		if (spte == SPTE_FROZEN)
			return RET_PF_RETRY;
		if ((spte & SPTE_PRESENT) && (spte & SPTE_LEAF))
			return level > f->level && f->small ? RET_PF_SPLIT : RET_PF_SPURIOUS;
		if (spte & SPTE_PRESENT) {
			/* Split since it was mapped: what is missing below it is small. */
			if (level == f->level)
				fault_aim(f, level - 1);
			continue;
		}
		if (level == f->level)
			next = gfn_hpa(f->vm, f->gfn).v | SPTE_LEAF | SPTE_PRESENT;
		else
			next = mirror_sept_page(m, f->gfn, level).v | SPTE_PRESENT;
		ret = mirror_install(f, sptep, next, level);
		if (ret == -EBUSY)
			return RET_PF_RETRY;
		if (ret)
			return ret;
		if (level == f->level)
			return RET_PF_FIXED;
	}
}

u64 mirror_zap(struct vm *vm, u64 gfn, u32 level)
{
	_Atomic u64 *sptep = mirror_sptep(&vm->mirror, gfn, level);
	/* Relaxed: mmu_lock orders it against every installer. */
	u64 old = atomic_load_explicit(sptep, memory_order_relaxed);

	SL_BUG_ON(old == SPTE_FROZEN);
	if (!(old & SPTE_PRESENT))
		return 0;
	SL_BUG_ON(!(old & SPTE_LEAF));
	/* Release: pairs with the loads in mirror_map(). */
	atomic_store_explicit(sptep, 0, memory_order_release);
	return old;
}

/* ---- changes of size ------------------------------------------------------------------------- */

#define LARGE 1u

/* The table behind the large entry for @gfn, not linked. */
static void fill_small(struct vm *vm, u64 gfn)
{
	for (u64 i = 0; i < SL_ENTRIES; i++)
		/* Relaxed: published by the store of the entry that links them. */
		atomic_store_explicit(mirror_sptep(&vm->mirror, gfn + i, 0),
				      gfn_hpa(vm, gfn + i).v | SPTE_LEAF | SPTE_PRESENT,
				      memory_order_relaxed);
}

static u64 table_spte(const struct vm *vm, u64 gfn)
{
	return mirror_sept_page(&vm->mirror, gfn, LARGE).v | SPTE_PRESENT;
}

void mirror_split(struct vm *vm, u64 gfn)
{
	fill_small(vm, gfn);
	/* Release: pairs with the loads in mirror_map(). */
	atomic_store_explicit(mirror_sptep(&vm->mirror, gfn, LARGE), table_spte(vm, gfn),
			      memory_order_release);
}

bool mirror_can_promote(const struct vm *vm, u64 gfn)
{
	u64 spte = mirror_peek(vm, gfn, LARGE);
	u64 present = SPTE_PRESENT;

	if (!(spte & SPTE_PRESENT) || (spte & SPTE_LEAF))
		return false;
	for (u64 i = 0; i < SL_ENTRIES; i++)
		present &= mirror_peek(vm, gfn + i, 0);
	return present != 0;
}

void mirror_promote(struct vm *vm, u64 gfn)
{
	atomic_store_explicit(mirror_sptep(&vm->mirror, gfn, LARGE),
			      gfn_hpa(vm, gfn).v | SPTE_LEAF | SPTE_PRESENT, memory_order_release);
	for (u64 i = 0; i < SL_ENTRIES; i++)
		atomic_store_explicit(mirror_sptep(&vm->mirror, gfn + i, 0), 0,
				      memory_order_relaxed);
}

bool mirror_freeze_leaf(struct vm *vm, u64 gfn, u32 level, u64 *old)
{
	u64 spte = mirror_peek(vm, gfn, level);

	*old = spte;
	if (!(spte & SPTE_PRESENT) || !(spte & SPTE_LEAF))
		return false;
	/* Acquire: pairs with the store in mirror_thaw(). */
	return atomic_compare_exchange_strong_explicit(mirror_sptep(&vm->mirror, gfn, level), &spte,
						       SPTE_FROZEN, memory_order_acquire,
						       memory_order_relaxed);
}

void mirror_thaw(struct vm *vm, u64 gfn, u32 level, u64 old, bool split)
{
	if (split)
		fill_small(vm, gfn);
	/* Release: pairs with the loads in mirror_map(). */
	atomic_store_explicit(mirror_sptep(&vm->mirror, gfn, level),
			      split ? table_spte(vm, gfn) : old, memory_order_release);
}

/* ---- inspection ------------------------------------------------------------------------------ */

static void check_entry(const struct vm *vm, u64 gfn, u32 level, struct host_check *out)
{
	u64 spte = mirror_peek(vm, gfn, level);

	if (spte == SPTE_FROZEN) {
		out->frozen++;
		return;
	}
	if (!(spte & SPTE_PRESENT))
		return;
	if (level < MIRROR_ROOT_LEVEL && !(mirror_peek(vm, gfn, level + 1) & SPTE_PRESENT))
		out->orphans++;
	if (spte & SPTE_LEAF)
		out->leaves[level & 1]++;
	else
		out->tables++;
}

void host_check(const struct vm *vm, struct host_check *out)
{
	*out = (struct host_check){ 0 };
	for (u32 level = 0; level <= MIRROR_ROOT_LEVEL; level++)
		for (u64 gfn = 0; gfn < vm->pages; gfn += SL_LEVEL_PAGES(level))
			check_entry(vm, gfn, level, out);
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = &vm->vcpu[i];

		out->in_guest +=
			atomic_load_explicit(&v->mode, memory_order_relaxed) != VCPU_OUTSIDE;
		out->kicks += atomic_load_explicit(&v->kick, memory_order_relaxed);
	}
	out->keep_out = atomic_load_explicit(&vm->keep_out, memory_order_relaxed) != 0;
}
