/* SPDX-License-Identifier: MIT */
/* A user's own program under the explorer: what its two halves share. Layer: engine. */
#ifndef SL_ENGINE_USERCODE_H
#define SL_ENGINE_USERCODE_H

#include "engine/explore/search.h"

/* Violations of a user's program that a model has no name for. */
#define USER_ASSERT SL_VIOLATION_HOST_ASSERT
#define USER_CRASH  SL_VIOLATION_TD_KILLED

/* One line of the table. */
struct user_row {
	u32 step; /* from 1 */
	u32 thread;
	char object[64]; /* variable */
	char what[64];   /* "cas 0 -> 1" */
	char where[40];  /* function */
};

struct user_trace {
	struct user_row *row;
	u32 rows, room;
	u32 steps, played;
	size_t undo_mark;
	u8 kind; /* of the step that is being played: enum xp_kind */
	u32 choice;
	bool violated; /* at the last step, as @id says */
	u32 violation;
	char id[40];
};

/* In the memory that the module's machines take up? */
bool user_is_of_module(const void *addr);
/* Does SL_SETUP run? */
bool user_is_setting_up(void);
/* The program cannot be explored. */
__attribute__((noreturn, format(printf, 1, 2))) void user_fail(const char *fmt, ...);

/* Of thread @i, or what ends the world. */
const char *user_thread_name(u32 i);

/* Plays r->step. False if the violation does not come out again. */
bool user_play(const struct xs_program *p, const struct xs_options *o, const struct xs_result *r,
	       struct user_trace *t);
/* @text with names instead of addresses and numbers. */
void user_names(const char *text, char *out, size_t size);

#endif
