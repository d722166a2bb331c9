/* SPDX-License-Identifier: MIT */
/*
 * Which LP the calling thread works on. Calls and no variable: a guest on a stack of its own may go on
 * in another thread, where thread-local data has another address. Layer: engine.
 */
#ifndef SL_ENGINE_CURRENT_H
#define SL_ENGINE_CURRENT_H

#include <seamlab/module.h>

/* The thread runs a guest on @lp; NULL: no longer. */
void current_set_guest_lp(struct sl_lp *lp);

#endif
