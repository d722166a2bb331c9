// SPDX-License-Identifier: MIT
/* What the lanes of a world do. Layer: engine. */
#include <errno.h>

#include "base/stats.h"
#include "engine/world.h"

/* Labels of env_checkpoint(): a = index of the operation, b = loop counters. */
#define LANE_CHECKPOINT       0x4C00u
#define LP_RETRY_CHECKPOINT   0x4C01u /* a: with the page in the upper half */
#define LANE_RETRY_CHECKPOINT 0x4C02u

static bool stopping(const struct world *w)
{
	return atomic_load_explicit(&w->stop, memory_order_seq_cst);
}

/* Nobody is left who could let the lanes at the gate run again. */
static bool gate_is_closed(const struct world *w)
{
	/* Pairs with host_lane_ends(). */
	return !atomic_load_explicit(&w->hosts_left, memory_order_seq_cst);
}

/* ---- vCPU lanes ----------------------------------------------------------------------- */

/* The thread moves to where its vCPU is wanted. */
static struct cpu *change_cpu(struct world *w, struct lane *l, struct vcpu *v, struct cpu *cpu)
{
	/* Relaxed: the signal that got the lane here came behind it. */
	u32 wanted = atomic_load_explicit(&v->wanted, memory_order_relaxed);

	if (wanted == CPU_NONE || wanted == cpu->index)
		return cpu;
	cpu_put(cpu);
	return cpu_take(w->vmm, wanted, l->env);
}

static void run_program(struct world *w, struct lane *l)
{
	struct vcpu *v = &w->vmm->vm[l->td].vcpu[l->index];
	struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);
	int rc;

	for (;;) {
		rc = vcpu_run(v, cpu);
		if ((rc != -EINTR && rc != -EAGAIN) || stopping(w))
			break;
		cpu = change_cpu(w, l, v, cpu);
	}
	cpu_put(cpu);
	if (rc == 0 && v->failed && !stopping(w))
		env_violate(l->env, SL_VIOLATION_TD_KILLED, "guest",
			    "%s: the guest gave up on status 0x%016llx", l->name,
			    (unsigned long long)v->why);
}

static void vcpu_lane(struct world *w, struct lane *l)
{
	struct td_gate *gate = &w->gate[l->td];
	u32 seen = 0, now;

	for (;;) {
		while ((now = atomic_load_explicit(&gate->generation, memory_order_seq_cst)) ==
		       seen)
			env_wait_while(l->env, &gate->generation, seen);
		seen = now;
		if (stopping(w) || (w->scenario->td[l->td].gated && gate_is_closed(w)))
			return;
		run_program(w, l);
		/* Pairs with do_run(): what this lane did to the TD is seen there. */
		atomic_fetch_add_explicit(&gate->finished, 1, memory_order_release);
		if (!w->scenario->td[l->td].gated)
			return;
	}
}

/* ---- host lanes ----------------------------------------------------------------------- */

/* The pages of an operation: the first, and how many leaves. */
static u64 pick_gfn(struct lane *l, u64 gpa, u64 count, u32 level, bool random, u64 *leaves)
{
	u64 gfn = gpa >> SL_PAGE_SHIFT;

	*leaves = count;
	if (!random)
		return gfn;
	*leaves = 1;
	return gfn + ((u64)env_choose(l->env, SL_CHOICE_RANDOM_PAGE, (u32)count)
		      << (SL_LEVEL_BITS * level));
}

static void build_violated(struct lane *l, const struct vm *vm, const char *what, int rc)
{
	enum host_site site =
		(enum host_site)atomic_load_explicit(&vm->failed_site, memory_order_relaxed);
	u64 status = atomic_load_explicit(&vm->failed_status, memory_order_relaxed);

	env_violate(l->env, SL_VIOLATION_HOST_ASSERT, host_site_name(site),
		    "VM %u: %s: error %d, status 0x%016llx", vm->index, what, -rc,
		    (unsigned long long)status);
}

