// SPDX-License-Identifier: MIT
/*
 * Building a TD: control structures, keys, vCPUs, initial memory, finalize. Everything that
 * belongs to the module afterwards is noted in struct vm and struct vcpu at once, so that teardown
 * can start from any point. Layer: host.
 */
#include "host/internal.h"

#define ATTR_DEBUG           BIT_ULL(0)
#define ATTR_SEPT_VE_DISABLE BIT_ULL(28)
#define EPTP_WB_4_LEVELS     (6ull | 3ull << 3)
#define XFAM_X87_SSE         3ull
#define EXTEND_CHUNK         256ull
/* TD_PARAMS, as 8-byte fields. */
#define PARAMS_ATTRIBUTES    0
#define PARAMS_XFAM          1
#define PARAMS_MAX_VCPUS     2
#define PARAMS_EPTP_CONTROLS 3
#define PARAMS_TSC_FREQUENCY 5 /* units of 25 MHz */
#define TSC_FREQUENCY_2_GHZ  80

/* Relaxed: for messages; of two that fail at once either may be told. */
static void build_failed(struct vm *vm, enum host_site site, u64 status)
{
	atomic_store_explicit(&vm->failed_site, site, memory_order_relaxed);
	atomic_store_explicit(&vm->failed_status, status, memory_order_relaxed);
}

/*
 * In front of a build-time SEAMCALL. Its page says how far the builder is: what has been given to the module
 * before is noted in the arena, and whatever failed has ended the build.
 */
static void build_checkpoint(struct cpu *cpu, enum host_site site, u64 rcx, u64 rdx)
{
	env_checkpoint(cpu->env, HOST_CHECKPOINT_BUILD, rcx | (u64)site << 56, rdx);
}

/* A build-time SEAMCALL; remembers what went wrong. */
static int build_call_args(struct cpu *cpu, struct vm *vm, enum host_site site,
			   struct tdx_module_args args)
{
	u64 status;

	cpu_open_interrupts(cpu);
	build_checkpoint(cpu, site, args.rcx, args.rdx);
	status = site_call(cpu, vm, site, &args);
	if (status_class(status) == TDX_SUCCESS)
		return 0;
	build_failed(vm, site, status);
	if (status_class(status) == TDX_RND_NO_ENTROPY &&
	    HOST_IS(vm->vmm->policy, no_entropy, fatal))
		return -EIO;
	return status_errno(status);
}

static int build_call(struct cpu *cpu, struct vm *vm, enum host_site site, u64 rcx, u64 rdx)
{
	return build_call_args(cpu, vm, site, (struct tdx_module_args){ .rcx = rcx, .rdx = rdx });
}

/* A control page that may be given to the module; @page stays 0 if there is none. */
static int control_alloc(struct vm *vm, struct cpu *cpu, struct hpa *page)
{
	int ret;

	if (!page_alloc(cpu, page))
		return -ENOMEM;
	ret = pamt_ref_get(cpu, vm, *page);
	if (ret) {
		page_free(cpu, *page);
		page->v = 0;
	}
	return ret;
}

/* ---- the TD ---------------------------------------------------------------------------------- */

static int td_create(struct vm *vm, struct cpu *cpu)
{
	int ret;

	ret = control_alloc(vm, cpu, &vm->tdr);
	if (ret)
		return ret;
	tdx_lock(cpu);
	vm->hkid = hkid_alloc(cpu);
	if (!vm->hkid) {
		ret = -ENOSPC;
		goto out;
	}
	ret = build_call(cpu, vm, HOST_SITE_build_create, vm->tdr.v, vm->hkid);
	if (ret) {
		hkid_free(cpu, vm->hkid);
		vm->hkid = 0;
		goto out;
	}
	vm->created = true;
out:
	tdx_unlock(cpu);
	return ret;
}

/* On one CPU per package, always the same one: so two TDs do not meet at a package's engine. */
static int td_key_config(struct vm *vm, struct cpu *cpu)
{
	struct vmm *vmm = vm->vmm;

	for (u32 i = 0; i < vmm->package_count; i++) {
		u64 status;

		build_checkpoint(cpu, HOST_SITE_build_key_config, vm->tdr.v, i);
		status = cpu_call(cpu, &vmm->cpu[i], vm, HOST_SITE_build_key_config, vm->tdr.v);

		if (status_class(status) != TDX_SUCCESS) {
			build_failed(vm, HOST_SITE_build_key_config, status);
			return status_errno(status);
		}
	}
	return 0;
}

static int td_addcx(struct vm *vm, struct cpu *cpu)
{
	for (u32 i = 0; i < VM_TDCX_PAGES; i++) {
		int ret;

		ret = control_alloc(vm, cpu, &vm->tdcx[i]);
		if (ret)
			return ret;
		ret = build_call(cpu, vm, HOST_SITE_build_addcx, vm->tdcx[i].v, vm->tdr.v);
		if (ret)
			return ret;
		vm->tdcx_count++;
	}
	return 0;
}

