// SPDX-License-Identifier: MIT
/*
 * What a page costs. Two figures, each on one core with contents off:
 *  module: TDH.MEM.PAGE.AUG from one LP and TDG.MEM.PAGE.ACCEPT in the guest on another, in turns;
 *  whole:  a guest that accepts its memory page by page, each fault handled by the host.
 * And the memory that a TD with that much accepted 4 KB memory takes, host included.
 *
 * bench_module [--gib N] [--rounds N] [--json]
 */
#include "bench_env.h"

#include <seamlab/hplock.h>

#include "guest/guest.h"
#include "host/host.h"

#define ROUNDS_MAX 101

/* A VMM with one VM of one vCPU, all of its memory free. */
struct bench {
	struct sl_env env;
	struct sl_machine *machine;
	struct vmm *vmm;
	struct vm *vm;
	struct cpu *cpu;
	void *arena;
	size_t size;
};

void hp_misuse(const char *what)
{
	fprintf(stderr, "lock misuse: %s\n", what);
	exit(1);
}

static void die(const char *what, long long code)
{
	fprintf(stderr, "bench_module: %s failed: %lld\n", what, code);
	exit(1);
}

static void bench_init(struct bench *b, u64 pages, enum sl_flavour flavour, struct sl_guest *guest)
{
	struct vm_range range = { .pages = pages };
	struct vm_config vc = { .vcpus = 1, .pages = pages, .ranges = &range, .range_count = 1 };
	static struct host_policy policy;
	struct vmm_config cfg = {
		.policy = &policy, .lps = 2, .packages = 1, .vms = &vc, .vm_count = 1
	};
	struct sl_machine_config mc;
	struct sl_arena a;
	int rc = host_policy_init(&policy, "kvm-6.19", strlen("kvm-6.19"));

	if (rc)
		die("host_policy_init", rc);
	sl_machine_config_init(&mc);
	mc.lps = 2;
	mc.flavour = flavour;
	mc.private_pages = vmm_private_pages(&cfg);
	b->env = bench_env();
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

/* A guest that has its pages mapped from the other LP and accepts each at once. */
struct pair_guest {
	struct sl_guest base;
	struct bench *b;
	struct sl_lp *host_lp;
	u64 pages;
	double seconds;
};

static void pair_run(struct sl_guest *base, struct sl_lp *lp)
{
	struct pair_guest *g = (struct pair_guest *)base;
	u64 pfn = g->b->vm->base_pfn;
	double t0 = bench_seconds();
	struct tdx_module_args args;

	for (u64 gfn = 0; gfn < g->pages; gfn++) {
		args = (struct tdx_module_args){ .rcx = gfn << SL_PAGE_SHIFT,
						 .rdx = g->b->vm->tdr.v,
						 .r8 = (pfn + gfn) << SL_PAGE_SHIFT };
		if (seamcall(g->host_lp, SEAMCALL_tdh_mem_page_aug, &args))
			die("TDH.MEM.PAGE.AUG", (long long)gfn);
		args = (struct tdx_module_args){ .rcx = gfn << SL_PAGE_SHIFT };
		if (tdcall(lp, TDCALL_tdg_mem_page_accept, &args))
			die("TDG.MEM.PAGE.ACCEPT", (long long)gfn);
	}
	g->seconds = bench_seconds() - t0;
	args = (struct tdx_module_args){ .rcx = GENMASK_ULL(15, 10), .r11 = VMCALL_DONE };
	tdcall(lp, TDCALL_tdg_vp_vmcall, &args);
}

/* Pages per second of AUG + ACCEPT; the S-EPT pages come first, through the host. */
static double module_rate(u64 pages, enum sl_flavour flavour)
{
	struct pair_guest g = { .base = { .run = pair_run }, .pages = pages };
	struct bench b;
	int rc;

	bench_init(&b, pages, flavour, &g.base);
	g.b = &b;
	g.host_lp = sl_machine_lp(b.machine, 1);
	sl_lp_set_env(g.host_lp, &b.env);
	/* Map and zap one page of each table, so that every table is there. */
	for (u64 gfn = 0; gfn < pages; gfn += SL_ENTRIES)
		if (host_map(b.vm, b.cpu, gfn, 1) || host_zap(b.vm, b.cpu, gfn, 1))
			die("tables", (long long)gfn);
	rc = vcpu_run(&b.vm->vcpu[0], b.cpu);
	if (rc)
		die("run", rc);
	bench_done(&b);
	return (double)pages / g.seconds;
}

/* ---- with the host ----------------------------------------------------------------------- */

struct whole {
	double pages_per_second;
	unsigned long long bytes;
};

static struct whole whole_rate(u64 pages, enum sl_flavour flavour)
{
	struct guest_op op = { .code = GUEST_ACCEPT, .count = pages };
	struct guest_program program = { .ops = &op, .count = 1 };
	unsigned long long before = bench_rss();
	struct guest guest;
	struct whole w;
	struct bench b;
	double t0;
	int rc;

	guest_program_link(&op, 1);
	bench_init(&b, pages, flavour, &guest.base);
	guest_init(&guest, &b.env, &program);
	t0 = bench_seconds();
	rc = vcpu_run(&b.vm->vcpu[0], b.cpu);
	if (rc || b.vm->vcpu[0].failed)
		die("run", rc);
	w.pages_per_second = (double)pages / (bench_seconds() - t0);
	w.bytes = bench_rss() - before;
	bench_done(&b);
	return w;
}

int main(int argc, char **argv)
{
	static const char *const name[] = { "published", "hardened" };
	double m[2], w[2], v[ROUNDS_MAX];
	u64 pages = 1ull << 18, gib = 64;
	bool json = false;
	struct whole big;
	int rounds = 5;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--gib") && i + 1 < argc)
			gib = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			rounds = atoi(argv[++i]);
		else
			rounds = 0;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || gib < 1 || gib > 256) {
		fprintf(stderr, "usage: bench_module [--gib 1..256] [--rounds 1..%d] [--json]\n",
			ROUNDS_MAX);
		return 2;
	}
	for (int f = 0; f < 2; f++) {
		for (int i = 0; i < rounds; i++)
			v[i] = module_rate(pages, (enum sl_flavour)f);
		m[f] = bench_median(v, (size_t)rounds);
		for (int i = 0; i < rounds; i++)
			v[i] = whole_rate(pages, (enum sl_flavour)f).pages_per_second;
		w[f] = bench_median(v, (size_t)rounds);
	}
	big = whole_rate(gib << 18, SL_PUBLISHED);
	if (json) {
		printf("{\"rounds\": %d, \"pages\": %llu", rounds, (unsigned long long)pages);
		for (int f = 0; f < 2; f++)
			printf(", \"%s\": {\"aug_accept_pages_per_second\": %.0f, "
			       "\"fault_accept_pages_per_second\": %.0f}",
			       name[f], m[f], w[f]);
		printf(", \"memory\": {\"gib\": %llu, \"bytes\": %llu, \"bytes_per_page\": %.1f}}\n",
		       (unsigned long long)gib, big.bytes, (double)big.bytes / (double)(gib << 18));
		return 0;
	}
	printf("one core, contents off, 1 GB of 4 KB pages, median of %d rounds\n", rounds);
	for (int f = 0; f < 2; f++)
		printf("  %-10s AUG + ACCEPT %6.2f M pages/s   fault by fault, host included %6.2f M "
		       "pages/s\n",
		       name[f], m[f] / 1e6, w[f] / 1e6);
	printf("a TD with %llu GB of accepted 4 KB pages: %.0f MB resident (%.1f bytes per page), "
	       "%.2f M pages/s\n",
	       (unsigned long long)gib, (double)big.bytes / 1e6,
	       (double)big.bytes / (double)(gib << 18), big.pages_per_second / 1e6);
	return 0;
}
