// SPDX-License-Identifier: MIT
/*
 * Changing the size of a mapping: split (BLOCK, TRACK, kick, DEMOTE) and promote (BLOCK, TRACK, kick, PROMOTE),
 * under mmu_lock held for write like a zap; and the split that a fault may try with mmu_lock held for
 * read, where nobody can be kicked. Layer: host.
 */
#include "host/internal.h"

#define LARGE 1u /* the only level that is split or promoted to */

/* One change of size. @context: what a checkpoint has to know of the caller. */
struct resize {
	struct cpu *cpu;
	struct vm *vm;
	u64 gfn; /* of the 2 MB */
	u64 context;
};

static void resize_checkpoint(const struct resize *r, u32 stage)
{
	env_checkpoint(r->cpu->env, HOST_CHECKPOINT_RESIZE, r->gfn << 8 | stage, r->context);
}

static u64 resize_call(const struct resize *r, enum host_site site, u64 page)
{
	struct tdx_module_args args = { .rcx = r->gfn << SL_PAGE_SHIFT | LARGE,
					.rdx = r->vm->tdr.v,
					.r8 = page };

	if (page)
		pamt_pair_args(r->vm->vmm, gfn_hpa(r->vm, r->gfn), &args);
	return status_class(site_call_from(r->cpu, r->vm, site, r->context, &args));
}

/* Relaxed: looked at by teardown and build, which exclude changes of size. */
static int resize_failed(const struct resize *r)
{
	atomic_fetch_add_explicit(&r->vm->leaked, 1, memory_order_relaxed);
	return -EIO;
}

/*
 * DEMOTE or PROMOTE, again if it was cut short and the policy wants that. @site accepts what the caller has a
 * use for.
 */
static u64 resize_commit(const struct resize *r, enum host_site site, u64 page)
{
	const struct host_policy *policy = r->vm->vmm->policy;

	for (;;) {
		u64 status = resize_call(r, site, page);

		if (status != TDX_INTERRUPTED_RESTARTABLE && status != TDX_INTERRUPTED_BUSY)
			return status;
		if (!HOST_IS(policy, resize_restart, loop)) {
			vm_bug(r->cpu, r->vm, host_site_name(site), "%s: %s",
			       tdx_seamcall_name(host_site_leaf(site)), status_text(status).text);
			return status;
		}
		cpu_open_interrupts(r->cpu);
		resize_checkpoint(r, 8 + site);
		env_pause(r->cpu->env);
	}
}

/* ---- split ----------------------------------------------------------------------------------- */

/* BLOCK, TRACK, kick. A policy that ignores BLOCK's BUSY has nothing to track either. */
static bool split_shoot_down(const struct resize *r)
{
	u64 status = resize_call(r, HOST_SITE_split_block, 0);

	if (status != TDX_SUCCESS)
		return site_ignores(r->vm, HOST_SITE_split_block, status);
	resize_checkpoint(r, 2);
	return track_and_kick(r->cpu, r->vm, HOST_SITE_split_track, r->context);
}

/* DEMOTE, with the S-EPT page that it needs. True: done; else *status says why not. */
static bool split_demote(const struct resize *r, enum host_site site, u64 *status)
{
	struct hpa table = vm_sept_page(r->vm, r->gfn, LARGE);

	*status = TDX_OPERAND_BUSY;
	if (pamt_ref_get(r->cpu, r->vm, table))
		return false;
	*status = site == HOST_SITE_split_demote ? resize_commit(r, site, table.v)
						 : resize_call(r, site, table.v);
	if (*status == TDX_SUCCESS)
		pamt_demoted(r->vm->vmm, gfn_hpa(r->vm, r->gfn));
	else
		pamt_ref_put(r->cpu, r->vm, table);
	return *status == TDX_SUCCESS;
}

int split_locked(struct cpu *cpu, struct vm *vm, u64 gfn, u64 context)
{
	struct resize r = {
		.cpu = cpu, .vm = vm, .gfn = gfn & ~(SL_LEVEL_PAGES(LARGE) - 1), .context = context
	};
	u64 status;

	if (!mirror_is_leaf(vm, r.gfn, LARGE))
		return 0;
	mirror_split(vm, r.gfn);
	resize_checkpoint(&r, 1);
	if (!split_shoot_down(&r))
		return resize_failed(&r);
	resize_checkpoint(&r, 3);
	if (!split_demote(&r, HOST_SITE_split_demote, &status) &&
	    !site_ignores(vm, HOST_SITE_split_demote, status))
		return resize_failed(&r);
	sl_count(cpu->env, SL_CTR_splits);
	return 0;
}