static int td_init(struct vm *vm, struct cpu *cpu)
{
	u64 *params = sl_machine_shared(vm->vmm->machine, vm->params_pa);

	SL_BUG_ON(!params);
	params[PARAMS_ATTRIBUTES] =
		(vm->sept_ve_disable ? ATTR_SEPT_VE_DISABLE : 0) | (vm->debug ? ATTR_DEBUG : 0);
	params[PARAMS_XFAM] = XFAM_X87_SSE;
	params[PARAMS_MAX_VCPUS] = vm->vcpu_count;
	params[PARAMS_EPTP_CONTROLS] = EPTP_WB_4_LEVELS;
	params[PARAMS_TSC_FREQUENCY] = TSC_FREQUENCY_2_GHZ;
	return build_call(cpu, vm, HOST_SITE_build_init, vm->tdr.v, vm->params_pa);
}

/* ---- vCPUs ----------------------------------------------------------------------------------- */

static int vcpu_addcx(struct vcpu *v, struct cpu *cpu)
{
	for (u32 i = v->tdcx_count; i < VCPU_TDCX_PAGES; i++) {
		int ret;

		ret = v->tdcx[i].v ? 0 : control_alloc(v->vm, cpu, &v->tdcx[i]);
		if (ret)
			return ret;
		ret = build_call(cpu, v->vm, HOST_SITE_build_vp_addcx, v->tdcx[i].v, v->tdvpr.v);
		if (ret)
			return ret;
		v->tdcx_count++;
	}
	return 0;
}

static void vcpu_reset(struct vcpu *v)
{
	atomic_store_explicit(&v->mode, VCPU_OUTSIDE, memory_order_relaxed);
	atomic_store_explicit(&v->kick, 0, memory_order_relaxed);
	/* A signal is the thread's, not the TD's: it stays. */
	atomic_fetch_and_explicit(&v->requests, VCPU_REQ_SIGNAL, memory_order_relaxed);
	atomic_store_explicit(&v->cpu, CPU_NONE, memory_order_relaxed);
	v->interrupt = false;
	v->halted = false;
	v->done = false;
	v->failed = false;
	v->why = 0;
	v->vmcall_r10 = 0;
	v->vmcall_r11 = 0;
	v->unresolved = false;
	v->has_exited = false;
}

static int vcpu_create(struct vcpu *v, struct cpu *cpu)
{
	struct vm *vm = v->vm;
	int ret;

	ret = v->tdvpr.v ? 0 : control_alloc(vm, cpu, &v->tdvpr);
	if (ret)
		return ret;
	ret = build_call(cpu, vm, HOST_SITE_build_vp_create, v->tdvpr.v, vm->tdr.v);
	if (!ret)
		v->created = true;
	return ret;
}

/*
 * VP.INIT wants the TDR exclusive, for the x2APIC ids, and removal cannot bear that: it kicks vCPUs,
 * and this is none that runs. So it is kept away with removal's own lock, though no SPTE changes.
 */
static int vcpu_init(struct vcpu *v, struct cpu *cpu)
{
	/* R8, the x2APIC id, counts only from version 1 on. */
	struct tdx_module_args args = { .rcx = v->tdvpr.v, .r8 = v->index };
	bool locked = HOST_IS(v->vm->vmm->policy, vp_init, mmu_lock);
	struct sl_env *env = cpu->env;
	int ret;

	if (locked)
		env->ops->write_lock(env, &v->vm->mmu_lock);
	ret = build_call_args(cpu, v->vm, HOST_SITE_build_vp_init, args);
	if (locked)
		env->ops->write_unlock(env, &v->vm->mmu_lock);
	if (!ret)
		v->inited = true;
	return ret;
}

int vcpu_build(struct vcpu *v, struct cpu *cpu)
{
	int ret = 0;

	if (!v->created)
		ret = vcpu_create(v, cpu);
	if (!ret)
		ret = vcpu_addcx(v, cpu);
	/* VP.INIT associates it with this CPU. */
	if (!ret)
		ret = vcpu_load(v, cpu);
	if (!ret)
		ret = vcpu_init(v, cpu);
	if (ret)
		return ret;
	/* Refused only if the page were no TDVPR. */
	SL_BUG_ON(v->guest && sl_guest_bind(v->vm->vmm->machine, v->tdvpr.v, v->guest));
	return 0;
}

