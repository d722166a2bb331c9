// SPDX-License-Identifier: MIT
/*
 * A guest that a TD exit leaves in the middle of a TDCALL and of a memory access, with two LPs that race
 * for who takes it up. STAYS_IN_TDCALL and STAYS_IN_ACCESS claim that it never comes back on the other.
 */
#include "td.h"

static struct sl_guest *guest;
static _Atomic uint32_t vcpu_lock;
static u64 mapped[2];  /* vcpu_lock */
static int ve_handled; /* the guest's own */
static int on_lp[3];   /* where the guest was: at its start, after the TDCALL, after the access */

/* A stack that has a frame more in the middle of the access. */
static void handle_ve(void *arg)
{
	struct tdx_module_args args = { 0 };
	u64 page[4] = { GPA(1), GPA(1), GPA(1), GPA(1) };

	sl_assert(arg == &ve_handled);
	sl_assert(!__tdcall_ret(TDCALL_tdg_vp_veinfo_get, &args));
	for (int i = 0; i < 4; i++)
		sl_assert(page[i] == (args.r9 & ~4095ull));
	sl_assert(!accept_page(page[ve_handled]));
	ve_handled++;
}

static int where(void)
{
	return (int)sl_lp_index(sl_lp_bound());
}

static void run_guest(void *arg)
{
	u64 local[8], *through = local, value = 0;

	sl_assert(arg == &ve_handled);
	for (unsigned int i = 0; i < 8; i++)
		local[i] = i * 3;
	on_lp[0] = where();
	/* Not there: the exit comes in the middle of the TDCALL. */
	sl_assert(!accept_page(GPA(0)));
	on_lp[1] = where();
	/* Not there, then PENDING. */
	sl_assert(sl_guest_store(GPA(1), 0x5EED) == SL_ACCESS_OK);
	on_lp[2] = where();
	sl_assert(sl_guest_load(GPA(1), &value) == SL_ACCESS_OK && value == 0x5EED);
	for (unsigned int i = 0; i < 8; i++)
		sl_assert(through[i] == i * 3);
#ifdef STAYS_IN_TDCALL
	sl_assert(on_lp[0] == on_lp[1]);
#endif
#ifdef STAYS_IN_ACCESS
	sl_assert(on_lp[1] == on_lp[2]);
#endif
}

static void handle_exit(u64 status, const struct tdx_module_args *args)
{
	u64 i = (args->r8 - GPA(0)) / 4096;

	if (status != EXIT_REASON_EPT_VIOLATION)
		return;
	sl_assert(i < 2 && !mapped[i]);
	mapped[i] = MEM(i);
	done(SEAMCALL_tdh_mem_page_aug, args->r8, TDR, mapped[i]);
}

SL_THREADS(lp, 2)
{
	bind(me);
	for (bool running = true; running;) {
		struct tdx_module_args args = { .rcx = TDVPR(0) };
		uint32_t unlocked = 0;

		if (!atomic_compare_exchange_strong(&vcpu_lock, &unlocked, 1)) {
			sl_wait_while(&vcpu_lock, 1);
			continue;
		}
		running = !sl_guest_returned(guest);
		if (running) {
			handle_exit(__seamcall_saved_ret(SEAMCALL_tdh_vp_enter, &args), &args);
			/* For the other one. */
			done(SEAMCALL_tdh_vp_flush, TDVPR(0), 0, 0);
		}
		atomic_store(&vcpu_lock, 0);
	}
	sl_lp_bind(NULL);
}

SL_FINALLY(all_done)
{
	return sl_guest_returned(guest) && ve_handled == 1 && mapped[0] && mapped[1];
}

SL_SETUP(td)
{
	guest = sl_guest_create(run_guest, &ve_handled, SL_GUEST_STACK_MIN);
	sl_assert(guest);
	sl_guest_set_ve_handler(guest, handle_ve);
	td_make(2, 1, &guest);
}

SL_MAIN
