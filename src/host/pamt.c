// SPDX-License-Identifier: MIT
/*
 * Dynamic PAMT: before a 4 KB page is given to the module its 2 MB range gets the two pages that hold
 * PAMT entries, and loses them when the last of its pages has come back. Each range has a fixed place for
 * them, so nothing is allocated here. Layer: host.
 *
 * One count of references per 2 MB. The global pamt_lock is taken for the first reference and behind the
 * last one only: between the last reference's end and the lock somebody else may get a first one. He finds
 * the PAMT pages still there, and who then has the lock finds his reference.
 */
#include "host/internal.h"

#define RANGE_LEVEL 1u /* RCX of PAMT.ADD and PAMT.REMOVE, beside the address */
#define HINT_EMPTY  BIT_ULL(62)

static u64 range_index(struct hpa page)
{
	return (page.v - SL_PRIVATE_BASE) >> SL_LEVEL_SHIFT(1);
}

static struct hpa pair_page(const struct vmm *vmm, struct hpa page, u32 i)
{
	return (struct hpa){ vmm->pamt_pairs.v + ((2 * range_index(page) + i) << SL_PAGE_SHIFT) };
}

static bool is_lazy(const struct vmm *vmm)
{
	return HOST_IS(vmm->policy, pamt_get, lazy);
}

static u64 add_call(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	struct tdx_module_args args = {
		.rcx = (page.v & ~(SL_LEVEL_SIZE(1) - 1)) | RANGE_LEVEL,
		.rdx = pair_page(cpu->vmm, page, 0).v,
		.r8 = pair_page(cpu->vmm, page, 1).v,
	};

	return site_call(cpu, vm, HOST_SITE_pamt_add, &args);
}

static u64 remove_call(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	struct tdx_module_args args = { .rcx = (page.v & ~(SL_LEVEL_SIZE(1) - 1)) | RANGE_LEVEL };

	return site_call(cpu, vm, HOST_SITE_pamt_remove, &args);
}

static void failed(struct cpu *cpu, struct vm *vm, enum host_site site, u64 status)
{
	/* A halted module has been reported by the module itself. */
	if (status == TDX_UNINITIALIZE_ERROR)
		vm_mark_dead(vm);
	else
		vm_bug(cpu, vm, host_site_name(site), "%s: %s",
		       tdx_seamcall_name(host_site_leaf(site)), status_text(status).text);
}

/* ---- reference counts ------------------------------------------------------------------------ */

/* One more, unless it would be the first. Acquire: pairs with the store of the first one. */
static bool get_further(_Atomic u32 *refs)
{
	u32 old = atomic_load_explicit(refs, memory_order_acquire);

	while (old)
		if (atomic_compare_exchange_weak_explicit(refs, &old, old + 1, memory_order_acquire,
							  memory_order_acquire))
			return true;
	return false;
}

/* pamt_lock held, no references. 0: the PAMT pages are there. */
static int add_first(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	const struct host_policy *policy = vm->vmm->policy;
	u64 status = add_call(cpu, vm, page);

	if (status_class(status) == TDX_SUCCESS)
		return 0;
	/* Who ended the last reference has not got the lock yet. */
	if (status_class(status) == TDX_HPA_RANGE_NOT_FREE &&
	    !HOST_IS(policy, pamt_get, not_free_fails))
		return 0;
	if (HOST_IS(policy, pamt_get, lost_error))
		return 0;
	if (status_is_busy(status))
		return -EBUSY;
	failed(cpu, vm, HOST_SITE_pamt_add, status);
	return -EIO;
}

int pamt_ref_get(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;
	_Atomic u32 *refs;
	int ret = 0;

	if (sl_likely(!vmm->pamt_refs) || is_lazy(vmm))
		return 0;
	refs = &vmm->pamt_refs[range_index(page)];
	if (get_further(refs))
		return 0;
	env->ops->mutex_lock(env, &vmm->pamt_lock);
	if (!get_further(refs)) {
		ret = add_first(cpu, vm, page);
		/* Release: who sees it may use the range's PAMT. Only the lock's holder makes it more than 0. */
		if (!ret)
			atomic_store_explicit(refs, 1, memory_order_release);
	}
	env->ops->mutex_unlock(env, &vmm->pamt_lock);
	return ret;
}

