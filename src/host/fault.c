// SPDX-License-Identifier: MIT
/*
 * The fault path: from a private gfn to a mapping in the mirror and in the module, under mmu_lock
 * held for read, and the loop that tries again in the host instead of through the guest.
 *
 * Installing cannot kick anybody, so nothing here may depend on a SEAMCALL's success: BUSY becomes
 * RET_PF_RETRY, and every turn of the loop looks for a reason to leave. Layer: host.
 */
#include "host/internal.h"

int vm_gfn_level(const struct vm *vm, u64 gfn)
{
	for (u32 i = 0; i < vm->range_count; i++) {
		const struct vm_range *range = &vm->range[i];

		if (gfn >= range->gfn && gfn - range->gfn < range->pages)
			return range->level;
	}
	return -EFAULT;
}

bool vm_gfn_is_shared(const struct vm *vm, u64 gfn)
{
	/* Relaxed: whoever changes it invalidates the range before and after, see fault_once(). */
	u64 word = atomic_load_explicit(&vm->shared[gfn / 64], memory_order_relaxed);

	return (word & BIT_ULL(gfn % 64)) != 0;
}

/* Do the 512 pages of the 2 MB around @gfn differ in who owns them? */
static bool is_mixed(const struct vm *vm, u64 gfn)
{
	u64 first = gfn & ~(SL_LEVEL_PAGES(1) - 1), any = 0, all = ~0ull;

	for (u64 i = first / 64; i < (first + SL_LEVEL_PAGES(1)) / 64; i++) {
		u64 word = atomic_load_explicit(&vm->shared[i], memory_order_relaxed);

		any |= word;
		all &= word;
	}
	return any && ~all;
}

u32 vm_map_level(const struct vm *vm, u64 gfn)
{
	int level = vm_gfn_level(vm, gfn);
	u64 large = gfn >> SL_LEVEL_BITS;

	if (level <= 0 || HOST_IS(vm->vmm->policy, resize_restart, small_pages))
		return 0;
	/* Relaxed: written under mmu_lock held for write. */
	if (atomic_load_explicit(&vm->small[large / 64], memory_order_relaxed) >> large % 64 & 1)
		return 0;
	return is_mixed(vm, gfn) ? 0 : (u32)level;
}

void vm_keep_small(struct vm *vm, u64 gfn)
{
	u64 large = gfn >> SL_LEVEL_BITS;

	atomic_fetch_or_explicit(&vm->small[large / 64], BIT_ULL(large % 64), memory_order_relaxed);
}

static int fault_init(struct fault *f, struct vm *vm, struct cpu *cpu, u64 gfn)
{
	int level = vm_gfn_level(vm, gfn);

	if (level < 0)
		return level;
	*f = (struct fault){
		.cpu = cpu,
		.vm = vm,
		.at = gfn,
	};
	return 0;
}

static void fault_end(struct fault *f)
{
	site_visit_end(f->cpu, HOST_SITE_fault_sept_add, &f->sept_add);
	site_visit_end(f->cpu, f->leaf_site, &f->leaf);
}

/* RET_PF_FIXED: there is memory to map; RET_PF_RETRY: ask again; -ENOENT: no slot; -EFAULT: shared. */
static int fault_lookup(const struct fault *f)
{
	switch (vm_slot_of(f->vm, f->at)) {
	case VM_SLOT_GONE:
		return -ENOENT;
	case VM_SLOT_INVALID:
		return RET_PF_RETRY;
	case VM_SLOT_VALID:
	default:
		return vm_gfn_is_shared(f->vm, f->at) ? -EFAULT : RET_PF_FIXED;
	}
}

/* The pfn is always gfn_hpa(); what it takes to know that is guest_memfd's lock, for some. */
static void pfn_lookup(const struct fault *f)
{
	struct sl_env *env = f->cpu->env;

	if (!HOST_IS(f->vm->vmm->policy, populate_pfn, looked_up))
		return;
	env->ops->read_lock(env, &f->vm->gmem_lock);
	env->ops->read_unlock(env, &f->vm->gmem_lock);
}

/* Whoever made the root obsolete, under mmu_lock, has left a request for the run loop. */
static bool root_is_obsolete(const struct fault *f)
{
	return f->vcpu && HOST_IS(f->vm->vmm->policy, slot_zap, all) &&
	       (atomic_load_explicit(&f->vcpu->requests, memory_order_relaxed) & VCPU_REQ_ROOT);
}

