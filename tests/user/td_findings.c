// SPDX-License-Identifier: MIT
/*
 * What can go wrong around a guest: one finding for each of RACE, FOR_EVER, DEADLOCK, CRASH, STACK, HALT,
 * LATE and ASSERT_IN_SETUP, if it is defined. Without any of them nothing does.
 */
#include "td.h"

static struct sl_guest *guest;
static int common;            /* what guest and host touch without a lock */
static int twice;             /* the guest's, wherever it runs */
static _Atomic uint32_t told; /* by the host: the guest may end */
static _Atomic uint32_t turn;
#ifdef CRASH
static int *volatile nowhere = (int *)8;
#endif

#ifdef STACK
static int deeper(volatile int *depth)
{
	volatile int here[256] = { *depth + 1 };

	return here[0] < 1000000 ? deeper(here) + here[1] : 0;
}
#endif

static void run_guest(void *arg)
{
	(void)arg;
	twice++;
#ifdef RACE
	common++;
#endif
#ifdef CRASH
	*nowhere = 1;
#endif
#ifdef STACK
	deeper(&(volatile int){ 0 });
#endif
	while (!told)
		sl_guest_pause();
	twice++;
}

static void enter_once(void)
{
	struct tdx_module_args args = { .rcx = TDVPR(0) };

	__seamcall_saved_ret(SEAMCALL_tdh_vp_enter, &args);
	sl_lp_interrupt_take(sl_lp_bound());
	done(SEAMCALL_tdh_vp_flush, TDVPR(0), 0, 0);
}

/* Two threads that enter the guest by turns: what it has as its own, no two of them touch at once. */
SL_THREADS(vcpu, 2)
{
	bind(me);
#ifdef HALT
	/* Finding H1: AUG publishes the entry before the page is the TD's. */
	call(me ? SEAMCALL_tdh_mem_page_remove : SEAMCALL_tdh_mem_page_aug, GPA(0), TDR, MEM(0));
#endif
	for (;;) {
		while (turn != me)
			sl_wait_while(&turn, 1 - me);
		if (sl_guest_returned(guest))
			break;
		enter_once();
		atomic_store(&turn, 1 - me);
	}
	atomic_store(&turn, 1 - me);
	sl_lp_bind(NULL);
}

SL_THREAD(host)
{
	bind(2);
#ifdef RACE
	common++;
#endif
#ifdef LATE
	sl_guest_create(run_guest, NULL, 0);
#endif
#ifndef FOR_EVER
	atomic_store(&told, 1);
#endif
#ifdef DEADLOCK
	sl_wait_while(&told, 1);
#endif
	sl_lp_interrupt_raise(sl_machine_lp(machine, 0));
	sl_lp_bind(NULL);
}

SL_FINALLY(both_halves)
{
	return twice == 2 && common >= 0;
}

SL_SETUP(td)
{
	guest = sl_guest_create(run_guest, NULL, SL_GUEST_STACK_MIN);
	td_make(3, 1, &guest);
#ifdef ASSERT_IN_SETUP
	sl_assert(machine == NULL);
#endif
}

SL_MAIN