/*
 * pamt_lock held. Several may have ended a last reference before the first of them got the lock: the others
 * find nothing to remove.
 */
static void remove_last(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	u64 status = remove_call(cpu, vm, page);

	if (status_class(status) != TDX_SUCCESS && status_class(status) != TDX_NO_PAMT_PAGE_PAIR)
		failed(cpu, vm, HOST_SITE_pamt_remove, status);
}

void pamt_ref_put(struct cpu *cpu, struct vm *vm, struct hpa page)
{
	struct vmm *vmm = cpu->vmm;
	struct sl_env *env = cpu->env;
	_Atomic u32 *refs;

	if (sl_likely(!vmm->pamt_refs) || is_lazy(vmm))
		return;
	refs = &vmm->pamt_refs[range_index(page)];
	/* Release: the module is through with the page. */
	if (atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) != 1)
		return;
	env->ops->mutex_lock(env, &vmm->pamt_lock);
	if (HOST_IS(vmm->policy, pamt_put, no_re_test) ||
	    !atomic_load_explicit(refs, memory_order_acquire))
		remove_last(cpu, vm, page);
	env->ops->mutex_unlock(env, &vmm->pamt_lock);
}

/* ---- changes of size ------------------------------------------------------------------------- */

void pamt_pair_args(const struct vmm *vmm, struct hpa range, struct tdx_module_args *args)
{
	if (sl_likely(!vmm->pamt_refs))
		return;
	args->r12 = pair_page(vmm, range, 0).v;
	args->r13 = pair_page(vmm, range, 1).v;
}

/* Who has the 2 MB has all that is in it: no reference but his comes or goes. */
static void set_refs(struct vmm *vmm, struct hpa range, u32 refs)
{
	if (sl_unlikely(vmm->pamt_refs) && !is_lazy(vmm))
		atomic_store_explicit(&vmm->pamt_refs[range_index(range)], refs,
				      memory_order_release);
}

void pamt_demoted(struct vmm *vmm, struct hpa range)
{
	set_refs(vmm, range, SL_ENTRIES);
}

void pamt_promoted(struct vmm *vmm, struct hpa range)
{
	set_refs(vmm, range, 0);
}

/* ---- without counts -------------------------------------------------------------------------- */

/* The page in the register that @status names. */
static struct hpa named_page(const struct tdx_module_args *in, u64 status)
{
	switch ((u32)status) {
	case TDX_OPERAND_ID_RCX:
		return (struct hpa){ in->rcx };
	case TDX_OPERAND_ID_RDX:
		return (struct hpa){ in->rdx & SPTE_ADDR };
	default:
		return (struct hpa){ in->r8 };
	}
}

/* The page whose 2 MB the module says are empty, v = 0 if it does not. */
static void hinted_page(enum host_site site, const struct tdx_module_args *in,
			const struct tdx_module_args *out, struct hpa *page)
{
	page->v = 0;
	switch (host_site_leaf(site)) {
	case SEAMCALL_tdh_mem_page_remove:
	case SEAMCALL_tdh_mem_page_promote:
		if (out->rcx & HINT_EMPTY)
			page->v = out->rcx & SPTE_ADDR;
		break;
	case SEAMCALL_tdh_phymem_page_reclaim:
		if (out->r9 & HINT_EMPTY)
			page->v = in->rcx;
		break;
	default:
		break;
	}
}

bool pamt_lazy(struct cpu *cpu, enum host_site site, const struct tdx_module_args *in,
	       const struct tdx_module_args *out, u64 *status)
{
	struct hpa page;
	u64 added;

	if (status_class(*status) == TDX_MISSING_PAMT_PAGE_PAIR) {
		added = add_call(cpu, NULL, named_page(in, *status));
		/* Somebody else may have added them in the meantime. */
		if (status_class(added) == TDX_SUCCESS ||
		    status_class(added) == TDX_HPA_RANGE_NOT_FREE)
			return true;
		*status = added;
		return false;
	}
	if (*status != TDX_SUCCESS)
		return false;
	hinted_page(site, in, out, &page);
	/* Refused if somebody is there by now, or on his way: then they stay. */
	if (page.v)
		(void)remove_call(cpu, NULL, page);
	return false;
}
