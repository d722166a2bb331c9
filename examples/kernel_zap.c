// SPDX-License-Identifier: MIT
/*
 * A host that takes a page from a TD while the TD accepts it: the same file runs on threads, and under
 * the explorer in every order.
 *
 * The host's side is as in KVM: a zap is BLOCK, TRACK, kick, REMOVE under the lock of its page table,
 * and a SEAMCALL that is BUSY is tried once more after all vCPUs have been kicked out and are kept out,
 * as nobody else can be in the way then. The guest tries an ACCEPT that is BUSY again.
 *
 * Two mistakes are left in for those who define them:
 *  ZAP_RETRIES=n  the zap tries n times and does not care who is in the way
 *  ACCEPT_ONCE    the guest takes a BUSY of its ACCEPT for the end
 */
#include <seamlab/explore.h>
#include <seamlab/seamcall.h>
#include <stdatomic.h>
#include <string.h>

typedef uint64_t u64;

#define GPA     0x40000000ull
#define HKID    (SL_HKID_PRIVATE + 1)
#define HOST_LP 0
#define VCPU_LP 1

#define PAGE(n)    (SL_PRIVATE_BASE + (n)*4096ull)
#define TDR        PAGE(0)
#define TDCX(n)    PAGE(1 + (n))
#define TDVPR      PAGE(8)
#define TDVX(n)    PAGE(9 + (n))
#define SEPT(n)    PAGE(16 + (n))
#define FIRST_PAGE PAGE(20)
#define NEXT_PAGE  PAGE(21)

/* Shared memory: what the module reads from the host. */
#define TDMR_ARRAY 0x1000ull
#define TDMR_INFO  0x2000ull
#define TD_PARAMS  0x3000ull

static struct sl_machine *machine;
static struct sl_guest *guest;

/* What the host knows. */
static _Atomic uint32_t mmu_lock;
static u64 mapped = FIRST_PAGE;   /* behind GPA; 0: nothing. mmu_lock */
static _Atomic uint32_t keep_out; /* vCPUs are not to enter */
static _Atomic uint32_t inside;   /* the vCPU is, or is about to */

static u64 class_of(u64 status)
{
	return status & TDX_STATUS_CLASS_MASK;
}

static void lock(void)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_strong(&mmu_lock, &free, 1)) {
		sl_wait_while(&mmu_lock, 1);
		free = 0;
	}
}

static void unlock(void)
{
	atomic_store(&mmu_lock, 0);
}

static u64 call(u64 fn, u64 rcx, u64 rdx, u64 r8)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return __seamcall_ret(fn, &args);
}

/* ---- the guest ------------------------------------------------------------------------------- */

static void accept_page(u64 gpa)
{
	struct tdx_module_args args = { .rcx = gpa };
	u64 status = __tdcall(TDCALL_tdg_mem_page_accept, &args);

#ifndef ACCEPT_ONCE
	while (class_of(status) == TDX_OPERAND_BUSY) {
		sl_guest_pause();
		status = __tdcall(TDCALL_tdg_mem_page_accept, &args);
	}
#endif
	sl_assert(!status);
}

static void run_guest(void *arg)
{
	(void)arg;
	accept_page(GPA);
}

/* ---- the vCPU's thread ----------------------------------------------------------------------- */

static void handle_fault(void)
{
	lock();
	if (!mapped) {
		mapped = NEXT_PAGE;
		sl_assert(!call(SEAMCALL_tdh_mem_page_aug, GPA, TDR, NEXT_PAGE));
	}
	unlock();
}

static u64 enter(struct tdx_module_args *args)
{
	u64 status;

	*args = (struct tdx_module_args){ .rcx = TDVPR };
	for (;;) {
		sl_wait_while(&keep_out, 1);
		atomic_store(&inside, 1);
		/* Whoever keeps us out looks at us after that. */
		if (!atomic_load(&keep_out))
			break;
		atomic_store(&inside, 0);
	}
	status = __seamcall_saved_ret(SEAMCALL_tdh_vp_enter, args);
	sl_lp_interrupt_take(sl_lp_bound());
	atomic_store(&inside, 0);
	return status;
}

SL_THREAD(vcpu)
{
	struct tdx_module_args args;

	sl_assert(!sl_lp_bind(sl_machine_lp(machine, VCPU_LP)));
	while (!sl_guest_returned(guest)) {
		u64 status = enter(&args);

		if (status == EXIT_REASON_EPT_VIOLATION)
			handle_fault();
	}
	sl_lp_bind(NULL);
}

/* ---- the host's thread ----------------------------------------------------------------------- */

