/* SPDX-License-Identifier: MIT */
/* The explorer's env: what model code asks of its surroundings, as scheduling points. */
#ifndef SL_ENGINE_XENV_H
#define SL_ENGINE_XENV_H

#include "base/env.h"

extern const struct sl_env_ops xenv_ops;

/* The env of a fiber. Counters go to @stats, which is no model state. */
void xenv_init(struct sl_env *env, struct sl_stats *stats);

#endif
