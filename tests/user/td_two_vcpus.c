// SPDX-License-Identifier: MIT
/*
 * Two vCPUs that accept one page at the same time, each from a guest of its own. One of them gets it. With
 * BUSY_IS_FATAL a guest does not know that it may find the other one at it.
 */
#include "td.h"

static struct sl_guest *guest[2];
static atomic_int accepted;

static void run_guest(void *arg)
{
	u64 status;

	(void)arg;
#ifdef BUSY_IS_FATAL
	struct tdx_module_args args = { .rcx = GPA(0) };

	status = __tdcall(TDCALL_tdg_mem_page_accept, &args);
#else
	status = accept_page(GPA(0));
#endif
	sl_assert(!status || class_of(status) == TDX_PAGE_ALREADY_ACCEPTED);
	if (!status)
		atomic_fetch_add(&accepted, 1);
}

SL_THREADS(vcpu, 2)
{
	bind(me);
	while (!sl_guest_returned(guest[me])) {
		struct tdx_module_args args = { .rcx = TDVPR(me) };

		__seamcall_saved_ret(SEAMCALL_tdh_vp_enter, &args);
	}
	sl_lp_bind(NULL);
}

SL_INVARIANT(once)
{
	return accepted <= 1;
}

SL_FINALLY(one_of_them)
{
	return accepted == 1;
}

SL_SETUP(td)
{
	for (int i = 0; i < 2; i++)
		guest[i] = sl_guest_create(run_guest, NULL, 0);
	td_make(2, 2, guest);
	done(SEAMCALL_tdh_mem_page_aug, GPA(0), TDR, MEM(0));
}

SL_MAIN
