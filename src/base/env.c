// SPDX-License-Identifier: MIT
/* Formatting of findings on their way to the engine. Layer: env. */
#include "base/env.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const violation_names[SL_VIOLATION_COUNT] = {
	[SL_VIOLATION_ORACLE] = "oracle",
	[SL_VIOLATION_HOST_ASSERT] = "host-assert",
	[SL_VIOLATION_MODULE_HALT] = "module-halt",
	[SL_VIOLATION_RACE] = "race",
	[SL_VIOLATION_DEADLOCK] = "deadlock",
	[SL_VIOLATION_LIVELOCK] = "livelock",
	[SL_VIOLATION_BOUND] = "bound",
	[SL_VIOLATION_TD_KILLED] = "td-killed",
};

const char *sl_violation_name(enum sl_violation kind)
{
	return (unsigned int)kind < SL_VIOLATION_COUNT ? violation_names[kind] : "unknown";
}

void env_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	env->ops->violate(env, kind, id, text);
}