static void kick(void)
{
	if (!atomic_load(&inside))
		return;
	sl_lp_interrupt_raise(sl_machine_lp(machine, VCPU_LP));
	sl_wait_while(&inside, 1);
}

/* A SEAMCALL of a zap, which must not fail. */
static void must(u64 fn, u64 rcx, u64 rdx)
{
	u64 status = call(fn, rcx, rdx, 0);

#ifdef ZAP_RETRIES
	for (int i = 1; i < ZAP_RETRIES && class_of(status) == TDX_OPERAND_BUSY; i++)
		status = call(fn, rcx, rdx, 0);
#else
	if (class_of(status) == TDX_OPERAND_BUSY) {
		atomic_store(&keep_out, 1);
		kick();
		status = call(fn, rcx, rdx, 0);
		atomic_store(&keep_out, 0);
	}
#endif
	sl_assert(!status);
}

SL_THREAD(host)
{
	sl_assert(!sl_lp_bind(sl_machine_lp(machine, HOST_LP)));
	lock();
	must(SEAMCALL_tdh_mem_range_block, GPA, TDR);
	must(SEAMCALL_tdh_mem_track, TDR, 0);
	kick();
	must(SEAMCALL_tdh_mem_page_remove, GPA, TDR);
	mapped = 0;
	unlock();
	sl_lp_bind(NULL);
}

SL_FINALLY(the_guest_is_through)
{
	return sl_guest_returned(guest) && !mmu_lock && !keep_out;
}

/* ---- before all that ------------------------------------------------------------------------- */

static void done(u64 fn, u64 rcx, u64 rdx, u64 r8)
{
	sl_assert(!call(fn, rcx, rdx, r8));
}

static void bring_up(void)
{
	u64 *array = sl_machine_shared(machine, TDMR_ARRAY);
	u64 *info = sl_machine_shared(machine, TDMR_INFO);

	sl_assert(!sl_lp_bind(sl_machine_lp(machine, HOST_LP)));
	done(SEAMCALL_tdh_sys_init, 0, 0, 0);
	done(SEAMCALL_tdh_sys_lp_init, 0, 0, 0);
	sl_assert(!sl_lp_bind(sl_machine_lp(machine, VCPU_LP)));
	done(SEAMCALL_tdh_sys_lp_init, 0, 0, 0);
	array[0] = TDMR_INFO;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	done(SEAMCALL_tdh_sys_config, TDMR_ARRAY, 1, SL_HKID_PRIVATE);
	done(SEAMCALL_tdh_sys_key_config, 0, 0, 0);
	for (int i = 0; i < 256; i++)
		done(SEAMCALL_tdh_sys_tdmr_init, SL_PRIVATE_BASE, 0, 0);
}

static void build_td(void)
{
	u64 *params = sl_machine_shared(machine, TD_PARAMS);

	done(SEAMCALL_tdh_mng_create, TDR, HKID, 0);
	done(SEAMCALL_tdh_mng_key_config, TDR, 0, 0);
	for (u64 i = 0; i < 6; i++)
		done(SEAMCALL_tdh_mng_addcx, TDCX(i), TDR, 0);
	params[1] = 3;          /* XFAM: x87 and SSE */
	params[2] = 1;          /* vCPUs */
	params[3] = 6 | 3 << 3; /* EPTP: write-back, 4 levels */
	params[5] = 80;         /* TSC: 2 GHz */
	done(SEAMCALL_tdh_mng_init, TDR, TD_PARAMS, 0);
	done(SEAMCALL_tdh_vp_create, TDVPR, TDR, 0);
	for (u64 i = 0; i < 5; i++)
		done(SEAMCALL_tdh_vp_addcx, TDVX(i), TDVPR, 0);
	/* On the LP on which the vCPU will run. */
	done(SEAMCALL_tdh_vp_init, TDVPR, 0, 0);
	for (u64 level = 3; level > 0; level--)
		done(SEAMCALL_tdh_mem_sept_add, (GPA & ~((1ull << (12 + 9 * level)) - 1)) | level,
		     TDR, SEPT(level));
	done(SEAMCALL_tdh_mr_finalize, TDR, 0, 0);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, FIRST_PAGE);
}

SL_SETUP(a_td_with_a_pending_page)
{
	struct sl_machine_config config;

	sl_machine_config_init(&config);
	config.lps = 2;
	config.private_pages = 24;
	machine = sl_machine_create(&config);
	guest = sl_guest_create(run_guest, NULL, 0);
	sl_assert(machine && guest);
	bring_up();
	build_td();
	sl_assert(!sl_guest_bind(machine, TDVPR, guest));
}

SL_MAIN
