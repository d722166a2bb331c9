/* SPDX-License-Identifier: MIT */
/*
 * Plain programs: those that use the module without a scenario (include/seamlab/seamcall.h). What
 * SEAMCALLs, LPs and guests of theirs need of the engine that runs them. Layer: engine.
 */
#ifndef SL_ENGINE_PLAIN_H
#define SL_ENGINE_PLAIN_H

#include <seamlab/seamcall.h>

#include "base/types.h"

/* What a thread works on. */
struct plain_thread {
	struct sl_lp *bound; /* by sl_lp_bind() */
	struct sl_lp *guest; /* the LP of the guest that it runs; NULL: it runs none */
};

/*
 * The calling one. A call and no variable, to be asked anew behind each switch: a guest on a stack of its
 * own may go on in another thread.
 */
struct plain_thread *plain_self(void);

/* Is some thread bound to @lp? NULL: @lp is not of a machine from sl_machine_create(). */
_Atomic bool *plain_lp_taken(struct sl_lp *lp);
/* The calling thread is bound to @lp now; NULL: to none. */
void plain_lp_bound(struct sl_lp *lp);

/* Zeroed memory that all threads see. NULL: there is none. */
void *plain_alloc(size_t size);
void plain_free(void *p);

/* One turn of a waiting loop outside of guests. */
void plain_relax(void);

static inline bool plain_config_is_valid(const struct sl_machine_config *cfg)
{
	/* 4 KB pages of 1 TB. */
	const u64 pages_max = 1ull << 28;

	return (u32)cfg->release < SL_RELEASES &&
	       (cfg->flavour == SL_PUBLISHED || cfg->flavour == SL_HARDENED) && cfg->lps >= 1 &&
	       cfg->lps <= SL_LPS_MAX && cfg->packages >= 1 && cfg->packages <= SL_PACKAGES_MAX &&
	       cfg->packages <= cfg->lps && cfg->private_pages >= 1 &&
	       cfg->private_pages <= pages_max;
}

/* ---- a function on a stack of its own, which threads enter and it leaves in the middle -------- */

struct stack;

/*
 * @size bytes, a multiple of the page size. NULL without memory. @entry must not return: it leaves for
 * good.
 */
struct stack *stack_new(size_t size, void (*entry)(void *arg), void *arg);
/* Runs the function from where it stands until it leaves. One thread at a time. */
void stack_enter(struct stack *s);
/* On the stack itself: back to who entered. Returns at the next stack_enter(). */
void stack_leave(struct stack *s);
/* While it is left. NULL is fine. */
void stack_free(struct stack *s);

#endif