/* Under mmu_lock: was what the fault has looked at before it taken back since? */
static bool fault_is_stale(const struct fault *f)
{
	return root_is_obsolete(f) || mmu_invalidate_retry(f->vm, f->mmu_seq, f->at);
}

/*
 * Under mmu_lock held for write, where vCPUs can be kicked. First the page is split, then the mark is set,
 * which stays: who sees it finds small pages.
 */
static int split_for_fault(struct fault *f)
{
	struct vm *vm = f->vm;
	struct sl_env *env = f->cpu->env;
	int ret = RET_PF_RETRY;

	env->ops->write_lock(env, &vm->mmu_lock);
	if (vm_key_is_gone(vm, true))
		ret = -EIO;
	else if (!fault_is_stale(f))
		ret = split_locked(f->cpu, vm, f->at, f->context << 32 ^ f->at);
	if (!ret)
		vm_keep_small(vm, f->at);
	env->ops->write_unlock(env, &vm->mmu_lock);
	return ret;
}

/*
 * One attempt. RET_PF_*, -ENOENT or -EFAULT as above, -EIO (the VM is bugged).
 * The snapshot comes first: an invalidation that begins after it is seen under the lock.
 */
static int fault_once(struct fault *f)
{
	struct vm *vm = f->vm;
	struct sl_env *env = f->cpu->env;
	int ret;

	/* Acquire: pairs with invalidate_end(); what the invalidation changed is read after it. */
	f->mmu_seq = atomic_load_explicit(&vm->mmu_invalidate_seq, memory_order_acquire);
	ret = fault_lookup(f);
	if (ret != RET_PF_FIXED)
		return ret;
	if (vm_key_is_gone(vm, false))
		return -EIO;
	pfn_lookup(f);
	env->ops->read_lock(env, &vm->mmu_lock);
	if (vm_key_is_gone(vm, true))
		ret = -EIO;
	else if (fault_is_stale(f))
		ret = RET_PF_RETRY;
	else
		ret = mirror_map(f);
	if (ret == RET_PF_SPLIT && HOST_IS(vm->vmm->policy, split_read, unblock))
		ret = split_read(f);
	env->ops->read_unlock(env, &vm->mmu_lock);
	if (ret == RET_PF_SPLIT)
		ret = split_for_fault(f);
	if (ret == RET_PF_FIXED)
		sl_count_add(env, SL_CTR_pages_mapped, SL_LEVEL_PAGES(f->level));
	return ret;
}

/* An interrupt or a signal is waiting: the run loop has to see it before the next attempt. */
static bool vcpu_has_events(struct vcpu *v)
{
	/* Acquire: pairs with vcpu_request(). */
	return (atomic_load_explicit(&v->requests, memory_order_acquire) &
		(VCPU_REQ_SIGNAL | VCPU_REQ_EVENT)) != 0;
}

/* May the policy want to come back to a fault that was left unresolved? */
static bool minds_unresolved(const struct host_policy *policy)
{
	return HOST_IS(policy, enter_on_busy, kick_all) || policy_asks(policy, POLICY_ON_ENTER);
}

/* An attempt has come to nothing: is there a reason to leave the loop in the host? */
static bool fault_gives_up(struct vcpu *v, const struct fault *f, enum host_value how, int *ret)
{
	if (how == HOST_fault_retry_local_without_exits)
		return false;
	if (vcpu_has_events(v))
		return true;
	if (vm_is_dead(f->vm)) {
		*ret = -EIO;
		return true;
	}
	if (how == HOST_fault_retry_local_root_test && root_is_obsolete(f))
		return true;
	/* The deleter of the slot waits for this read section. */
	return (how == HOST_fault_retry_local || how == HOST_fault_retry_local_root_test) &&
	       vm_slot_of(f->vm, f->at) == VM_SLOT_INVALID;
}

/* Between two attempts. */
static void fault_pause(struct vcpu *v, struct cpu *cpu, enum host_value how)
{
	bool drop = how == HOST_fault_retry_local_drop_srcu;

	sl_count(cpu->env, SL_CTR_local_retries);
	if (drop)
		srcu_read_unlock(cpu);
	cpu_open_interrupts(cpu);
	env_pause(cpu->env);
	if (drop)
		srcu_read_lock(cpu, v->vm);
}

