// SPDX-License-Identifier: MIT
/*
 * A TD from the module's bring-up to the last reclaimed page, on two threads: the host's, which zaps
 * pages, and the vCPU's, which runs the guest and maps what it faults on. Every status is looked at.
 *
 * The guest accepts its memory and goes on writing to it. A page that the host has taken away in the
 * meantime comes back empty: the write faults, the vCPU thread maps a new page, the guest gets a #VE
 * and accepts it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tdx.h"

#define PAGES 16ull /* of the guest, besides its first one */
#define ZAPS  500   /* rounds over the pages */
#define GPA   0x40000000ull
#define HKID  (SL_HKID_PRIVATE + 1)

/* Shared memory: what the module reads from the host. */
#define TDMR_ARRAY 0x1000ull
#define TDMR_INFO  0x2000ull
#define TD_PARAMS  0x3000ull
#define IMAGE      0x4000ull

#define TDCX_PAGES 6
#define TDVX_PAGES 5
#define HOST_LP    0
#define VCPU_LP    1

/* Hypercalls that this host knows: GHCI's HLT, and one of the example's. */
#define VMCALL_HLT    12
#define VMCALL_REPORT 0x7000

struct td {
	struct sl_machine *machine;
	struct sl_guest *guest;
	u64 next_page; /* of physical memory; pages are used once */
	u64 tdr, tdcx[TDCX_PAGES], tdvpr, tdvx[TDVX_PAGES], sept[3];
	/* The host's view of the guest's memory: 0, or the page behind each GPA. */
	pthread_mutex_t mmu_lock;
	u64 page[1 + PAGES];
	/* The vCPU: is it in the guest, how often was it out? */
	atomic_int in_guest;
	atomic_uint exits;
	atomic_int stop; /* what the guest looks at */
	pthread_barrier_t ready;
	u64 writes, accepts; /* the guest's report */
	unsigned int augs, zaps;
};

static void check(const char *what, u64 status)
{
	const char *name = tdx_status_name(status);

	if (!status)
		return;
	fprintf(stderr, "kernel_td: %s: 0x%llx %s\n", what, (unsigned long long)status,
		name ? name : "");
	exit(1);
}

#define CHECK(call) check(#call, call)

