// SPDX-License-Identifier: MIT
/*
 * The sections "module" and "growth": what leaves cost (leaf.c), what a page costs, and what a TD takes
 * as it gets larger. Contents are off.
 *
 *  module:  TDH.MEM.PAGE.AUG and TDG.MEM.PAGE.ACCEPT in turns, each core with a vCPU and pages of its
 *           own; no host
 *  host:    a guest that accepts its memory page by page, each fault handled by the host; one core
 */
#include "leaf.h"
#include "env.h"

#include <pthread.h>
#include <sched.h>

#include <seamlab/hplock.h>

#include "guest/guest.h"
#include "host/host.h"

#define CORES_MAX 2

/* A VMM with one VM, all of its memory free. */
struct bench {
	struct sl_env env;
	struct sl_stats stats;
	struct sl_machine *machine;
	struct vmm *vmm;
	struct vm *vm;
	struct cpu *cpu;
	void *arena;
	size_t size;
};

static void die(const char *what, long long code)
{
	fprintf(stderr, "seamlab bench: %s failed: %lld\n", what, code);
	exit(1);
}

/* @guest runs on the first vCPU; NULL: none yet. */
static void bench_init(struct bench *b, u64 pages, enum sl_flavour flavour, u32 vcpus,
		       struct sl_guest *guest)
{
	struct vm_range range = { .pages = pages };
	struct vm_config vc = {
		.vcpus = vcpus, .pages = pages, .ranges = &range, .range_count = 1
	};
	static struct host_policy policy;
	struct vmm_config cfg = {
		.policy = &policy, .lps = 2 * vcpus, .packages = 1, .vms = &vc, .vm_count = 1
	};
	struct sl_machine_config mc;
	struct sl_arena a;
	int rc = host_policy_init(&policy, "kvm-6.19", strlen("kvm-6.19"));

	if (rc)
		die("host_policy_init", rc);
	sl_machine_config_init(&mc);
	mc.lps = 2 * vcpus;
	mc.flavour = flavour;
	mc.private_pages = vmm_private_pages(&cfg);
	b->env = bench_env(&b->stats);
	b->size = sl_align_up(sl_machine_arena_size(&mc), SL_PAGE_SIZE) + vmm_arena_size(&cfg) +
		  SL_PAGE_SIZE;
	b->arena = bench_arena(b->size);
	a = (struct sl_arena){ .base = b->arena, .size = b->size };
	b->machine =
		sl_machine_init(&mc, sl_arena_alloc(&a, sl_machine_arena_size(&mc), SL_PAGE_SIZE),
				sl_machine_arena_size(&mc));
	b->vmm = vmm_init(&a, &cfg, b->machine, &b->env);
	b->vm = &b->vmm->vm[0];
	rc = vmm_bring_up(b->vmm, &b->env);
	if (rc)
		die("bring-up", rc);
	if (guest)
		vcpu_set_guest(&b->vm->vcpu[0], guest);
	b->cpu = cpu_take(b->vmm, 0, &b->env);
	rc = vm_build(b->vm, b->cpu);
	if (rc)
		die("build", rc);
}

static void bench_done(struct bench *b)
{
	munmap(b->arena, b->size);
}

/* ---- module only ------------------------------------------------------------------------- */

/* A vCPU whose guest accepts pages that its core has added right before. */
struct core {
	struct sl_guest guest; /* first */
	struct sl_env env;
	struct sl_stats stats;
	struct bench *b;
	struct sl_lp *host_lp, *guest_lp;
	u64 tdvpr, first, end; /* pages */
	u64 busy;
	pthread_t thread;
	_Atomic u32 *ready;
	const _Atomic bool *go;
};

/* Until it is not BUSY. */
static void insist(struct core *c, bool guest, u64 leaf, const struct tdx_module_args *args)
{
	for (;;) {
		struct tdx_module_args a = *args;
		u64 st = guest ? tdcall(c->guest_lp, leaf, &a) : seamcall(c->host_lp, leaf, &a);

		if (!st)
			return;
		if ((st & TDX_STATUS_CLASS_MASK) != TDX_OPERAND_BUSY &&
		    (st & TDX_STATUS_CLASS_MASK) != TDX_OPERAND_BUSY_HOST_PRIORITY)
			die(guest ? tdx_tdcall_name((u32)leaf) : tdx_seamcall_name((u32)leaf),
			    (long long)st);
		c->busy++;
	}
}

