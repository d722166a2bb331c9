/* SPDX-License-Identifier: MIT */
/* Machines without a scenario: memory and an env for each LP. Layer: engine. */
#ifndef SL_ENGINE_PLAIN_MACHINE_H
#define SL_ENGINE_PLAIN_MACHINE_H

#include <seamlab/seamcall.h>

#include "base/stats.h"
#include "engine/threads/plain_env.h"

struct plain_machine;

/* The env of an LP of such a machine. */
struct lp_env {
	struct plain_env plain; /* first */
	struct plain_machine *owner;
	struct sl_lp *lp;
	_Atomic bool taken; /* a thread is bound to the LP */
	struct sl_stats stats;
};

/* The env of @lp, or NULL if it is no LP of such a machine. */
struct lp_env *plain_machine_env(struct sl_lp *lp);

#endif
