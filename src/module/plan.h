/* SPDX-License-Identifier: MIT */
/*
 * Lock plans as data: which locks a leaf takes, in which order, in which mode, and what it returns
 * when it does not get one. The leaves are asserted against them. Layer: module.
 */
#ifndef SL_MODULE_PLAN_H
#define SL_MODULE_PLAN_H

#include <seamlab/module.h>

#include "base/types.h"

enum lock_object {
	LOCK_END, /* terminates a plan */
#define SL_LOCK_OBJECT(name, letter, scope, text) LOCK_##name,
#include "module/lock_object.def"
#undef SL_LOCK_OBJECT
	LOCK_OBJECTS
};

enum lock_path {
	LOCK_WALK,
	LOCK_LEAF,
	LOCK_WORD,
	LOCK_IN_ENTRY,
};

enum lock_kind {
	LOCK_KIND_MUTEX,
	LOCK_KIND_SHAREX,
	LOCK_KIND_SHAREX_HP,
	LOCK_KIND_TDEL,
	LOCK_KIND_CAS,
};

enum lock_mode {
	LOCK_SH,
	LOCK_EX,
};

/* What a leaf says of a lock that it takes, in one word: to be compared with a step at once. */
#define LOCK_WHAT(object, path, mode) ((u32)(object) | (u32)(path) << 8 | (u32)(mode) << 16)

struct lock_step {
	u32 what; /* LOCK_WHAT() of object, path and mode */
	u8 object;
	u8 path;
	u8 kind;
	u8 mode;
	u8 guest;    /* side */
	u16 operand; /* operand id of the busy status, 0 for none */
	u64 busy;    /* busy status with its operand id */
};

/*
 * Plan of a SEAMCALL or TDCALL leaf in release 1.5.01, ended by LOCK_END; NULL for a leaf that takes no
 * lock or of which nothing is known.
 */
const struct lock_step *lock_plan_seamcall(u32 leaf);
const struct lock_step *lock_plan_tdcall(u32 leaf);
/* The same in release @r. A version without a plan of its own has that of version 0. */
const struct lock_step *lock_plan(enum sl_release r, bool guest, u32 leaf, u32 version);
/* Has this version a plan of its own? */
bool lock_plan_has_version(enum sl_release r, u32 seamcall_leaf, u32 version);
/* Is it known that the leaf takes no lock? */
bool lock_free(bool guest, u32 leaf);

/* The kind of lock that a step takes in release @r. */
enum lock_kind lock_kind(enum sl_release r, const struct lock_step *step);

#endif