static void core_guest(struct sl_guest *guest, struct sl_lp *lp)
{
	struct core *c = (struct core *)guest;
	struct tdx_module_args args = { .rcx = GENMASK_ULL(15, 10), .r11 = VMCALL_DONE };

	for (u64 gfn = c->first; gfn < c->end; gfn++) {
		insist(c, false, SEAMCALL_tdh_mem_page_aug,
		       &(struct tdx_module_args){ .rcx = gfn << SL_PAGE_SHIFT,
						  .rdx = c->b->vm->tdr.v,
						  .r8 = (c->b->vm->base_pfn + gfn)
							<< SL_PAGE_SHIFT });
		insist(c, true, TDCALL_tdg_mem_page_accept,
		       &(struct tdx_module_args){ .rcx = gfn << SL_PAGE_SHIFT });
	}
	tdcall(lp, TDCALL_tdg_vp_vmcall, &args);
}

static void *core_thread(void *arg)
{
	struct core *c = arg;
	struct tdx_module_args args = { .rcx = c->tdvpr };
	u64 st;

	atomic_fetch_add(c->ready, 1);
	while (!atomic_load(c->go))
		sched_yield();
	st = seamcall(c->guest_lp, SEAMCALL_tdh_vp_enter, &args);
	if ((u32)st != EXIT_REASON_TDCALL)
		die("TDH.VP.ENTER", (long long)st);
	return NULL;
}

static void core_init(struct core *c, struct bench *b, u32 i, u32 cores, u64 pages)
{
	*c = (struct core){ .guest = { .run = core_guest },
			    .b = b,
			    .host_lp = sl_machine_lp(b->machine, cores + i),
			    .guest_lp = sl_machine_lp(b->machine, i),
			    .tdvpr = b->vm->vcpu[i].tdvpr.v,
			    .first = pages * i / cores,
			    .end = pages * (i + 1) / cores };
	c->env = bench_env(&c->stats);
	sl_lp_set_env(c->host_lp, &c->env);
	sl_lp_set_env(c->guest_lp, &c->env);
	if (sl_guest_bind(b->machine, c->tdvpr, &c->guest))
		die("sl_guest_bind", 0);
}

struct rate {
	double pages_per_second, busy_per_1000;
};

static struct rate module_rate(u64 pages, enum sl_flavour flavour, u32 cores)
{
	static struct core core[CORES_MAX];
	_Atomic u32 ready = 0;
	_Atomic bool go = false;
	struct rate r = { 0 };
	struct bench b;
	double t0;

	bench_init(&b, pages, flavour, cores, NULL);
	/* Map and zap one page of each table, so that every table is there. */
	for (u64 gfn = 0; gfn < pages; gfn += SL_ENTRIES)
		if (host_map(b.vm, b.cpu, gfn, 1) || host_zap(b.vm, b.cpu, gfn, 1))
			die("tables", (long long)gfn);
	for (u32 i = 0; i < cores; i++) {
		core_init(&core[i], &b, i, cores, pages);
		core[i].ready = &ready;
		core[i].go = &go;
		if (pthread_create(&core[i].thread, NULL, core_thread, &core[i]))
			die("pthread_create", 0);
	}
	while (atomic_load(&ready) < cores)
		sched_yield();
	t0 = bench_seconds();
	atomic_store(&go, true);
	for (u32 i = 0; i < cores; i++) {
		pthread_join(core[i].thread, NULL);
		r.busy_per_1000 += (double)core[i].busy * 1000 / (double)pages;
	}
	r.pages_per_second = (double)pages / (bench_seconds() - t0);
	bench_done(&b);
	return r;
}

/* ---- with the host ----------------------------------------------------------------------- */

struct whole {
	double pages_per_second, seconds;
	u64 bytes;
};

static struct whole whole_rate(u64 pages, enum sl_flavour flavour)
{
	struct guest_op op = { .code = GUEST_ACCEPT, .count = pages };
	struct guest_program program = { .ops = &op, .count = 1 };
	u64 before = bench_rss();
	struct guest guest;
	struct whole w;
	struct bench b;
	double t0;
	int rc;

	guest_program_link(&op, 1);
	bench_init(&b, pages, flavour, 1, &guest.base);
	guest_init(&guest, &b.env, &program);
	t0 = bench_seconds();
	rc = vcpu_run(&b.vm->vcpu[0], b.cpu);
	if (rc || b.vm->vcpu[0].failed)
		die("run", rc);
	w.seconds = bench_seconds() - t0;
	w.pages_per_second = (double)pages / w.seconds;
	w.bytes = bench_rss() - before;
	bench_done(&b);
	return w;
}