static void do_build(struct world *w, struct lane *l, u32 td)
{
	struct vm *vm = &w->vmm->vm[td];
	struct cpu *cpu;
	int rc;

	for (u32 v = 0; v < vm->vcpu_count; v++)
		guest_reset(&w->guest[td][v]);
	cpu = cpu_take(w->vmm, l->cpu, l->env);
	while ((rc = vm_build(vm, cpu)) == -EAGAIN && !stopping(w))
		env_checkpoint(l->env, LANE_RETRY_CHECKPOINT, l->at, l->turns);
	cpu_put(cpu);
	if (rc)
		build_violated(l, vm, "TD could not be built", rc);
}

/* One ioctl that builds. */
static int do_ioctl_once(struct world *w, struct lane *l, const struct scn_host_op *op)
{
	struct vm *vm = &w->vmm->vm[op->td];
	struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);
	int rc;

	switch (op->code) {
	case SCN_HOST_CREATE_VCPU:
		rc = vm_create_vcpu(vm, cpu, op->vcpu);
		break;
	case SCN_HOST_INIT_VCPU:
		rc = vm_init_vcpu(vm, cpu, op->vcpu);
		break;
	case SCN_HOST_ADD:
		rc = vm_add_memory(vm, cpu, op->gpa >> SL_PAGE_SHIFT, op->count, op->measured);
		break;
	default:
		rc = vm_finalize(vm, cpu);
		break;
	}
	cpu_put(cpu);
	return rc;
}

/* Errors of an ioctl that are user space's own doing: the id is taken, the TD is finalized already. */
static bool is_answer(const struct vm *vm, const struct scn_host_op *op, int rc)
{
	/* Acquire: pairs with td_finalize(). */
	return op->may_fail || (op->code == SCN_HOST_CREATE_VCPU && rc == -EEXIST) ||
	       (rc == -EINVAL &&
		atomic_load_explicit(&vm->state, memory_order_acquire) == VM_RUNNABLE);
}

/* User space calls again after EAGAIN, and if it is told to after EBUSY. */
static void do_ioctl(struct world *w, struct lane *l, const struct scn_host_op *op)
{
	const struct vm *vm = &w->vmm->vm[op->td];
	int rc = do_ioctl_once(w, l, op);

	while ((rc == -EAGAIN || (rc == -EBUSY && op->retry)) && !stopping(w)) {
		env_checkpoint(l->env, LANE_RETRY_CHECKPOINT, l->at, l->turns);
		env_pause(l->env);
		rc = do_ioctl_once(w, l, op);
	}
	if (rc && !stopping(w) && !is_answer(vm, op, rc))
		build_violated(l, vm, "an ioctl has failed", rc);
}

/*
 * When the world stops, a lane may end at the gate without counting itself out; the signal that
 * world_stop() sends makes the others leave.
 */
static void await_vcpus(struct world *w, struct lane *l, u32 td, u32 count)
{
	struct td_gate *gate = &w->gate[td];

	while (!stopping(w)) {
		u32 done = atomic_load_explicit(&gate->finished, memory_order_acquire);

		if (done == count)
			return;
		env_wait_while(l->env, &gate->finished, done);
	}
}

/* Lets the vCPU lanes of a TD run their programs once, and waits for them. */
static void do_run(struct world *w, struct lane *l, u32 td)
{
	struct td_gate *gate = &w->gate[td];
	struct vm *vm = &w->vmm->vm[td];

	if (stopping(w))
		return;
	gate->started++;
	atomic_fetch_add_explicit(&gate->generation, 1, memory_order_seq_cst);
	await_vcpus(w, l, td, gate->started * vm->vcpu_count);
}

static void do_teardown(struct world *w, struct lane *l, u32 td)
{
	struct vm *vm = &w->vmm->vm[td];
	struct cpu *cpu;

	/* Of a TD that stood from the start: its vCPUs' threads first come to their end. */
	if (!w->scenario->td[td].explicit_life)
		await_vcpus(w, l, td, vm->vcpu_count);
	/* vCPUs may still be on their way out if the world stops: world_finish() tears down then. */
	if (stopping(w))
		return;
	cpu = cpu_take(w->vmm, l->cpu, l->env);
	vm_teardown(vm, cpu);
	cpu_put(cpu);
}

/* As user space does with an ioctl that is BUSY because a vCPU runs. */
static void do_terminate(struct world *w, struct lane *l, u32 td)
{
	struct vm *vm = &w->vmm->vm[td];
	int rc;

	do {
		struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);

		rc = vm_terminate(vm, cpu);
		cpu_put(cpu);
		if (rc == -EBUSY) {
			env_checkpoint(l->env, LANE_CHECKPOINT, l->at, l->turns);
			env_pause(l->env);
		}
	} while (rc == -EBUSY && !stopping(w));
}