/* The module's side of a split in the fault path. 0, -EBUSY, or -EIO. */
static int split_read_external(const struct resize *r)
{
	struct tdx_module_args track = { .rcx = r->vm->tdr.v };
	u64 status = resize_call(r, HOST_SITE_fault_block, 0);

	if (status != TDX_SUCCESS)
		return status_errno(status);
	status = site_call_from(r->cpu, r->vm, HOST_SITE_fault_track, r->context, &track);
	if (status_class(status) == TDX_SUCCESS && split_demote(r, HOST_SITE_fault_demote, &status))
		return 0;
	/* Left blocked it would be what the mirror does not say. */
	return resize_call(r, HOST_SITE_fault_unblock, 0) == TDX_SUCCESS ? -EBUSY : -EIO;
}

int split_read(struct fault *f)
{
	struct resize r = { .cpu = f->cpu,
			    .vm = f->vm,
			    .gfn = f->at & ~(SL_LEVEL_PAGES(LARGE) - 1),
			    .context = f->context };
	u64 old;
	int ret;

	if (!mirror_freeze_leaf(f->vm, r.gfn, LARGE, &old))
		return RET_PF_RETRY;
	ret = split_read_external(&r);
	if (!ret)
		sl_count(f->cpu->env, SL_CTR_splits);
	mirror_thaw(f->vm, r.gfn, LARGE, old, !ret);
	if (ret == -EIO)
		return resize_failed(&r);
	return ret ? RET_PF_RETRY : RET_PF_FIXED;
}

int host_split(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves)
{
	int level = vm_gfn_level(vm, gfn), ret = 0;
	u64 end;

	if (level < 0)
		return level;
	end = gfn + (leaves << (SL_LEVEL_BITS * (u32)level));
	for (gfn &= ~(SL_LEVEL_PAGES(LARGE) - 1); gfn < end && !ret; gfn += SL_LEVEL_PAGES(LARGE)) {
		struct sl_env *env = cpu->env;

		cpu_open_interrupts(cpu);
		if (vm_key_is_gone(vm, false))
			return -EIO;
		env->ops->write_lock(env, &vm->mmu_lock);
		ret = vm_is_dead(vm) || vm_key_is_gone(vm, true) ? -EIO
								 : split_locked(cpu, vm, gfn, end);
		env->ops->write_unlock(env, &vm->mmu_lock);
	}
	return ret;
}

/* ---- promote --------------------------------------------------------------------------------- */

/* mmu_lock held for write. 0; -EAGAIN: the pages are not alike; -EIO. */
static int promote_locked(const struct resize *r)
{
	u64 status;

	if (!mirror_can_promote(r->vm, r->gfn))
		return 0;
	resize_checkpoint(r, 4);
	if (resize_call(r, HOST_SITE_promote_block, 0) != TDX_SUCCESS)
		return resize_failed(r);
	resize_checkpoint(r, 5);
	if (!track_and_kick(r->cpu, r->vm, HOST_SITE_promote_track, r->context))
		return resize_failed(r);
	resize_checkpoint(r, 6);
	status = resize_commit(r, HOST_SITE_promote_page, 0);
	if (status == TDX_SUCCESS) {
		mirror_promote(r->vm, r->gfn);
		pamt_promoted(r->vm->vmm, gfn_hpa(r->vm, r->gfn));
		pamt_ref_put(r->cpu, r->vm, vm_sept_page(r->vm, r->gfn, LARGE));
		sl_count(r->cpu->env, SL_CTR_promotes);
		return 0;
	}
	if (status != TDX_EPT_INVALID_PROMOTE_CONDITIONS)
		return resize_failed(r);
	resize_checkpoint(r, 7);
	if (resize_call(r, HOST_SITE_promote_unblock, 0) != TDX_SUCCESS)
		return resize_failed(r);
	return -EAGAIN;
}

static int promote_one(const struct resize *r)
{
	struct sl_env *env = r->cpu->env;
	int ret;

	env_checkpoint(env, HOST_CHECKPOINT_RESIZE, r->gfn << 8, r->context);
	cpu_open_interrupts(r->cpu);
	env->ops->write_lock(env, &r->vm->mmu_lock);
	ret = vm_is_dead(r->vm) || vm_key_is_gone(r->vm, true) ? -EIO : promote_locked(r);
	env->ops->write_unlock(env, &r->vm->mmu_lock);
	if (ret == -EAGAIN)
		env_pause(env);
	return ret;
}

int host_promote(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves)
{
	int level = vm_gfn_level(vm, gfn), ret = 0;
	u64 end;

	if (level < 0)
		return level;
	if (HOST_IS(vm->vmm->policy, promote, refused))
		return 0;
	end = gfn + (leaves << (SL_LEVEL_BITS * (u32)level));
	for (gfn &= ~(SL_LEVEL_PAGES(LARGE) - 1); gfn < end && !ret; gfn += SL_LEVEL_PAGES(LARGE)) {
		struct resize r = { .cpu = cpu, .vm = vm, .gfn = gfn, .context = end };

		ret = promote_one(&r);
	}
	return ret;
}