/* Leaves the fault's loop, be it mapped or left to the next exit; @ret is what came of it. */
static int fault_leave(struct vcpu *v, struct fault *f, int ret)
{
	if (minds_unresolved(f->vm->vmm->policy)) {
		v->unresolved = ret == RET_PF_RETRY;
		v->last_gfn = f->at;
	}
	fault_end(f);
	return ret < 0 ? ret : 0;
}

/* What a fault does that has to be tried again: a value of the switch fault-retry. */
static enum host_value retry_how(struct fault *f)
{
	const struct host_policy *policy = f->vm->vmm->policy;
	bool leaf = f->leaf.status != 0;

	if (sl_unlikely(policy_asks(policy, POLICY_ON_FAULT))) {
		f->attempts = policy_count(f->attempts + 1ull);
		switch (policy_ask(f->cpu, f->vm, POLICY_ON_FAULT,
				   leaf ? f->leaf_site : HOST_SITE_fault_sept_add,
				   leaf ? &f->leaf : &f->sept_add, f->attempts)) {
		case SL_FAULT_LOCAL:
			return HOST_fault_retry_local;
		case SL_FAULT_LOCAL_WITHOUT_EXITS:
			return HOST_fault_retry_local_without_exits;
		case SL_FAULT_GUEST:
			return HOST_fault_retry_guest;
		default:
			break;
		}
	}
	return (enum host_value)policy->sw[HOST_SWITCH_fault_retry];
}

int fault_handle(struct vcpu *v, struct cpu *cpu, u64 gfn, bool small)
{
	struct vm *vm = v->vm;
	struct fault f;
	int ret = fault_init(&f, vm, cpu, gfn);

	if (ret)
		return ret;
	f.vcpu = v;
	f.context = vcpu_id(v);
	f.small = small && HOST_IS(vm->vmm->policy, accept_level, split);
	sl_count(cpu->env, SL_CTR_faults);
	for (;;) {
		enum host_value how;

		/* Contexts tell of the BUSY of one attempt only. */
		f.leaf.status = f.sept_add.status = 0;
		env_checkpoint(cpu->env, HOST_CHECKPOINT_FAULT, vcpu_id(v),
			       f.at << 1 | f.small | fault_past(&f) << 40);
		ret = fault_once(&f);
		if (ret != RET_PF_RETRY)
			break;
		how = retry_how(&f);
		if (how == HOST_fault_retry_guest || fault_gives_up(v, &f, how, &ret))
			break;
		fault_pause(v, cpu, how);
	}
	return fault_leave(v, &f, ret);
}

int fault_kick_and_retry(struct vcpu *v, struct cpu *cpu, u64 *gfn)
{
	struct vm *vm = v->vm;
	struct sl_env *env = cpu->env;
	struct fault f;
	int ret = 0;

	*gfn = v->last_gfn;
	env->ops->write_lock(env, &vm->mmu_lock);
	keep_out_begin(cpu, vm, true, true);
	if (v->unresolved)
		ret = fault_init(&f, vm, cpu, v->last_gfn);
	if (v->unresolved && !ret) {
		f.context = vcpu_id(v);
		f.leaf.kept_out = f.sept_add.kept_out = true;
		f.leaf.zero_step = f.sept_add.zero_step = true;
		f.mmu_seq = atomic_load_explicit(&vm->mmu_invalidate_seq, memory_order_relaxed);
		ret = fault_lookup(&f);
		if (ret == RET_PF_RETRY)
			/* The slot is on its way out: the guest may fault again. */
			ret = RET_PF_SPURIOUS;
		else if (ret == RET_PF_FIXED && !mmu_invalidate_retry(vm, f.mmu_seq, f.at))
			ret = mirror_map(&f);
		/* Nobody else installs or removes under the lock held for write: it was BUSY. */
		if (ret == RET_PF_RETRY) {
			vm_bug(cpu, vm, host_site_name(HOST_SITE_enter),
			       "a fault was BUSY after kicking all vCPUs");
			ret = -EIO;
		}
		ret = fault_leave(v, &f, ret);
	}
	keep_out_end(vm);
	env->ops->write_unlock(env, &vm->mmu_lock);
	return ret;
}

/* ---- host priority that was left behind ------------------------------------------------------ */

