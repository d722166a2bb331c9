// SPDX-License-Identifier: MIT
/* From a scenario to a machine, a VMM and guests; building and ending. Layer: engine. */
#include "engine/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Everything that machine and VMM have to know, derived from the scenario. */
struct plan {
	struct sl_machine_config machine;
	struct vmm_config vmm;
	struct vm_config vm[SCN_TDS_MAX];
	struct vm_range range[SCN_TDS_MAX][SCN_RANGES_MAX];
};

static void plan_td(struct plan *p, const struct scn_td *td, u32 i)
{
	for (u32 r = 0; r < td->range_count; r++) {
		const struct scn_range *from = &td->ranges[r];
		struct vm_range *to = &p->range[i][r];

		to->gfn = from->gpa >> SL_PAGE_SHIFT;
		to->pages = from->count << (SL_LEVEL_BITS * from->level);
		to->level = from->level;
		to->init = from->state == SCN_PENDING  ? VM_RANGE_PENDING
			   : from->state == SCN_MAPPED ? VM_RANGE_MAPPED
						       : VM_RANGE_FREE;
	}
	p->vm[i] = (struct vm_config){ .vcpus = td->vcpus,
				       .pages = td->pages,
				       .sept_ve_disable = td->sept_ve_disable,
				       .debug = td->debug,
				       .unfinished = td->unfinished && !td->stepwise,
				       .stepwise = td->stepwise,
				       .ranges = p->range[i],
				       .range_count = td->range_count };
	for (u32 v = 0; v < td->vcpus; v++) {
		p->vm[i].absent_vcpus |= (u64)td->vcpu[v].absent << v;
		p->vm[i].bare_vcpus |= (u64)td->vcpu[v].bare << v;
	}
}

/* Beside raw SEAMCALLs only the vCPUs with a program run, and not those that they enter themselves. */
static bool vcpu_has_lane(const struct scenario *s, u32 td, u32 vcpu)
{
	const struct scn_vcpu *v = &s->td[td].vcpu[vcpu];

	return !s->lp_count || (v->named && !v->raw);
}

u32 world_lane_count(const struct scenario *s)
{
	u32 lanes = s->host_count + s->lp_count + s->caller_count;

	for (u32 i = 0; i < s->td_count; i++)
		for (u32 v = 0; v < s->td[i].vcpus; v++)
			lanes += vcpu_has_lane(s, i, v);
	return lanes;
}

static int plan_make(const struct scenario *s, struct plan *p, struct sl_err *err)
{
	u32 cpus = world_lane_count(s) + 1 + s->more_lps;
	int rc;

	memset(p, 0, sizeof(*p));
	for (u32 i = 0; i < s->td_count; i++)
		plan_td(p, &s->td[i], i);
	if (cpus < s->module.packages)
		cpus = s->module.packages;
	p->vmm = (struct vmm_config){ .policy = &s->rules,
				      .lps = cpus,
				      .packages = s->module.packages,
				      .vms = p->vm,
				      .vm_count = s->td_count,
				      .dynamic_pamt = s->module.dynamic_pamt,
				      .spare_pages = s->lp_count ? SCN_SPARES_MAX : 0 };
	if (cpus > SL_LPS_MAX)
		return sl_err_set(err, -EINVAL,
				  "%s: %u logical processors needed (one for each vCPU and host "
				  "lane); expected at most %u",
				  s->path, cpus, SL_LPS_MAX);
	rc = vmm_config_check(&p->vmm);
	if (rc)
		return sl_err_set(err, rc, "%s: the VMM refuses this memory map", s->path);
	p->machine = s->module;
	p->machine.lps = cpus;
	p->machine.private_pages = vmm_private_pages(&p->vmm);
	return 0;
}

static size_t machine_size(const struct plan *p)
{
	return sl_align_up(sl_machine_arena_size(&p->machine), SL_PAGE_SIZE);
}

static size_t guests_size(const struct scenario *s)
{
	size_t n = 0;

	for (u32 i = 0; i < s->td_count; i++)
		n += s->td[i].vcpus * sizeof(struct guest) + SL_CACHELINE;
	return n;
}

