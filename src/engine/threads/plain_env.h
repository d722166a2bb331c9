/* SPDX-License-Identifier: MIT */
/*
 * The env of a plain thread: real time, pthread locks, seeded random choices. What becomes of a
 * finding is for whoever owns it. Layer: engine.
 */
#ifndef SL_ENGINE_PLAIN_ENV_H
#define SL_ENGINE_PLAIN_ENV_H

#include "base/env.h"
#include "base/rng.h"

struct plain_env {
	struct sl_env base; /* first */
	struct sl_rng rng;
	u32 pauses;
	/* Not 0: waits end early, since what they wait for may never come. NULL: they go on. */
	const _Atomic u32 *stop;
};

/* All of struct sl_env_ops but violate and note. */
void plain_env_ops(struct sl_env_ops *ops);

/*
 * The env that this thread works with; NULL for none. The lock library reports misuse without saying
 * where, and that goes to this env. A call, because a fiber may go on in another thread than the one
 * in which it began, where thread-local data has another address.
 */
void plain_env_set_current(struct sl_env *env);

/* Ticks of now() per microsecond; takes 10 ms. */
u64 plain_env_calibrate(void);

#endif
