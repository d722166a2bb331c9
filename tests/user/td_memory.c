// SPDX-License-Identifier: MIT
/*
 * What a guest and its host have seen, and nothing else shows: values that a word has for a while only. The
 * guest keeps one on its stack over a TD exit, the vCPU's thread one on its own while the guest runs. ITS=v
 * and MINE=v claim that it is not v: each of 0 to 3 is seen. The guest has come half its way in set-up.
 */
#include "td.h"

static struct sl_guest *guest;
static atomic_int word, finished, busy, told;

static void run_guest(void *arg)
{
	volatile int kept[64];
	int its = 0;

	for (int i = 0; i < 64; i++)
		kept[i] = i * 7;
	(void)arg;
	sl_assert(!accept_page(GPA(1)));
#ifndef MINE
	its = word;
#endif
	/* Nothing of it is left outside. */
	while (!finished)
		sl_guest_pause();
	busy++;
	sl_assert(!accept_page(GPA(0)));
	busy++;
#ifdef ITS
	sl_assert(its != ITS);
#endif
	for (int i = 0; i < 64; i++)
		sl_assert(kept[i] == i * 7);
	told = its;
}

static u64 enter(struct tdx_module_args *args)
{
	*args = (struct tdx_module_args){ .rcx = TDVPR(0) };
	return __seamcall_saved_ret(SEAMCALL_tdh_vp_enter, args);
}

SL_THREAD(vcpu)
{
	struct tdx_module_args args;
	int mine = 0;

	bind(0);
#ifndef ITS
	mine = word;
#endif
	while (!sl_guest_returned(guest))
		if (enter(&args) == EXIT_REASON_EPT_VIOLATION) {
			busy++;
			done(SEAMCALL_tdh_mem_page_aug, args.r8, TDR, MEM(1));
		}
	busy++;
#ifdef MINE
	sl_assert(mine != MINE);
#endif
	told = told + 4 * mine;
	sl_lp_bind(NULL);
}

SL_THREAD(host)
{
	for (int i = 1; i <= 4; i++)
		word = i % 4;
	/* A word that threads share. */
	busy++;
	busy--;
	finished = 1;
}

SL_FINALLY(all_done)
{
	return sl_guest_returned(guest) && !word && busy == 4 && told < 16;
}

SL_SETUP(td)
{
	struct tdx_module_args args;

	guest = sl_guest_create(run_guest, NULL, 0);
	td_make(1, 1, &guest);
	sl_assert(enter(&args) == EXIT_REASON_EPT_VIOLATION && args.r8 == GPA(1));
	done(SEAMCALL_tdh_mem_page_aug, GPA(1), TDR, MEM(0));
}

SL_MAIN
