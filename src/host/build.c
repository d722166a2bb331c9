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

/* A build-time SEAMCALL; remembers what went wrong. */
static int build_call_args(struct cpu *cpu, struct vm *vm, enum host_site site,
			   struct tdx_module_args args)
{
	u64 status;

	cpu_open_interrupts(cpu);
	status = site_call(cpu, vm, site, &args);
	if (status_class(status) == TDX_SUCCESS)
		return 0;
	vm->failed_site = site;
	vm->failed_status = status;
	return status_errno(status);
}

static int build_call(struct cpu *cpu, struct vm *vm, enum host_site site, u64 rcx, u64 rdx)
{
	return build_call_args(cpu, vm, site, (struct tdx_module_args){ .rcx = rcx, .rdx = rdx });
}

/* ---- the TD ---------------------------------------------------------------------------------- */

static int td_create(struct vm *vm, struct cpu *cpu)
{
	int ret;

	if (!page_alloc(cpu, &vm->tdr))
		return -ENOMEM;
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
		u64 status = cpu_call(cpu, &vmm->cpu[i], vm, HOST_SITE_build_key_config, vm->tdr.v);

		if (status_class(status) != TDX_SUCCESS) {
			vm->failed_site = HOST_SITE_build_key_config;
			vm->failed_status = status;
			return status_errno(status);
		}
	}
	return 0;
}

static int td_addcx(struct vm *vm, struct cpu *cpu)
{
	for (u32 i = 0; i < VM_TDCX_PAGES; i++) {
		int ret;

		if (!page_alloc(cpu, &vm->tdcx[i]))
			return -ENOMEM;
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
	for (u32 i = 0; i < VCPU_TDCX_PAGES; i++) {
		int ret;

		if (!page_alloc(cpu, &v->tdcx[i]))
			return -ENOMEM;
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
}

static int vcpu_create(struct vcpu *v, struct cpu *cpu)
{
	struct vm *vm = v->vm;
	int ret;

	if (!page_alloc(cpu, &v->tdvpr))
		return -ENOMEM;
	ret = build_call(cpu, vm, HOST_SITE_build_vp_create, v->tdvpr.v, vm->tdr.v);
	if (ret)
		return ret;
	v->created = true;
	ret = vcpu_addcx(v, cpu);
	if (ret)
		return ret;
	/* R8, the x2APIC id, counts only from version 1 on. */
	ret = build_call_args(cpu, vm, HOST_SITE_build_vp_init,
			      (struct tdx_module_args){ .rcx = v->tdvpr.v, .r8 = v->index });
	if (ret)
		return ret;
	/* VP.INIT has associated it with this CPU. */
	atomic_store_explicit(&v->cpu, cpu->index, memory_order_relaxed);
	/* Refused only if the page were no TDVPR. */
	SL_BUG_ON(v->guest && sl_guest_bind(vm->vmm->machine, v->tdvpr.v, v->guest));
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

/* slots_lock held: nobody converts or populates beside this. */
static int ranges_add(struct vm *vm, struct cpu *cpu)
{
	for (u32 i = 0; i < vm->range_count; i++) {
		const struct vm_range *range = &vm->range[i];

		if (range->init != VM_RANGE_MAPPED)
			continue;
		for (u64 gfn = range->gfn; gfn < range->gfn + range->pages; gfn++) {
			int ret = fault_populate(vm, cpu, gfn);

			if (!ret)
				ret = page_measure(vm, cpu, gfn);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int vm_populate(struct vm *vm, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;
	int ret;

	env->ops->mutex_lock(env, &vm->slots_lock);
	ret = ranges_add(vm, cpu);
	if (!ret && !vm->unfinished)
		ret = build_call(cpu, vm, HOST_SITE_init_mem_finalize, vm->tdr.v, 0);
	if (!ret)
		/* Release: pairs with every look at state that decides between ADD and AUG, or
		 * whether to TRACK.
		 */
		atomic_store_explicit(&vm->state, VM_RUNNABLE, memory_order_release);
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
		ret = vcpu_create(&vm->vcpu[i], cpu);
	return ret;
}

int vm_build(struct vm *vm, struct cpu *cpu)
{
	int ret;

	if (atomic_load_explicit(&vm->leaked, memory_order_relaxed))
		return -ENOMEM;
	SL_BUG_ON(atomic_load_explicit(&vm->state, memory_order_relaxed) != VM_EMPTY);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_reset(&vm->vcpu[i]);
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