int world_arena_size(const struct scenario *s, size_t *size, struct sl_err *err)
{
	struct plan p;
	int rc;

	if (s->lock) {
		*size = sl_align_up(sizeof(struct world) + caller_arena_size() + SL_CACHELINE,
				    SL_PAGE_SIZE);
		return 0;
	}
	rc = plan_make(s, &p, err);
	if (rc)
		return rc;
	*size = sl_align_up(machine_size(&p) + oracle_size(&p.machine) + vmm_arena_size(&p.vmm) +
				    sizeof(struct world) + guests_size(s) + 2 * SL_PAGE_SIZE,
			    SL_PAGE_SIZE);
	return 0;
}

static void add_lane(struct world *w, enum lane_kind kind, u32 td, u32 index)
{
	struct lane *l = &w->lane[w->lane_count];

	l->kind = kind;
	l->td = td;
	l->index = index;
	l->cpu = w->lane_count++;
	if (kind == LANE_HOST)
		snprintf(l->name, sizeof(l->name), "host%u", index);
	else if (kind == LANE_LP)
		snprintf(l->name, sizeof(l->name), "lp%u", index);
	else if (kind == LANE_CALLER)
		snprintf(l->name, sizeof(l->name), "caller%u", index);
	else if (td == 0)
		snprintf(l->name, sizeof(l->name), "vcpu%u", index);
	else
		snprintf(l->name, sizeof(l->name), "td%u.vcpu%u", td, index);
}

static void add_td(struct world *w, struct sl_arena *a, u32 td)
{
	const struct scenario *s = w->scenario;
	const struct scn_td *from = &s->td[td];

	w->guest[td] = sl_arena_alloc(a, from->vcpus * sizeof(struct guest), SL_CACHELINE);
	for (u32 i = 0; i < from->vcpus; i++) {
		w->program[td][i] = (struct guest_program){
			.ops = from->vcpu[i].ops,
			.count = from->vcpu[i].count,
			.on_busy = s->on_busy,
			.busy_retries = s->busy_retries,
			.on_map_retry = s->on_map_retry,
			.map_retries = s->map_retries,
			.accept_on_ve = true,
		};
		guest_init(&w->guest[td][i], NULL, &w->program[td][i]);
		vcpu_set_guest(&w->vmm->vm[td].vcpu[i], &w->guest[td][i].base);
		if (vcpu_has_lane(s, td, i))
			add_lane(w, LANE_VCPU, td, i);
	}
}

static void init_lock(struct world *w, const struct scenario *s, struct sl_arena *a)
{
	w->caller = caller_init(s, a);
	for (u32 i = 0; i < SCN_CALLERS_MAX; i++)
		if (s->caller[i].named)
			add_lane(w, LANE_CALLER, 0, i);
}

struct world *world_init(const struct scenario *s, void *arena, size_t size, struct sl_env *boss)
{
	struct sl_arena a = { .base = arena, .size = size };
	struct sl_err err;
	struct world *w;
	struct plan p;

	w = sl_arena_alloc(&a, sizeof(*w), SL_CACHELINE);
	w->scenario = s;
	if (s->lock) {
		init_lock(w, s, &a);
		return w;
	}
	SL_BUG_ON(plan_make(s, &p, &err));
	w->machine = sl_machine_init(&p.machine, sl_arena_alloc(&a, machine_size(&p), SL_PAGE_SIZE),
				     machine_size(&p));
	w->oracle =
		oracle_init(sl_arena_alloc(&a, oracle_size(&p.machine), SL_PAGE_SIZE), w->machine);
	w->vmm = vmm_init(&a, &p.vmm, w->machine, boss);
	for (u32 i = 0; i < s->td_count; i++)
		add_td(w, &a, i);
	for (u32 i = 0; i < s->host_count; i++)
		add_lane(w, LANE_HOST, 0, i);
	for (u32 i = 0; i < SCN_LPS_MAX; i++)
		if (s->lp[i].named)
			add_lane(w, LANE_LP, 0, i);
	atomic_store_explicit(&w->hosts_left, s->host_count, memory_order_relaxed);
	w->boss_cpu = w->lane_count;
	return w;
}

void world_set_env(struct world *w, u32 lane, struct sl_env *env)
{
	struct lane *l = &w->lane[lane];

	l->env = env;
	if (l->kind == LANE_VCPU)
		w->guest[l->td][l->index].env = env;
}