/* A call about an S-EPT entry: entry and state are told too. */
#define CHECK_ENTRY(call)                                                              \
	do {                                                                           \
		u64 entry = 0, state = 0, status = call;                               \
                                                                                       \
		if (status)                                                            \
			fprintf(stderr, "kernel_td: entry 0x%llx state 0x%llx\n",      \
				(unsigned long long)entry, (unsigned long long)state); \
		check(#call, status);                                                  \
	} while (0)

static u64 page_alloc(struct td *td)
{
	u64 page = td->next_page;

	td->next_page += PAGE_SIZE;
	return page;
}

static u64 gpa_of(unsigned int i)
{
	return GPA + i * PAGE_SIZE;
}

/* ---- the guest ------------------------------------------------------------------------------- */

/* The #VE handler: a page has come back since it was last used. */
static void guest_virt_exception(void *arg)
{
	struct td *td = arg;

	if (!tdx_handle_virt_exception())
		abort();
	td->accepts++;
}

/* What the TD runs. @arg is for the report alone: a guest of its own would use shared memory. */
static void guest_main(void *arg)
{
	struct td *td = arg;
	u64 magic = 0;

	/* The first page came with the TD, contents and all. */
	sl_guest_load(GPA, &magic);
	if (magic != 0x5EED || td->accepts)
		abort();
	if (!tdx_accept_memory(gpa_of(1), gpa_of(1 + PAGES)))
		abort();
	for (u64 n = 0; !atomic_load(&td->stop); n++) {
		u64 gpa = gpa_of(1 + n % PAGES), value = n;

		sl_guest_store(gpa, n);
		td->writes++;
		/* Still there, unless the host has taken the page away in between. */
		sl_guest_load(gpa, &value);
		if (value && value != n)
			abort();
	}
	if (tdx_hypercall(VMCALL_REPORT, td->writes, td->accepts))
		abort();
}

/* ---- the vCPU's thread ----------------------------------------------------------------------- */

/* A fault: gives the guest a page, unless somebody else has, or has the old one still in hand. */
static void handle_fault(struct td *td, u64 gpa)
{
	unsigned int i = (unsigned int)((gpa - GPA) / PAGE_SIZE);

	if (gpa < GPA || i > PAGES)
		check("the guest touched memory that it does not have", ~0ull);
	pthread_mutex_lock(&td->mmu_lock);
	if (!td->page[i]) {
		td->page[i] = page_alloc(td);
		CHECK_ENTRY(tdh_mem_page_aug(td->tdr, gpa_of(i), 0, td->page[i], &entry, &state));
		td->augs++;
	}
	pthread_mutex_unlock(&td->mmu_lock);
}

/* False: the guest has halted for good. */
static bool handle_vmcall(struct td *td, struct tdx_module_args *args)
{
	switch (args->r11) {
	case VMCALL_REPORT:
		printf("guest: %llu writes, %llu pages accepted after a zap\n",
		       (unsigned long long)args->r12, (unsigned long long)args->r13);
		break;
	case VMCALL_HLT:
		return !sl_guest_returned(td->guest);
	default:
		check("an unknown hypercall", args->r11);
	}
	*args = (struct tdx_module_args){ .r11 = args->r11 };
	return true;
}

static void run_vcpu(struct td *td)
{
	struct tdx_module_args args = { 0 };
	bool running = true;

	while (running) {
		u64 status;

		atomic_store(&td->in_guest, 1);
		status = tdh_vp_enter(td->tdvpr, &args);
		atomic_store(&td->in_guest, 0);
		atomic_fetch_add(&td->exits, 1);
		sl_lp_interrupt_take(sl_lp_bound());
		if (tdx_class(status) == TDX_OPERAND_BUSY) {
			/* The host holds something that an entry needs. */
			sched_yield();
			continue;
		}
		if (status & TDX_STATUS_ERROR)
			check("TDH.VP.ENTER", status);
		switch (status & 0xFFFF) {
		case EXIT_REASON_EXTERNAL_INTERRUPT:
			break;
		case EXIT_REASON_EPT_VIOLATION:
			handle_fault(td, args.r8);
			break;
		case EXIT_REASON_TDCALL:
			running = handle_vmcall(td, &args);
			break;
		default:
			/* The host-priority timeout leaves with reason 0: enter again. */
			if (tdx_class(status) != TDX_HOST_PRIORITY_BUSY_TIMEOUT)
				check("TDH.VP.ENTER", status);
		}
	}
	CHECK(tdh_vp_flush(td->tdvpr));
}

static void *vcpu_thread(void *arg)
{
	struct td *td = arg;

	if (sl_lp_bind(sl_machine_lp(td->machine, VCPU_LP)))
		abort();
	/* The module is not there yet: the host's thread begins. */
	pthread_barrier_wait(&td->ready);
	CHECK(tdh_sys_lp_init());
	pthread_barrier_wait(&td->ready);
	/* The host builds the TD. */
	pthread_barrier_wait(&td->ready);
	run_vcpu(td);
	sl_lp_bind(NULL);
	return NULL;
}

/* ---- the host's thread ----------------------------------------------------------------------- */

static void bring_up(struct td *td)
{
	u64 *array = sl_machine_shared(td->machine, TDMR_ARRAY);
	u64 *info = sl_machine_shared(td->machine, TDMR_INFO);
	u64 size = 1ull << 30, next = 0;

	CHECK(tdh_sys_init());
	pthread_barrier_wait(&td->ready);
	CHECK(tdh_sys_lp_init());
	pthread_barrier_wait(&td->ready);
	/* One TDMR: base, size. Its PAMT stands ready in this machine. */
	array[0] = TDMR_INFO;
	info[0] = SL_PRIVATE_BASE;
	info[1] = size;
	CHECK(tdh_sys_config(TDMR_ARRAY, 1, SL_HKID_PRIVATE));
	CHECK(tdh_sys_key_config());
	while (next < SL_PRIVATE_BASE + size)
		CHECK(tdh_sys_tdmr_init(SL_PRIVATE_BASE, &next));
}

static void build_vcpu(struct td *td)
{
	td->tdvpr = page_alloc(td);
	CHECK(tdh_vp_create(td->tdr, td->tdvpr));
	for (int i = 0; i < TDVX_PAGES; i++) {
		td->tdvx[i] = page_alloc(td);
		CHECK(tdh_vp_addcx(td->tdvpr, td->tdvx[i]));
	}
	CHECK(tdh_vp_init(td->tdvpr, 0));
	/* The LP that has initialised it lets go, for the vCPU's thread. */
	CHECK(tdh_vp_flush(td->tdvpr));
	if (sl_guest_bind(td->machine, td->tdvpr, td->guest))
		abort();
}

static void build_memory(struct td *td)
{
	u64 *image = sl_machine_shared(td->machine, IMAGE);

	for (int level = 3; level > 0; level--) {
		u64 gpa = GPA & ~((PAGE_SIZE << (9 * level)) - 1);

		td->sept[level - 1] = page_alloc(td);
		CHECK_ENTRY(
			tdh_mem_sept_add(td->tdr, gpa, level, td->sept[level - 1], &entry, &state));
	}
	image[0] = 0x5EED;
	td->page[0] = page_alloc(td);
	CHECK_ENTRY(tdh_mem_page_add(td->tdr, GPA, td->page[0], IMAGE, &entry, &state));
	for (u64 at = 0; at < PAGE_SIZE; at += 256)
		CHECK(tdh_mr_extend(td->tdr, GPA + at));
}

static void build_td(struct td *td)
{
	u64 *params = sl_machine_shared(td->machine, TD_PARAMS);
	u64 extended;

	td->tdr = page_alloc(td);
	CHECK(tdh_mng_create(td->tdr, HKID));
	CHECK(tdh_mng_key_config(td->tdr));
	for (int i = 0; i < TDCX_PAGES; i++) {
		td->tdcx[i] = page_alloc(td);
		CHECK(tdh_mng_addcx(td->tdr, td->tdcx[i]));
	}
	memset(params, 0, 1024);
	params[1] = 3;          /* XFAM: x87 and SSE */
	params[2] = 1;          /* vCPUs */
	params[3] = 6 | 3 << 3; /* EPTP: write-back, 4 levels */
	params[5] = 80;         /* TSC: 2 GHz */
	CHECK(tdh_mng_init(td->tdr, TD_PARAMS, &extended));
	build_vcpu(td);
	build_memory(td);
	CHECK(tdh_mr_finalize(td->tdr));
}

/* Returns when the vCPU is out of the guest or has been since the call. */
static void kick(struct td *td)
{
	unsigned int exits = atomic_load(&td->exits);

	if (!atomic_load(&td->in_guest))
		return;
	sl_lp_interrupt_raise(sl_machine_lp(td->machine, VCPU_LP));
	while (atomic_load(&td->in_guest) && atomic_load(&td->exits) == exits)
		sched_yield();
}

/* mmu_lock is held: nobody maps meanwhile. */
static void zap(struct td *td, unsigned int i)
{
	if (!td->page[i])
		return;
	CHECK_ENTRY(tdh_mem_range_block(td->tdr, gpa_of(i), 0, &entry, &state));
	CHECK(tdh_mem_track(td->tdr));
	kick(td);
	CHECK_ENTRY(tdh_mem_page_remove(td->tdr, gpa_of(i), 0, &entry, &state));
	CHECK(tdh_phymem_page_wbinvd(td->page[i], HKID));
	td->page[i] = 0;
	td->zaps++;
}

static void zap_while_it_runs(struct td *td)
{
	for (unsigned int n = 0; td->zaps < ZAPS; n++) {
		pthread_mutex_lock(&td->mmu_lock);
		zap(td, 1 + n % PAGES);
		pthread_mutex_unlock(&td->mmu_lock);
		/* Time for the guest to come across the hole. */
		sched_yield();
	}
	atomic_store(&td->stop, 1);
}

static void reclaim(u64 page)
{
	u64 type, owner, size;

	CHECK(tdh_phymem_page_reclaim(page, &type, &owner, &size));
}

/* The vCPU has been flushed by its thread. */
static void teardown(struct td *td)
{
	u64 status;

	pthread_mutex_lock(&td->mmu_lock);
	for (unsigned int i = 0; i <= PAGES; i++)
		zap(td, i);
	pthread_mutex_unlock(&td->mmu_lock);
	CHECK(tdh_mng_vpflushdone(td->tdr));
	status = tdh_phymem_cache_wb(false);
	while (tdx_class(status) == TDX_INTERRUPTED_RESUMABLE)
		status = tdh_phymem_cache_wb(true);
	check("TDH.PHYMEM.CACHE.WB", status);
	CHECK(tdh_mng_key_freeid(td->tdr));
	for (int i = 0; i < 3; i++)
		reclaim(td->sept[i]);
	for (int i = 0; i < TDVX_PAGES; i++)
		reclaim(td->tdvx[i]);
	reclaim(td->tdvpr);
	for (int i = 0; i < TDCX_PAGES; i++)
		reclaim(td->tdcx[i]);
	reclaim(td->tdr);
	/* The module reached the TDR through its own key. */
	CHECK(tdh_phymem_page_wbinvd(td->tdr, SL_HKID_PRIVATE));
}

int main(void)
{
	static struct td td;
	struct sl_machine_config config;
	pthread_t thread;

	sl_machine_config_init(&config);
	config.lps = 2;
	config.private_pages = 64 + ZAPS + PAGES;
	config.contents = true;
	td.machine = sl_machine_create(&config);
	td.guest = sl_guest_create(guest_main, &td, 0);
	if (!td.machine || !td.guest) {
		perror("kernel_td");
		return 1;
	}
	sl_guest_set_ve_handler(td.guest, guest_virt_exception);
	td.next_page = SL_PRIVATE_BASE;
	pthread_mutex_init(&td.mmu_lock, NULL);
	pthread_barrier_init(&td.ready, NULL, 2);
	if (sl_lp_bind(sl_machine_lp(td.machine, HOST_LP)) ||
	    pthread_create(&thread, NULL, vcpu_thread, &td))
		return 1;
	bring_up(&td);
	build_td(&td);
	pthread_barrier_wait(&td.ready);
	zap_while_it_runs(&td);
	pthread_join(thread, NULL);
	teardown(&td);
	printf("host: %u pages mapped on a fault, %u zapped; the TD is gone\n", td.augs, td.zaps);
	sl_lp_bind(NULL);
	sl_guest_destroy(td.guest);
	sl_machine_destroy(td.machine);
	return 0;
}