/* LP @lp of the scenario is one behind those of the lanes and of the boss. */
static u32 more_lp(const struct world *w, u32 lp)
{
	return w->boss_cpu + 1 + lp;
}

static void do_offline(struct world *w, struct lane *l, u32 lp)
{
	struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);

	cpu_flush_vcpus(&w->vmm->cpu[more_lp(w, lp)], cpu);
	cpu_put(cpu);
}

static void do_memory(struct world *w, struct lane *l, const struct scn_host_op *op)
{
	struct vm *vm = &w->vmm->vm[op->td];
	struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);
	u64 leaves, gfn = pick_gfn(l, op->gpa, op->count, op->level, op->random, &leaves);
	int rc;

	switch (op->code) {
	case SCN_HOST_ZAP:
		host_zap(vm, cpu, gfn, leaves);
		break;
	case SCN_HOST_SPLIT:
		host_split(vm, cpu, gfn, leaves);
		break;
	case SCN_HOST_PROMOTE:
		do
			rc = host_promote(vm, cpu, gfn, leaves);
		while (rc == -EAGAIN && !stopping(w));
		break;
	case SCN_HOST_UNMAP_SHARED:
		host_unmap_shared(vm, cpu, gfn, leaves << (SL_LEVEL_BITS * op->level));
		break;
	case SCN_HOST_DELETE_SLOT:
		vm_delete_slot(vm, cpu, gfn);
		break;
	case SCN_HOST_CREATE_SLOT:
		vm_create_slot(vm, cpu, gfn);
		break;
	default:
		while ((rc = host_map(vm, cpu, gfn, leaves)) == -EAGAIN && !stopping(w))
			env_pause(l->env);
		break;
	}
	cpu_put(cpu);
}

/* Of a host or LP lane. */
struct lane_loop {
	u32 left[GUEST_LOOPS_MAX];
	u32 depth;
};

/* All of a lane's own state besides its position, for checkpoints. */
static u64 loop_digest(const struct lane_loop *loop)
{
	u64 digest = loop->depth;

	for (u32 i = 0; i < loop->depth; i++)
		digest = (digest ^ loop->left[i]) * 0x9E3779B97F4A7C15ull;
	return digest;
}

/* In front of an operation. What is below it does not know which one it belongs to. */
static void lane_checkpoint(struct lane *l, u32 at, const struct lane_loop *loop)
{
	l->at = at;
	l->turns = loop_digest(loop);
	env_checkpoint(l->env, LANE_CHECKPOINT, at, l->turns);
	env_note(l->env, SL_NOTE_OP, at, 0);
}

/* The loop at @at, to be repeated @times; returns the index of the next operation. */
static u32 loop_begin(struct lane_loop *loop, u32 at, u32 times, u32 end)
{
	SL_BUG_ON(loop->depth == GUEST_LOOPS_MAX);
	if (!times)
		return end + 1;
	loop->left[loop->depth++] = times;
	return at + 1;
}

static u32 loop_end(const struct world *w, struct lane_loop *loop, u32 at, u32 begin)
{
	u32 *left = &loop->left[loop->depth - 1];

	if (*left != GUEST_FOREVER)
		--*left;
	if (*left && !stopping(w))
		return begin + 1;
	loop->depth--;
	return at + 1;
}

/* One operation; returns the index of the next. */
static u32 host_step(struct world *w, struct lane *l, const struct scn_host *host, u32 at,
		     struct lane_loop *loop)
{
	const struct scn_host_op *op = &host->ops[at];
	struct vm *vm = &w->vmm->vm[op->td];

