/* SPDX-License-Identifier: MIT */
/* Module state (spec: "System state"). Written under the global lock. Layer: module, private. */
#ifndef SL_MODULE_SYS_H
#define SL_MODULE_SYS_H

#include "module/machine.h"

static inline enum sys_state sys_state(const struct sl_machine *m)
{
	/* Pairs with sys_set_state(): whoever sees READY sees what bring-up wrote. */
	return (enum sys_state)atomic_load_explicit(&m->sys_state, memory_order_acquire);
}

static inline void sys_set_state(struct sl_machine *m, enum sys_state s)
{
	/* Pairs with sys_state() in the dispatcher, which takes no lock. */
	atomic_store_explicit(&m->sys_state, (u8)s, memory_order_release);
}

#endif
