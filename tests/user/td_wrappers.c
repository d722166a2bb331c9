// SPDX-License-Identifier: MIT
/*
 * The SEAMCALL wrappers and the guest's accept code of examples/kernel_td, as they are, under the explorer.
 * With PREFAULT a second thread maps a page that the guest is at: code that tries RETRIES_MAX times, and
 * no more, sees BUSY as often.
 */
#include "td.h"

#include "tdx.h"

#define PAGES 2ull

static struct sl_guest *guest;
static atomic_int augs; /* pages that the host has mapped */

static void virt_exception(void *arg)
{
	(void)arg;
	sl_assert(tdx_handle_virt_exception());
}

static void run_guest(void *arg)
{
	u64 value = 0;

	(void)arg;
	sl_assert(tdx_accept_memory(GPA(0), GPA(PAGES)));
	/* Not there yet: #VE. */
	sl_guest_store(GPA(PAGES), 7);
	sl_guest_load(GPA(PAGES), &value);
	sl_assert(value == 7);
	sl_assert(!tdx_hypercall(0x7000, 1, 2));
}

/* Somebody may have been faster. */
static void map(u64 gpa)
{
	u64 entry, state;
	u64 status =
		tdh_mem_page_aug(TDR, gpa, 0, MEM((u64)atomic_fetch_add(&augs, 1)), &entry, &state);

	sl_assert(!status || tdx_class(status) == TDX_EPT_ENTRY_STATE_INCORRECT);
}

SL_THREAD(vcpu)
{
	bind(0);
	while (!sl_guest_returned(guest)) {
		struct tdx_module_args args = { 0 };
		u64 status = tdh_vp_enter(TDVPR(0), &args);

		if (status == EXIT_REASON_EPT_VIOLATION)
			map(args.r8);
		else if (status == EXIT_REASON_TDCALL && args.r11 == 0x7000)
			sl_assert(args.r12 == 1 && args.r13 == 2);
	}
	sl_lp_bind(NULL);
}

#ifdef PREFAULT
SL_THREAD(host)
{
	bind(1);
	map(GPA(1));
	sl_lp_bind(NULL);
}
#endif

SL_SETUP(td)
{
	guest = sl_guest_create(run_guest, NULL, 0);
	sl_guest_set_ve_handler(guest, virt_exception);
	td_make(2, 1, &guest);
}

SL_MAIN