	switch (op->code) {
	case SCN_HOST_MAP:
	case SCN_HOST_ZAP:
	case SCN_HOST_SPLIT:
	case SCN_HOST_PROMOTE:
	case SCN_HOST_PREFAULT:
	case SCN_HOST_UNMAP_SHARED:
	case SCN_HOST_DELETE_SLOT:
	case SCN_HOST_CREATE_SLOT:
		do_memory(w, l, op);
		break;
	case SCN_HOST_SIGNAL:
		vcpu_signal(&vm->vcpu[op->vcpu]);
		break;
	case SCN_HOST_INTERRUPT:
		vcpu_interrupt(&vm->vcpu[op->vcpu]);
		break;
	case SCN_HOST_MARK_DEAD:
		vm_mark_dead(vm);
		break;
	case SCN_HOST_CREATE_VCPU:
	case SCN_HOST_INIT_VCPU:
	case SCN_HOST_ADD:
	case SCN_HOST_FINALIZE:
		do_ioctl(w, l, op);
		break;
	case SCN_HOST_BUILD:
		do_build(w, l, op->td);
		break;
	case SCN_HOST_RUN:
		do_run(w, l, op->td);
		break;
	case SCN_HOST_TEARDOWN:
		do_teardown(w, l, op->td);
		break;
	case SCN_HOST_TERMINATE:
		do_terminate(w, l, op->td);
		break;
	case SCN_HOST_MIGRATE:
		vcpu_migrate(&vm->vcpu[op->vcpu], more_lp(w, op->lp));
		break;
	case SCN_HOST_OFFLINE:
		do_offline(w, l, op->lp);
		break;
	case SCN_HOST_LOOP:
		return loop_begin(loop, at, op->times, op->match);
	case SCN_HOST_END:
		return loop_end(w, loop, at, op->match);
	}
	return at + 1;
}

/* The last host lane closes the gates of the TDs that host lanes let run. */
static void host_lane_ends(struct world *w)
{
	/* Pairs with gate_is_closed(): first the count, then the gates open for it. */
	if (atomic_fetch_sub_explicit(&w->hosts_left, 1, memory_order_seq_cst) != 1)
		return;
	for (u32 i = 0; i < w->scenario->td_count; i++)
		if (w->scenario->td[i].gated)
			atomic_fetch_add_explicit(&w->gate[i].generation, 1, memory_order_seq_cst);
}

static void host_lane(struct world *w, struct lane *l)
{
	const struct scn_host *host = &w->scenario->host[l->index];
	struct lane_loop loop = { 0 };

	for (u32 at = 0; at < host->count && !stopping(w);) {
		lane_checkpoint(l, at, &loop);
		at = host_step(w, l, host, at, &loop);
	}
	host_lane_ends(w);
}

/* ---- LP lanes: raw SEAMCALLs ------------------------------------------------------------ */

/* What TDH.SYS.INFO asks for: room for the information, and for entries of memory ranges. */
#define SYS_INFO_BYTES 1024
#define SYS_INFO_CMRS  32

_Static_assert(VMM_SHARED_PAGES + SCN_LPS_MAX <= SL_SHARED_PAGES, "each LP lane has a shared page");

static u64 page_address(const struct world *w, const struct scn_page *p)
{
	const struct vm *vm = &w->vmm->vm[p->td];

	switch (p->kind) {
	case SCN_PAGE_SPARE:
		return w->vmm->spare.v + p->index * SL_PAGE_SIZE;
	case SCN_PAGE_GUEST:
		return (vm->base_pfn + p->index) << SL_PAGE_SHIFT;
	case SCN_PAGE_TDR:
		return vm->tdr.v;
	case SCN_PAGE_TDVPR:
		return vm->vcpu[p->index].tdvpr.v;
	case SCN_PAGE_DEFAULT:
	default:
		SL_BUG_ON(1);
		return 0;
	}
}

/* The page that an operation brings along or is about. */
static u64 page_operand(const struct world *w, const struct scn_lp_op *op, u64 gfn)
{
	const struct vm *vm = &w->vmm->vm[op->td];

	if (op->page.kind)
		return page_address(w, &op->page);
	switch (op->leaf) {
	case SEAMCALL_tdh_mem_sept_add:
	case SEAMCALL_tdh_mem_page_demote:
		/* Under a 4 KB entry there is no table: the module says so. */
		return op->level ? vm_sept_page(vm, gfn, op->level).v : 0;
	case SEAMCALL_tdh_mng_create:
	case SEAMCALL_tdh_mng_addcx:
	case SEAMCALL_tdh_vp_create:
	case SEAMCALL_tdh_vp_addcx:
		return w->vmm->spare.v;
	default:
		return (vm->base_pfn + gfn) << SL_PAGE_SHIFT;
	}
}