static int build_error(struct world *w, u32 td, int rc, struct sl_err *err)
{
	const struct vm *vm = &w->vmm->vm[td];

	return sl_err_set(err, rc, "%s: TD %u could not be built: %s (%s returned 0x%016llx)",
			  w->scenario->path, td, strerror(-rc),
			  tdx_seamcall_name(host_site_leaf(vm->failed_site)),
			  (unsigned long long)vm->failed_status);
}

static int setup_error(struct world *w, const struct lp_error *e, struct sl_err *err)
{
	const char *name = tdx_status_name(e->status);

	return sl_err_set(err, -EINVAL, "%s: 'setup' has failed: %s returned 0x%016llx (%s)",
			  w->scenario->path, tdx_seamcall_name(e->leaf),
			  (unsigned long long)e->status, name ? name : "not a status");
}

int world_start(struct world *w, struct sl_env *boss, struct sl_err *err)
{
	struct lp_error error;
	struct cpu *cpu;
	int rc;

	if (w->caller)
		return 0;
	rc = vmm_bring_up(w->vmm, boss);
	if (rc)
		return sl_err_set(err, rc, "%s: the module could not be brought up: %s",
				  w->scenario->path, strerror(-rc));
	for (u32 i = 0; i < w->vmm->vm_count; i++) {
		if (w->scenario->td[i].explicit_life)
			continue;
		cpu = cpu_take(w->vmm, w->boss_cpu, boss);
		rc = vm_build(&w->vmm->vm[i], cpu);
		cpu_put(cpu);
		if (rc)
			return build_error(w, i, rc, err);
		/* Its lanes need not wait for a host lane. */
		if (!w->scenario->td[i].gated)
			atomic_store_explicit(&w->gate[i].generation, 1, memory_order_relaxed);
	}
	return world_setup(w, boss, &error) ? 0 : setup_error(w, &error, err);
}

void world_stop(struct world *w)
{
	if (w->caller) {
		caller_stop(w->caller);
		return;
	}
	atomic_store_explicit(&w->stop, 1, memory_order_seq_cst);
	for (u32 i = 0; i < w->vmm->vm_count; i++) {
		struct vm *vm = &w->vmm->vm[i];

		/* Lanes that wait at the gate come through, see stop, and end. */
		atomic_fetch_add_explicit(&w->gate[i].generation, 1, memory_order_seq_cst);
		for (u32 v = 0; v < vm->vcpu_count; v++)
			vcpu_signal(&vm->vcpu[v]);
	}
}

void world_finish(struct world *w, struct sl_env *boss)
{
	const struct scenario *s = w->scenario;
	struct oracle_claims claims = { .no_stale_hp = s->no_stale_hp, .no_mirror = s->lp_count };
	struct cpu *cpu;

	if (w->caller) {
		caller_finish(w->caller, boss);
		return;
	}
	cpu = cpu_take(w->vmm, w->boss_cpu, boss);
	oracle_check_at_rest(w->oracle, w->vmm, boss, &claims);
	if (s->lp_count) {
		cpu_put(cpu);
		return;
	}
	for (u32 i = 0; i < w->vmm->vm_count; i++)
		if (atomic_load_explicit(&w->vmm->vm[i].state, memory_order_relaxed) != VM_EMPTY)
			vm_teardown(&w->vmm->vm[i], cpu);
	cpu_put(cpu);
	oracle_check_empty(w->oracle, boss);
}

/* ---- questions about the scenario ------------------------------------------------------------ */

#define ANY_FOREVER(program, LOOP)                                             \
	({                                                                     \
		bool forever_ = false;                                         \
                                                                               \
		for (u32 i_ = 0; i_ < (program)->count; i_++)                  \
			forever_ |= (program)->ops[i_].code == (LOOP) &&       \
				    (program)->ops[i_].times == GUEST_FOREVER; \
		forever_;                                                      \
	})

bool world_lane_is_finite(const struct world *w, u32 lane)
{
	const struct scenario *s = w->scenario;
	const struct lane *l = &w->lane[lane];

	switch (l->kind) {
	case LANE_VCPU:
		return !ANY_FOREVER(&s->td[l->td].vcpu[l->index], GUEST_LOOP);
	case LANE_HOST:
		return !ANY_FOREVER(&s->host[l->index], SCN_HOST_LOOP);
	case LANE_LP:
		return !ANY_FOREVER(&s->lp[l->index], SCN_LP_LOOP);
	case LANE_CALLER:
	default:
		return !ANY_FOREVER(&s->caller[l->index], SCN_CALLER_LOOP);
	}
}
