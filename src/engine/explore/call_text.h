/* SPDX-License-Identifier: MIT */
/* A SEAMCALL or TDCALL of a played step in words. Layer: engine. */
#ifndef SL_ENGINE_CALL_TEXT_H
#define SL_ENGINE_CALL_TEXT_H

#include "base/env.h"
#include "engine/explore/xp.h"

static inline bool is_call(const struct xp_event *e)
{
	return e->kind == XP_EVENT_NOTE &&
	       (e->note == SL_NOTE_SEAMCALL || e->note == SL_NOTE_TDCALL);
}

/* The leaf's name, and what came of it. */
void call_text(const struct xp_event *e, char *name, size_t name_size, char *what,
	       size_t what_size);

#endif