static struct tdx_module_args page_args(const struct world *w, const struct scn_lp_op *op,
					u64 owner, u64 gfn)
{
	struct tdx_module_args args = { .rcx = gfn << SL_PAGE_SHIFT | op->level, .rdx = owner };

	switch (op->leaf) {
	case SEAMCALL_tdh_mem_page_add:
		/* Any shared page will do as the source. */
		args.r9 = w->vmm->vm[op->td].params_pa;
		args.r8 = page_operand(w, op, gfn);
		break;
	case SEAMCALL_tdh_mem_page_aug:
	case SEAMCALL_tdh_mem_page_relocate:
	case SEAMCALL_tdh_mem_page_demote:
	case SEAMCALL_tdh_mem_sept_add:
		args.r8 = page_operand(w, op, gfn);
		break;
	case SEAMCALL_tdh_mem_wr:
		args.r8 = gfn;
		args.rcx = gfn << SL_PAGE_SHIFT;
		break;
	case SEAMCALL_tdh_phymem_page_rdmd:
	case SEAMCALL_tdh_phymem_page_reclaim:
	case SEAMCALL_tdh_phymem_page_wbinvd:
		args = (struct tdx_module_args){ .rcx = page_operand(w, op, gfn) };
		break;
	case SEAMCALL_tdh_mr_extend:
	case SEAMCALL_tdh_mem_rd:
		args.rcx = gfn << SL_PAGE_SHIFT;
		break;
	default:
		break;
	}
	return args;
}

/* TDH.SYS.INFO writes to shared memory: a page of the lane's own. */
static struct tdx_module_args sys_info_args(const struct lane *l)
{
	u64 pa = (u64)(VMM_SHARED_PAGES + l->index) << SL_PAGE_SHIFT;

	return (struct tdx_module_args){
		.rcx = pa, .rdx = SYS_INFO_BYTES, .r8 = pa + SL_PAGE_SIZE / 2, .r9 = SYS_INFO_CMRS
	};
}

/* On a TD or a vCPU, of which @owner is the page. */
static struct tdx_module_args owner_args(const struct world *w, const struct scn_lp_op *op,
					 u64 owner)
{
	switch (op->leaf) {
	case SEAMCALL_tdh_mng_addcx:
	case SEAMCALL_tdh_vp_create:
	case SEAMCALL_tdh_vp_addcx:
		return (struct tdx_module_args){ .rcx = page_operand(w, op, 0), .rdx = owner };
	case SEAMCALL_tdh_mng_init:
		return (struct tdx_module_args){ .rcx = owner,
						 .rdx = w->vmm->vm[op->td].params_pa };
	case SEAMCALL_tdh_vp_enter:
		return (struct tdx_module_args){ .rcx = owner };
	default:
		return (struct tdx_module_args){
			.rcx = owner, .rdx = op->field, .r8 = op->value, .r9 = ~0ull
		};
	}
}

/* On the module. */
static struct tdx_module_args sys_args(const struct world *w, const struct lane *l,
				       const struct scn_lp_op *op)
{
	switch (op->leaf) {
	case SEAMCALL_tdh_sys_info:
		return sys_info_args(l);
	case SEAMCALL_tdh_mng_create:
		/* Key ids that the VMM comes to last, each spare page with one of its own. */
		return (struct tdx_module_args){ .rcx = page_operand(w, op, 0),
						 .rdx = SL_HKIDS - 1 -
							op->page.index % SCN_SPARES_MAX };
	case SEAMCALL_tdh_phymem_cache_wb:
		return (struct tdx_module_args){ 0 };
	default:
		return (struct tdx_module_args){ .rdx = op->field };
	}
}

static struct tdx_module_args lp_args(const struct world *w, const struct lane *l,
				      const struct scn_lp_op *op, u64 gfn)
{
	const struct vm *vm = &w->vmm->vm[op->td];
	u64 owner = op->code == SCN_LP_VCPU ? vm->vcpu[op->vcpu].tdvpr.v : vm->tdr.v;

	if (op->owner.kind)
		owner = page_address(w, &op->owner);
	switch (op->code) {
	case SCN_LP_PAGE:
		return page_args(w, op, owner, gfn);
	case SCN_LP_TD:
	case SCN_LP_VCPU:
		return owner_args(w, op, owner);
	default:
		return sys_args(w, l, op);
	}
}