/* ---- the sections ------------------------------------------------------------------------ */

static const char *const flavours[] = { [SL_PUBLISHED] = "published", [SL_HARDENED] = "hardened" };

/* What is measured in turns: a row of the table of pages. */
struct way {
	const char *what;
	enum sl_flavour flavour;
	u32 cores; /* of the module alone; 0: with the host, on one */
	double rate[BENCH_ROUNDS_MAX], busy[BENCH_ROUNDS_MAX];
};

static json_t *way_row(struct way *w, u32 rounds, double of_one)
{
	double median = bench_median(w->rate, rounds);

	return json_pack("{s:s, s:s, s:i, s:f, s:f, s:o}", "what", w->what, "flavour",
			 flavours[w->flavour], "cores", (int)(w->cores ? w->cores : 1),
			 "pages_per_second", median, "busy_per_1000", bench_median(w->busy, rounds),
			 "ratio", w->cores > 1 ? json_real(median / of_one) : json_null());
}

static json_t *pages_table(u32 rounds, u64 pages)
{
	static struct way ways[] = {
		{ .what = "module", .flavour = SL_PUBLISHED, .cores = 1 },
		{ .what = "module", .flavour = SL_PUBLISHED, .cores = 2 },
		{ .what = "host", .flavour = SL_PUBLISHED, .cores = 0 },
		{ .what = "module", .flavour = SL_HARDENED, .cores = 1 },
		{ .what = "module", .flavour = SL_HARDENED, .cores = 2 },
		{ .what = "host", .flavour = SL_HARDENED, .cores = 0 },
	};
	json_t *rows = json_array();

	for (u32 round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			struct way *w = &ways[i];
			struct rate r = { 0 };

			bench_progress("module  pages, round %u of %u", round + 1, rounds);
			if (w->cores)
				r = module_rate(pages, w->flavour, w->cores);
			else
				r.pages_per_second = whole_rate(pages, w->flavour).pages_per_second;
			w->rate[round] = r.pages_per_second;
			w->busy[round] = r.busy_per_1000;
		}
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		json_array_append_new(rows,
				      way_row(&ways[i], rounds,
					      i ? bench_median(ways[i - 1].rate, rounds) : 0));
	return rows;
}

json_t *bench_module(const struct bench_options *o)
{
	json_t *leaves = json_array(), *pages;

	/* First, while there is nothing else in memory. */
	bench_progress("module  leaves");
	bench_leaves(leaves, SL_PUBLISHED, o->quick ? 3 : 101);
	bench_leaves(leaves, SL_HARDENED, o->quick ? 3 : 101);
	pages = pages_table(o->rounds, o->quick ? 1u << 12 : 1u << 18);
	bench_progress("module  any calls");
	return json_pack("{s:o, s:o, s:[o]}", "leaves", leaves, "pages", pages, "hostile",
			 bench_hostile(o->quick ? 0.1 : 2));
}

json_t *bench_growth(const struct bench_options *o)
{
	static const u64 megabytes[] = { 1, 16, 256, 1024, 4096, 16384, 65536 };
	size_t count = o->quick ? 3 : ARRAY_SIZE(megabytes);
	json_t *rows = json_array();
	double first = 0;

	/* What the program itself takes is there already. */
	whole_rate(256, SL_PUBLISHED);
	for (size_t i = 0; i < count && !bench_interrupted(); i++) {
		u64 pages = megabytes[i] << 8;
		/* A large TD takes its time, and its pages are rounds enough. */
		u32 rounds = megabytes[i] > 1024 ? 1 : o->rounds;
		double seconds[BENCH_ROUNDS_MAX], bytes[BENCH_ROUNDS_MAX], median;

		bench_progress("growth  %llu MB", (unsigned long long)megabytes[i]);
		for (u32 round = 0; round < rounds; round++) {
			struct whole w = whole_rate(pages, SL_PUBLISHED);

			seconds[round] = w.seconds;
			bytes[round] = (double)w.bytes;
		}
		median = bench_median(seconds, rounds);
		if (!i)
			first = median / (double)pages;
		json_array_append_new(
			rows,
			json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:i}", "megabytes",
				  (json_int_t)megabytes[i], "pages", (json_int_t)pages, "seconds",
				  median, "pages_per_second", (double)pages / median, "bytes",
				  bench_median(bytes, rounds), "bytes_per_page",
				  bench_median(bytes, rounds) / (double)pages, "ratio",
				  median / (double)pages / first, "rounds", (int)rounds));
	}
	return json_pack("{s:o}", "sizes", rows);
}