/* True: no entry on the way to @gfn has the host's priority any more. */
static bool replay_gfn(struct vm *vm, struct cpu *cpu, u64 gfn, u32 level)
{
	for (; level <= MIRROR_ROOT_LEVEL; level++) {
		struct tdx_module_args args = {
			.rcx = (gfn & ~(SL_LEVEL_PAGES(level) - 1)) << SL_PAGE_SHIFT | level,
			.rdx = vm->tdr.v,
		};

		/* Without a table at this level there is no entry, and so no priority. */
		if (status_is_busy(site_call(cpu, vm, HOST_SITE_hp_replay, &args)))
			return false;
	}
	return true;
}

void fault_replay_owed(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	/* As for an install: zaps stay away. */
	env->ops->read_lock(env, &vm->mmu_lock);
	for (u64 gfn = 0; gfn < vm->pages; gfn++) {
		_Atomic u64 *word = &vm->owed[gfn / 64];
		int level = vm_gfn_level(vm, gfn);

		if (!(atomic_load_explicit(word, memory_order_relaxed) >> gfn % 64 & 1))
			continue;
		if (level >= 0 && replay_gfn(vm, cpu, gfn, (u32)level))
			atomic_fetch_and_explicit(word, ~BIT_ULL(gfn % 64), memory_order_relaxed);
	}
	env->ops->read_unlock(env, &vm->mmu_lock);
}

/* ---- without a vCPU -------------------------------------------------------------------------- */

/* An attempt has come to nothing. 0, or the errno with which to leave the loop. */
static int prefault_gives_up(const struct fault *f)
{
	const struct host_policy *policy = f->vm->vmm->policy;

	if (HOST_IS(policy, prefault, retry_without_exits))
		return 0;
	if (vm_is_dead(f->vm))
		return -EIO;
	/* The deleter of the slot waits for this read section: user space has to call again. */
	if (!HOST_IS(policy, prefault, retry_without_slot_test) &&
	    vm_slot_of(f->vm, f->at) == VM_SLOT_INVALID)
		return -EAGAIN;
	return 0;
}

/* Attempts until the page is there, the VM is dead, or the module refuses; or one (-EBUSY). */
static int fault_loop(struct fault *f, u64 end, bool once)
{
	int ret, why;

	f->context = end;
	for (;;) {
		env_checkpoint(f->cpu->env, HOST_CHECKPOINT_MAP, f->at, end | fault_past(f) << 40);
		ret = fault_once(f);
		if (ret != RET_PF_RETRY)
			break;
		if (once) {
			ret = -EBUSY;
			break;
		}
		why = prefault_gives_up(f);
		if (why) {
			ret = why;
			break;
		}
		sl_count(f->cpu->env, SL_CTR_local_retries);
		cpu_open_interrupts(f->cpu);
		env_pause(f->cpu->env);
	}
	fault_end(f);
	return ret < 0 ? ret : 0;
}

int fault_populate(struct vm *vm, struct cpu *cpu, u64 gfn)
{
	struct fault f;
	int ret = fault_init(&f, vm, cpu, gfn);

	return ret ? ret : fault_loop(&f, gfn, false);
}

/* In a read section. */
static int map_leaves(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves)
{
	int level = vm_gfn_level(vm, gfn);
	u64 end;

	if (level < 0)
		return level;
	gfn &= ~(SL_LEVEL_PAGES(level) - 1);
	for (end = gfn + (leaves << (SL_LEVEL_BITS * (u32)level)); gfn < end;) {
		struct fault f;
		int ret = fault_init(&f, vm, cpu, gfn);

		if (ret)
			return ret;
		if (vm_is_dead(vm))
			return -EIO;
		cpu_open_interrupts(cpu);
		ret = fault_loop(&f, end, HOST_IS(vm->vmm->policy, prefault, give_up));
		if (ret)
			return ret;
		gfn = f.gfn + SL_LEVEL_PAGES(f.level);
	}
	return 0;
}

int host_map(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves)
{
	int ret;

	/* Acquire: pairs with td_finalize(). */
	if (!atomic_load_explicit(&vm->prefault_allowed, memory_order_acquire))
		return -EINVAL;
	srcu_read_lock(cpu, vm);
	ret = map_leaves(vm, cpu, gfn, leaves);
	srcu_read_unlock(cpu);
	return ret;
}