/* May the same SEAMCALL work later, with nothing but time in between? */
static bool may_work_later(u64 status)
{
	u64 class = status & TDX_STATUS_CLASS_MASK;

	return class == TDX_OPERAND_BUSY || class == TDX_PREVIOUS_TLB_EPOCH_BUSY ||
	       class == TDX_TLB_TRACKING_NOT_DONE || class == TDX_INTERRUPTED_RESTARTABLE ||
	       class == TDX_INTERRUPTED_BUSY || class == TDX_INTERRUPTED_RESUMABLE;
}

/* Where in its program an LP lane is. */
struct lp_place {
	u32 at;
	u64 loops; /* digest */
};

/* One SEAMCALL, on the entry for @gfn if it is on pages; the last status if it is repeated. */
static u64 lp_call(struct world *w, struct lane *l, struct cpu *cpu, const struct scn_lp_op *op,
		   const struct lp_place *place, u64 gfn)
{
	struct tdx_module_args args;
	u64 status;

	for (;;) {
		args = lp_args(w, l, op, gfn);
		status = seamcall(cpu->lp, op->leaf, &args);
		if (!op->retry || !may_work_later(status) || stopping(w))
			return status;
		env_checkpoint(l->env, LP_RETRY_CHECKPOINT, gfn << 32 | place->at, place->loops);
		env_pause(l->env);
	}
}

/* Returns the first status that is an error, or 0. */
static u64 lp_op(struct world *w, struct lane *l, const struct scn_lp_op *op,
		 const struct lp_place *place)
{
	struct cpu *cpu = cpu_take(w->vmm, l->cpu, l->env);
	u64 gfn = 0, entries = 1, status, error = 0;

	if (op->code == SCN_LP_PAGE)
		gfn = pick_gfn(l, op->gpa, op->count, op->level, op->random, &entries);
	for (u64 i = 0; i < entries && !stopping(w); i++, gfn += SL_LEVEL_PAGES(op->level)) {
		status = lp_call(w, l, cpu, op, place, gfn);
		if (!error && (status & TDX_STATUS_ERROR))
			error = status;
	}
	cpu_put(cpu);
	return error;
}

/* Runs the program; an operation that fails ends it if @error says where to note that. */
static void lp_program(struct world *w, struct lane *l, const struct scn_lp *lp,
		       struct lp_error *error)
{
	struct lane_loop loop = { 0 };

	for (u32 at = 0; at < lp->count && !stopping(w);) {
		const struct scn_lp_op *op = &lp->ops[at];
		struct lp_place place = { .at = at, .loops = loop_digest(&loop) };
		u64 status;

		env_checkpoint(l->env, LANE_CHECKPOINT, at, place.loops);
		env_note(l->env, SL_NOTE_OP, at, 0);
		if (op->code == SCN_LP_LOOP) {
			at = loop_begin(&loop, at, op->times, op->match);
			continue;
		}
		if (op->code == SCN_LP_END) {
			at = loop_end(w, &loop, at, op->match);
			continue;
		}
		status = lp_op(w, l, op, &place);
		if (status && error) {
			*error = (struct lp_error){ .leaf = op->leaf, .status = status };
			return;
		}
		at++;
	}
}

bool world_setup(struct world *w, struct sl_env *boss, struct lp_error *error)
{
	struct lane l = { .kind = LANE_LP, .cpu = w->boss_cpu, .env = boss };

	*error = (struct lp_error){ 0 };
	lp_program(w, &l, &w->scenario->setup, error);
	return !error->status;
}

void world_run_lane(struct world *w, u32 lane)
{
	struct lane *l = &w->lane[lane];

	switch (l->kind) {
	case LANE_VCPU:
		vcpu_lane(w, l);
		break;
	case LANE_HOST:
		host_lane(w, l);
		break;
	case LANE_LP:
		/* The statuses are for the trace and for claims; the lane goes on whatever they are. */
		lp_program(w, l, &w->scenario->lp[l->index], NULL);
		break;
	case LANE_CALLER:
		caller_run(w->caller, l->index, l->env);
		break;
	}
}