void vcpu_set_guest(struct vcpu *v, struct sl_guest *guest)
{
	v->guest = guest;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int page_measure(struct vm *vm, struct cpu *cpu, u64 gfn)
{
	u64 gpa = gfn << SL_PAGE_SHIFT;

	for (u64 at = 0; at < SL_PAGE_SIZE; at += EXTEND_CHUNK) {
		int ret = build_call(cpu, vm, HOST_SITE_init_mem_extend, gpa + at, vm->tdr.v);

		if (ret)
			return ret;
	}
	return 0;
}

/* The mirror has the leaf already; now the module gets it. */
static int page_add_late(struct vm *vm, struct cpu *cpu, u64 gfn)
{
	return build_call_args(cpu, vm, HOST_SITE_init_mem_add,
			       (struct tdx_module_args){ .rcx = gfn << SL_PAGE_SHIFT,
							 .rdx = vm->tdr.v,
							 .r8 = gfn_hpa(vm, gfn).v,
							 .r9 = SHARED_PA_SOURCE });
}

/* slots_lock held: nobody converts or populates beside this. */
int page_add(struct vm *vm, struct cpu *cpu, u64 gfn, bool measure)
{
	int ret;

	/* Relaxed: the hook that reads it runs in this lane. */
	atomic_store_explicit(&vm->source, SHARED_PA_SOURCE, memory_order_relaxed);
	ret = fault_populate(vm, cpu, gfn);
	atomic_store_explicit(&vm->source, 0, memory_order_relaxed);
	if (!ret && HOST_IS(vm->vmm->policy, populate, premap))
		ret = page_add_late(vm, cpu, gfn);
	if (!ret && measure)
		ret = page_measure(vm, cpu, gfn);
	return ret;
}

static int ranges_add(struct vm *vm, struct cpu *cpu)
{
	for (u32 i = 0; i < vm->range_count; i++) {
		const struct vm_range *range = &vm->range[i];

		if (range->init != VM_RANGE_MAPPED)
			continue;
		for (u64 gfn = range->gfn; gfn < range->gfn + range->pages; gfn++) {
			int ret = page_add(vm, cpu, gfn, true);

			if (ret)
				return ret;
		}
	}
	return 0;
}

/* From here on faults AUG. */
static void td_set_runnable(struct vm *vm)
{
	if (HOST_IS(vm->vmm->policy, prefault_allowed, before_state))
		atomic_store_explicit(&vm->prefault_allowed, 1, memory_order_release);
	/*
	 * Release: pairs with every look at state that decides between ADD and AUG, or whether to
	 * TRACK.
	 */
	atomic_store_explicit(&vm->state, VM_RUNNABLE, memory_order_release);
	/* Release: pairs with host_map(); who may prefault sees RUNNABLE, too. */
	atomic_store_explicit(&vm->prefault_allowed, 1, memory_order_release);
}

int td_finalize(struct vm *vm, struct cpu *cpu)
{
	int ret = build_call(cpu, vm, HOST_SITE_init_mem_finalize, vm->tdr.v, 0);

	if (!ret)
		td_set_runnable(vm);
	return ret;
}

static int vm_populate(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;
	int ret;

	env->ops->mutex_lock(env, &vm->slots_lock);
	ret = ranges_add(vm, cpu);
	if (!ret && vm->unfinished)
		td_set_runnable(vm);
	else if (!ret && !vm->stepwise)
		ret = td_finalize(vm, cpu);
	env->ops->mutex_unlock(env, &vm->slots_lock);
	return ret;
}

static int ranges_aug(struct vm *vm, struct cpu *cpu)
{
	for (u32 i = 0; i < vm->range_count; i++) {
		const struct vm_range *range = &vm->range[i];
		int ret;

		if (range->init != VM_RANGE_PENDING)
			continue;
		ret = host_map(vm, cpu, range->gfn,
			       range->pages >> (SL_LEVEL_BITS * (u32)range->level));
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int td_build(struct vm *vm, struct cpu *cpu)
{
	int ret = td_create(vm, cpu);

	if (!ret)
		ret = td_key_config(vm, cpu);
	if (!ret)
		ret = td_addcx(vm, cpu);
	if (!ret)
		ret = td_init(vm, cpu);
	for (u32 i = 0; i < vm->vcpu_count && !ret; i++)
		if (!((vm->absent_vcpus | vm->bare_vcpus) >> i & 1))
			ret = vcpu_build(&vm->vcpu[i], cpu);
	return ret;
}

int vm_build(struct vm *vm, struct cpu *cpu)
{
	int ret;

	if (atomic_load_explicit(&vm->leaked, memory_order_relaxed))
		return -ENOMEM;
	SL_BUG_ON(atomic_load_explicit(&vm->state, memory_order_relaxed) != VM_EMPTY);
	vm->created_vcpus = 0;
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		vcpu_reset(&vm->vcpu[i]);
		vm->vcpu[i].online = !(vm->absent_vcpus >> i & 1);
		vm->created_vcpus += vm->vcpu[i].online;
	}
	vm->online_vcpus = vm->created_vcpus;
	atomic_store_explicit(&vm->prefault_allowed, 0, memory_order_relaxed);
	atomic_store_explicit(&vm->dead, 0, memory_order_relaxed);
	atomic_store_explicit(&vm->bugged, 0, memory_order_relaxed);
	atomic_store_explicit(&vm->terminated, 0, memory_order_relaxed);
	atomic_store_explicit(&vm->state, VM_BUILDING, memory_order_relaxed);
	ret = td_build(vm, cpu);
	if (!ret)
		ret = vm_populate(vm, cpu);
	if (!ret)
		ret = ranges_aug(vm, cpu);
	/* The thread that created the vCPUs leaves them for the threads that will run them. */
	for (u32 i = 0; i < vm->vcpu_count && !ret; i++)
		ret = vcpu_flush_on(&vm->vcpu[i], cpu, cpu);
	if (ret) {
		vm_teardown(vm, cpu);
		return ret;
	}
	sl_count(cpu->env, SL_CTR_tds_built);
	return 0;
}
